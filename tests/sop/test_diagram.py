"""Procedures as pictures: every step is there, letters fit, states are words, nothing becomes markup."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from engineroom.sop.diagram import MOST_SHAPES, svg, svg_of_drawing, svg_of_process
from engineroom.sop.formats.bpmn import Drawing, Line, Shape, read
from engineroom.sop.graph import Flow, Graph, Span, Step
from engineroom.sop.pen import text_width, wrapped
from engineroom.sop.translation import verdicts
from tests.sop.test_bpmn import VERDICTS, VISIBLE, needs_models

CSS = Path(__file__).parents[2] / "src/engineroom/ui/static/ui/components/diagram.css"


def graph_of(steps: list[Step], *pairs: tuple[str, str]) -> Graph:
    return Graph("g", "A procedure", tuple(steps), tuple(Flow(a, b) for a, b in pairs))


PAY = graph_of(
    [
        Step("start", "Start", "start"),
        Step("make", "Make the pay run", "task", "specialist", four_eyes=True),
        Step("ask", "Ask the client", "client_request"),
        Step("late", "Remind", "timer", attached_to="ask", after=Span(2, "days"), interrupting=False),
        Step("way", "Right?", "choice"),
        Step("check", "Check it", "task", "checker"),
        Step("end", "End", "end"),
    ],
    *[("start", "make"), ("make", "ask"), ("ask", "way"), ("late", "check"), ("way", "check")],
    *[("way", "make"), ("check", "end")],
)


def tree(text: str) -> Any:
    return etree.fromstring(text.replace('class="flow-chart"', 'xmlns:x="x" class="flow-chart"'))


def boxes(root: Any) -> list[tuple[str, float, float, float, float]]:
    """Every task's rectangle with its title."""
    found = []
    for node in root.iterfind(".//g"):
        rect = node.find("rect")
        if node.get("class", "").startswith("node") and rect is not None:
            x, y, w, h = (float(rect.get(k)) for k in ("x", "y", "width", "height"))
            found.append((node.findtext("title"), x, y, x + w, y + h))
    return found


def test_every_step_is_drawn_once_and_each_flow_is_a_line_with_a_head() -> None:
    root = tree(svg(PAY))
    titles = [node.findtext("title") for node in root.iterfind(".//g") if "node" in node.get("class", "")]
    assert sorted(titles) == sorted(step.title for step in PAY.steps)
    assert len(root.findall(".//path[@class='head']")) == len(PAY.flows)
    assert [t.text for t in root.iterfind(".//text[@class='lane-name']")] == [
        "specialist",
        "Client",
        "checker",
    ]


def test_steps_stand_from_left_to_right_in_their_lanes_and_no_box_covers_another() -> None:
    found = {title: (x, y, right, bottom) for title, x, y, right, bottom in boxes(tree(svg(PAY)))}
    assert found["Make the pay run"][2] < found["Ask the client"][0] < found["Check it"][0]
    assert found["Make the pay run"][3] < found["Ask the client"][1]


def test_a_state_is_a_word_and_a_mark_and_a_class_and_no_colour_of_its_own() -> None:
    text = svg(PAY, state={"make": "done", "ask": "waiting", "check": "late"})
    root = tree(text)
    assert "Make the pay run: done; Ask the client: waiting" in root.findtext("desc")
    assert len(root.findall(".//g[@class='badge']")) == 3
    assert "style=" not in text and not re.search(r'(fill|stroke)="', text)


def test_every_class_of_a_picture_stands_in_the_stylesheet() -> None:
    css = CSS.read_text()
    states = dict(
        zip([s.key for s in PAY.steps], ["done", "now", "waiting", "skipped", "late"], strict=False)
    )
    for text in [svg(PAY, state=states), *(_all_of(n) for n in sorted(VERDICTS) if (VISIBLE / n).exists())]:
        used = {c for classes in re.findall(r'class="([^"]*)"', text) for c in classes.split()}
        unknown = used - set(re.findall(r"\.([a-z-]+)", css))
        assert not unknown - {"task", "event", "gateway", "start", "middle", "lane-box", "chart"}


def _all_of(name: str) -> str:
    model = read((VISIBLE / name).read_bytes(), name)
    drawn = [svg_of_drawing(d) for d in model.drawings] + [svg_of_process(p) for p in model.processes]
    return "".join([*drawn, *(svg(g) for v in verdicts(model) for g in v.graphs)])


@needs_models
@pytest.mark.parametrize("name", sorted(VERDICTS))
def test_a_model_with_coordinates_is_drawn_where_its_author_put_it(name: str) -> None:
    model = read((VISIBLE / name).read_bytes(), name)
    for drawing in model.drawings:
        root = tree(svg_of_drawing(drawing))
        left, top, width, height = (float(v) for v in root.get("viewBox").split())
        for title, x, y, right, bottom in boxes(root):
            assert left <= x < right <= left + width and top <= y < bottom <= top + height, title
        tasks = {(round(s.x, 1), round(s.y, 1)) for s in drawing.shapes if s.tag.lower().endswith("task")}
        assert tasks <= {(round(x, 1), round(y, 1)) for _, x, y, _, _ in boxes(root)}


@needs_models
@pytest.mark.parametrize("name", sorted(VERDICTS))
def test_a_model_without_coordinates_is_laid_out_and_no_box_covers_another(name: str) -> None:
    model = read((VISIBLE / name).read_bytes(), name)
    for text in [svg_of_process(p) for p in model.processes] + [
        svg(g) for v in verdicts(model) for g in v.graphs
    ]:
        found = sorted(boxes(tree(text)), key=lambda b: (b[2], b[1]))
        for one, two in pairwise(found):
            apart = one[3] <= two[1] or one[4] <= two[2] or two[3] <= one[1]
            assert apart, (one, two)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 14),
    st.lists(st.tuples(st.integers(0, 13), st.integers(0, 13)), max_size=30),
    st.lists(st.sampled_from(["", "lead", "checker"]), min_size=14, max_size=14),
)
def test_any_graph_is_drawn_whatever_leads_where(
    count: int, pairs: list[tuple[int, int]], roles: list[str]
) -> None:
    kinds = ["task", "choice", "wait", "fork", "join", "race", "inclusive"]
    steps = [Step(f"s{n}", f"Step {n}", kinds[n % 7], roles[n]) for n in range(count)]  # type: ignore[arg-type]
    flows = [(f"s{a}", f"s{b}") for a, b in pairs if a < count and b < count]
    root = tree(svg(graph_of(steps, *flows)))
    found = boxes(root)
    assert len(root.findall(".//path[@class='head']")) == len(flows)
    for n, one in enumerate(found):
        for two in found[n + 1 :]:
            assert one[3] <= two[1] or two[3] <= one[1] or one[4] <= two[2] or two[4] <= one[2]


@given(st.text(max_size=200), st.integers(20, 200), st.integers(1, 4))
def test_letters_fit_their_place_or_end_in_an_ellipsis(text: str, width: int, lines: int) -> None:
    made = wrapped(text, width, lines)
    assert len(made) <= lines
    assert all(text_width(line) <= width + 12 for line in made)


def test_titles_are_text_and_never_markup() -> None:
    evil = '</text><script>alert(1)</script>"\x00\u202e'
    text = svg(graph_of([Step("s", evil, "task", evil)]))
    assert "<script" not in text and "\x00" not in text and "\u202e" not in text
    tree(text)


def test_a_drawing_of_too_many_or_too_far_shapes_is_cut_and_says_so() -> None:
    shapes = tuple(Shape(f"e{n}", "task", f"T{n}", n * 9.0, 0, 8, 8) for n in range(MOST_SHAPES + 5))
    far = Shape("far", "task", "Far", 900_000.0, 900_000.0, 100, 80)
    root = tree(
        svg_of_drawing(Drawing("Wide", (far, *shapes), (Line("l", "sequence", "", ((0, 0), (9, 9))),)))
    )
    assert "6 more are not drawn" in root.findtext("desc")
    assert float(root.get("width")) <= 8_000
