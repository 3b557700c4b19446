"""BPMN models of other tools: read, run as far as they can, the rest said; broken ones refused."""

from __future__ import annotations

import os
import re
from itertools import pairwise
from pathlib import Path

import pytest
import typer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from engineroom.cli import procedures
from engineroom.kernel.errors import InputRefused
from engineroom.sop.formats import bpmn
from engineroom.sop.formats.bpmn import Model, read
from engineroom.sop.graph import Graph, Step
from engineroom.sop.machine import Marking, begin, leave
from engineroom.sop.problems import problems
from engineroom.sop.translation import Verdict, verdicts

SHARED = Path(os.environ.get("ENGINEROOM_SHARED", Path(__file__).parents[2].parent / "shared"))
VISIBLE = SHARED / "formats" / "bpmn" / "visible"

VERDICTS = {
    "A.1.0.bpmn": ["runs"],
    "A.2.0.bpmn": ["runs"],
    "A.2.1.bpmn": ["runs, with differences"],
    "A.3.0.bpmn": ["runs, with differences"],
    "A.4.0.bpmn": ["runs", "runs"],
    "A.4.1.bpmn": ["runs", "runs"],
    "B.1.0.bpmn": ["runs", "runs, with differences", "runs, with differences", "runs"],
    # B.2.0 shows every symbol once and is not meant to run: two of its processes join what was never forked.
    "B.2.0.bpmn": ["runs, with differences", "does not run", "does not run", "runs"],
    "C.1.0.bpmn": ["runs, with differences"] * 2,
    "C.1.1.bpmn": ["runs, with differences"],
    "C.2.0.bpmn": ["runs, with differences"] * 4,
    "C.3.0.bpmn": ["runs, with differences"],
    "C.4.0.bpmn": ["runs, with differences"] * 4,
    "C.5.0.bpmn": ["runs, with differences", "runs"],
}

EXAMPLES = int(os.environ.get("BPMN_EXAMPLES", "100"))
needs_models = pytest.mark.skipif(not VISIBLE.is_dir(), reason="the models of ../shared are not here")


@needs_models
def test_every_file_that_we_are_given_is_in_the_list() -> None:
    assert sorted(p.name for p in VISIBLE.glob("*.bpmn")) == sorted(VERDICTS)


@needs_models
@pytest.mark.parametrize("name", sorted(VERDICTS))
def test_a_model_of_the_public_set_is_read_and_its_verdict_said(name: str) -> None:
    model = read((VISIBLE / name).read_bytes(), name)
    found = verdicts(model)
    assert [v.word for v in found] == VERDICTS[name]
    assert model.drawings and not model.problems
    for verdict in found:
        assert verdict.steps_of.keys() <= {e.id for e in verdict.process.elements}
        for note in verdict.notes:
            assert note.why and (note.kind != "cannot" or note.remedy)


@needs_models
@pytest.mark.parametrize("name", sorted(VERDICTS))
def test_what_runs_runs_to_its_end(name: str) -> None:
    """A case of every graph that runs is worked until its end, the oldest place first."""
    for verdict in verdicts(read((VISIBLE / name).read_bytes(), name)):
        if not verdict.runs:
            continue
        for graph in verdict.graphs:
            assert not [p for p in problems(graph) if p.severity == "error"]
            assert _worked_through(graph).is_finished


def _worked_through(graph: Graph) -> Marking:
    ids = iter(range(100_000))

    def decide(graph: Graph, step: Step) -> list[int]:
        """Ways not gone yet first, so that a loop is left again."""
        flows = sorted(graph.outgoing[step.key], key=lambda i: (taken.get(i, 0), graph.flows[i].is_default))
        taken[flows[0]] = taken.get(flows[0], 0) + 1
        return flows[:1]

    taken: dict[int, int] = {}
    marking = begin(graph, decide, lambda: f"n{next(ids)}").marking
    for _ in range(500):
        if not marking.places:
            break
        hosts = [p for p in marking.places if not p.host] or list(marking.places)
        marking = leave(graph, marking, hosts[0].id, decide, lambda: f"n{next(ids)}").marking
    return marking


# --- constructs, one by one -----------------------------------------------------------------------------


def model_of(inside: str, *, around: str = "", attributes: str = "") -> Model:
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" '
        'xmlns:camunda="http://camunda.org/schema/1.0/bpmn" name="A model">\n'
        f'{around}<process id="p" name="Process" {attributes}>\n{inside}\n</process></definitions>'
    )
    return read(text.encode(), "model.bpmn")


def verdict_of(inside: str, **more: str) -> Verdict:
    return verdicts(model_of(inside, **more))[0]


def flow(*ends: str) -> str:
    return "".join(
        f'<sequenceFlow id="{a}-{b}" name="{a} to {b}" sourceRef="{a}" targetRef="{b}"/>\n'
        for a, b in pairwise(ends)
    )


SIMPLE = '<startEvent id="s"/><task id="t" name="Do it"/><endEvent id="e"/>' + flow("s", "t", "e")


def kinds_of(graph: Graph) -> dict[str, str]:
    return {step.key: step.kind for step in graph.steps}


def whys(verdict: Verdict, kind: str) -> str:
    return "; ".join(n.why for n in verdict.notes if n.kind == kind)


def test_a_task_between_start_and_end() -> None:
    verdict = verdict_of(SIMPLE)
    assert verdict.word == "runs"
    assert kinds_of(verdict.graphs[0]) == {"start": "start", "do_it": "task", "end": "end"}
    assert verdict.steps_of["t"] == ("do_it",)


def test_ways_that_no_arrow_leads_out_of_end_and_what_no_arrow_leads_to_begins() -> None:
    verdict = verdict_of(
        '<task id="a" name="A"/><task id="b" name="B"/><task id="c" name="C"/>' + flow("a", "c")
    )
    graph = verdict.graphs[0]
    assert verdict.word == "runs"
    assert kinds_of(graph)["at_once"] == "fork" and kinds_of(graph)["end"] == "end"


def test_lanes_and_vendors_say_who_does_it() -> None:
    lanes = (
        '<laneSet id="l"><lane id="l1" name="Payroll"><flowNodeRef>s</flowNodeRef>'
        '<flowNodeRef>t</flowNodeRef><childLaneSet id="l2"><lane id="l3" name="Checker">'
        "<flowNodeRef>u</flowNodeRef></lane></childLaneSet></lane></laneSet>"
    )
    inside = lanes + (
        '<startEvent id="s"/><task id="t" name="Make"/><task id="u" name="Check"/>'
        '<userTask id="v" name="Sign" camunda:candidateGroups="directors"/><endEvent id="e"/>'
    )
    graph = verdict_of(inside + flow("s", "t", "u", "v", "e")).graphs[0]
    assert [graph.by_key[k].role for k in ("make", "check", "sign")] == ["Payroll", "Checker", "directors"]


def test_a_person_decides_where_a_condition_is_in_another_language() -> None:
    inside = (
        '<startEvent id="s"/><exclusiveGateway id="g" name="Large?" default="g-b"/><task id="a" name="A"/>'
        '<task id="b" name="B"/><endEvent id="e"/>'
        '<sequenceFlow id="g-a" name="yes" sourceRef="g" targetRef="a">'
        "<conditionExpression>${__import__('os').system('x')}</conditionExpression></sequenceFlow>"
        '<sequenceFlow id="g-b" name="no" sourceRef="g" targetRef="b"/>'
    )
    verdict = verdict_of(inside + flow("s", "g") + flow("a", "e") + flow("b", "e"))
    graph = verdict.graphs[0]
    asked = graph.by_key["decide_large"].evidence[0].field
    assert asked is not None and asked.options == ("yes", "no")
    assert [f.target for f in graph.flows if f.is_default] == ["b"]
    assert "a person decides" in whys(verdict, "differs")


@pytest.mark.parametrize("tag", ["inclusiveGateway", "complexGateway"])
def test_several_ways_at_once_are_answered_one_by_one_and_meet_again(tag: str) -> None:
    inside = (
        (
            f'<startEvent id="s"/><{tag} id="g" name="Which"/><task id="a" name="A"/><task id="b" name="B"/>'
            f'<{tag} id="m"/><endEvent id="e"/>'
        )
        + flow("s", "g", "a", "m", "e")
        + flow("g", "b", "m")
    )
    verdict = verdict_of(inside)
    graph = verdict.graphs[0]
    assert verdict.runs, verdict.notes
    assert [e.field.type for e in graph.by_key["decide_which"].evidence if e.field] == ["yes_no", "yes_no"]
    assert kinds_of(graph)["together"] == "inclusive"
    assert ("its own rule is not read" in whys(verdict, "differs")) == (tag == "complexGateway")


def test_what_comes_first_wins_behind_an_event_based_gateway() -> None:
    inside = (
        (
            '<startEvent id="s"/><eventBasedGateway id="g"/><intermediateCatchEvent id="m" name="Answer">'
            '<messageEventDefinition/></intermediateCatchEvent><intermediateCatchEvent id="w" name="3 days">'
            "<timerEventDefinition><timeDuration>P3D</timeDuration></timerEventDefinition>"
            '</intermediateCatchEvent><endEvent id="e"/>'
        )
        + flow("s", "g", "m", "e")
        + flow("g", "w", "e")
    )
    graph = verdict_of(inside).graphs[0]
    assert kinds_of(graph)["whatever_comes_first"] == "race"
    assert str(graph.by_key["n_3_days"].after) == "3 days"
    assert graph.by_key["answer"].message == "answer"


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("PT90M", "90 minutes"),
        ("P1W", "7 days"),
        ("PT36H", "36 hours"),
        ("PT30S", "1 minute"),
        ("P1M", "30 days"),
        ("duration(&quot;P2DT12H&quot;)", "60 hours"),
    ],
)
def test_lengths_of_time(written: str, read_as: str) -> None:
    inside = (
        '<startEvent id="s"/><intermediateCatchEvent id="w" name="Wait"><timerEventDefinition>'
        f"<timeDuration>{written}</timeDuration></timerEventDefinition></intermediateCatchEvent>"
    )
    assert str(verdict_of(inside + flow("s", "w")).graphs[0].by_key["wait"].after) == read_as


def test_a_time_that_cannot_be_read_is_a_date_that_is_asked_for() -> None:
    inside = (
        '<startEvent id="s"/><intermediateCatchEvent id="w" name="Month end"><timerEventDefinition>'
        "<timeDate>#{lastDay}</timeDate></timerEventDefinition></intermediateCatchEvent>"
    )
    verdict = verdict_of(inside + flow("s", "w"))
    assert verdict.runs and verdict.graphs[0].fields[0].type == "date"
    assert "(#{lastDay})" in whys(verdict, "differs")


def test_what_stands_at_the_edge_of_a_task_interrupts_it_or_does_not() -> None:
    inside = (
        SIMPLE
        + '<boundaryEvent id="b" name="Late" attachedToRef="t" cancelActivity="false"><timerEventDefinition>'
        "<timeDuration>PT4H</timeDuration></timerEventDefinition></boundaryEvent>"
        '<boundaryEvent id="c" name="Called off" attachedToRef="t"><messageEventDefinition/></boundaryEvent>'
        '<task id="r" name="Remind"/>' + flow("b", "r")
    )
    graph = verdict_of(inside).graphs[0]
    late, off = graph.by_key["late"], graph.by_key["called_off"]
    assert (late.attached_to, late.interrupting, off.interrupting) == ("do_it", False, True)


SUB = (
    '<startEvent id="s"/><subProcess id="sub" name="Part">{more}<startEvent id="s2"/><task id="a" name="A"/>'
    '<endEvent id="e2"/>' + flow("s2", "a", "e2") + '</subProcess><endEvent id="e"/>' + flow("s", "sub", "e")
)


def test_a_sub_process_of_one_thing_after_the_other_becomes_part_of_its_process() -> None:
    verdict = verdict_of(SUB.format(more=""))
    assert verdict.word == "runs" and len(verdict.graphs) == 1
    assert kinds_of(verdict.graphs[0])["a"] == "task"
    assert _worked_through(verdict.graphs[0]).is_finished


def test_a_sub_process_with_parallel_work_or_with_events_at_its_edge_is_a_procedure_of_its_own() -> None:
    parallel = verdict_of(SUB.format(more='<task id="b" name="B"/>' + flow("s2", "b")))
    at_edge = verdict_of(
        SUB.format(more="")
        + '<boundaryEvent id="x" name="Stop" attachedToRef="sub"><messageEventDefinition/></boundaryEvent>'
    )
    for verdict in (parallel, at_edge):
        assert verdict.runs and [g.key for g in verdict.graphs] == ["process", "process_part"]
        assert verdict.graphs[0].by_key["part"].procedure == "process_part"
    assert at_edge.graphs[0].by_key["stop"].attached_to == "part"


def test_a_process_calls_another_one_of_its_file_by_name() -> None:
    called = '<process id="q" name="The other">' + SIMPLE.replace('"t"', '"t2"') + "</process>"
    inside = '<startEvent id="a"/><callActivity id="c" name="Call" calledElement="q"/><callActivity id="d" '
    inside += 'name="Elsewhere" calledElement="x:not-here"/>' + flow("a", "c", "d")
    found = verdicts(model_of(inside, around=called))
    graph = next(v for v in found if v.process.id == "p").graphs[0]
    assert graph.by_key["call"].procedure == "the_other"
    assert graph.by_key["elsewhere"].procedure == "not_here"


def test_what_has_no_equal_is_left_out_and_the_rest_runs() -> None:
    inside = (
        SIMPLE + '<subProcess id="es" name="On complaint" triggeredByEvent="true">'
        '<startEvent id="s3"><messageEventDefinition/></startEvent></subProcess>'
        '<boundaryEvent id="c" attachedToRef="t"><compensateEventDefinition/></boundaryEvent>'
        '<task id="undo" name="Undo" isForCompensation="true"/>'
        '<textAnnotation id="n"><text>note</text></textAnnotation><group id="g"/>'
        '<dataObject id="d0"/><dataObjectReference id="d" dataObjectRef="d0"/>'
    )
    verdict = verdict_of(inside)
    assert verdict.runs and [n.kind for n in verdict.notes] == ["left out"] * 3
    assert verdict.process.shown == {"annotation": 1, "group": 1, "data object": 1}


def test_an_ad_hoc_sub_process_is_a_task_with_a_check_for_each_activity() -> None:
    inside = (
        '<startEvent id="s"/><adHocSubProcess id="a" name="Gather"><task id="x" name="Contract"/>'
        '<task id="y" name="Passport"/></adHocSubProcess>' + flow("s", "a")
    )
    assert verdict_of(inside).graphs[0].by_key["gather"].checks == ("Contract", "Passport")


def test_transactions_loops_and_several_instances_say_what_becomes_of_them() -> None:
    inside = (
        '<startEvent id="s"/><transaction id="x" name="Book"><task id="a" name="A"/></transaction>'
        '<task id="m" name="Each"><multiInstanceLoopCharacteristics/></task>'
        '<task id="l" name="Again"><standardLoopCharacteristics/></task>' + flow("s", "x", "m", "l")
    )
    verdict = verdict_of(inside)
    assert verdict.runs
    words = whys(verdict, "differs")
    assert (
        "nothing undoes it as a whole" in words and "at the same time" in words and "again and again" in words
    )


def test_links_join_what_was_cut_for_the_paper() -> None:
    inside = (
        '<startEvent id="s"/><intermediateThrowEvent id="t" name="A"><linkEventDefinition name="A"/>'
        '</intermediateThrowEvent><intermediateCatchEvent id="c" name="A"><linkEventDefinition name="A"/>'
        '</intermediateCatchEvent><task id="w" name="Work"/>' + flow("s", "t") + flow("c", "w")
    )
    assert _worked_through(verdict_of(inside).graphs[0]).is_finished
    lost = verdict_of(inside.replace('<linkEventDefinition name="A"/>', '<linkEventDefinition name="B"/>', 1))
    assert lost.word == "does not run" and "no link of its name" in whys(lost, "cannot")


def test_a_join_of_what_was_never_forked_does_not_run_and_says_how_it_would_wait() -> None:
    inside = (
        '<startEvent id="s"/><exclusiveGateway id="g"/><task id="a" name="A"/><task id="b" name="B"/>'
        '<parallelGateway id="j" name="Both"/>' + flow("s", "g", "a", "j") + flow("g", "b", "j")
    )
    verdict = verdict_of(inside)
    assert verdict.word == "does not run"
    assert "'Both' can wait for ever" in whys(verdict, "cannot")


def test_several_starts_are_one_with_the_question_which() -> None:
    inside = (
        '<startEvent id="s" name="By mail"><messageEventDefinition/></startEvent>'
        '<startEvent id="s2" name="By hand"/>'
        '<task id="t" name="Do it"/>' + flow("s", "t") + flow("s2", "t")
    )
    verdict = verdict_of(inside)
    asked = verdict.graphs[0].by_key["decide_how_it_starts"].evidence[0].field
    assert verdict.runs and asked is not None and asked.options == ("By mail", "By hand")


# --- broken and hostile -------------------------------------------------------------------------------------

HEAD = '<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL">'
DEEP = "<subProcess>" * 100 + "</subProcess>" * 100


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("", None, "the file is empty"),
        ("no XML at all", 1, "the XML is broken"),
        (HEAD + "\n<process id='p'>\n<task id='t'></process></definitions>", 3, "the XML is broken"),
        ("<a><b/></a>", 1, "its root is a"),
        ('<Package xmlns="http://www.wfmc.org/2008/XPDL2.1"/>', 1, "XPDL"),
        (HEAD + "</definitions>", None, "the model has no process"),
        (HEAD + "<process id='p'/></definitions>", None, "the model has no process"),
        ('<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + HEAD + "&x;</definitions>", 1, "DOCTYPE"),
        ('<?xml version="1.0"?>\n<!DOCTYPE definitions>' + HEAD + "</definitions>", 2, "DOCTYPE"),
        (HEAD + "&unknown;</definitions>", None, "the XML is broken"),
        (HEAD + "<process id='p'>" + DEEP + "</process></definitions>", 1, "sub-processes 60 deep"),
        (HEAD + "<x>" * 5_000, 1, "the XML is broken"),
    ],
)  # fmt: skip
def test_what_is_no_model_is_refused_with_its_line_and_a_reason(
    text: str, line: int | None, says: str
) -> None:
    with pytest.raises(InputRefused) as refused:
        read(text.encode(), "bad.bpmn")
    problem = refused.value.problems[0]
    assert (problem.file, problem.row) == ("bad.bpmn", line)
    assert says in problem.problem and problem.remedy


def test_a_doctype_in_another_encoding_is_refused_too() -> None:
    text = '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE d [<!ENTITY a "b">]>' + HEAD + "</definitions>"
    with pytest.raises(InputRefused, match="DOCTYPE"):
        read(text.encode("utf-16"))


def test_a_file_beyond_the_limits_is_refused_before_it_is_read() -> None:
    with pytest.raises(InputRefused, match="more than 8 MB"):
        read(b" " * (bpmn.MAX_FILE_BYTES + 1))
    with pytest.raises(InputRefused, match="more than 100,000 elements"):
        read((HEAD + "<process id='p'>" + "<task/>" * 100_001 + "</process></definitions>").encode())


def test_a_flow_to_nowhere_is_said_with_its_line_and_the_rest_is_read() -> None:
    model = model_of(SIMPLE + '\n<sequenceFlow id="x" sourceRef="t" targetRef="gone"/>')
    assert "joins gone" in str(model.problems[0]) and model.problems[0].row == 7
    assert verdicts(model)[0].word == "runs"


def test_two_elements_of_one_id_and_elements_without_one_are_kept_apart() -> None:
    model = model_of(SIMPLE + '<task id="t" name="Twin"/><task name="Nameless"/>')
    assert "two elements have the id t" in str(model.problems[0])
    assert len({e.id for e in model.processes[0].elements}) == 5


def test_a_hundred_thousand_parallel_steps_are_too_many_and_said_at_once() -> None:
    inside = "".join(f'<task id="t{i}"/>' for i in range(2_000))
    verdict = verdict_of(inside)
    assert verdict.word == "does not run" and "at most 500" in str(verdict.notes)


SMALL = [
    p for p in (VISIBLE / n for n in ("A.2.0.bpmn", "A.3.0.bpmn", "A.4.0.bpmn", "C.2.0.bpmn")) if p.exists()
]


TAGS = [b"task", b"subProcess", b"boundaryEvent", b"parallelGateway", b"inclusiveGateway", b"endEvent"]
TAGS += [b"startEvent", b"eventBasedGateway", b"complexGateway", b"adHocSubProcess", b"callActivity", b"x"]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A real model with other kinds of elements, flows that lead elsewhere, and sometimes broken bytes."""
    data = draw(st.sampled_from(SMALL)).read_bytes()
    ids = sorted(set(re.findall(rb' id="([^"]+)"', data)))
    for _ in range(draw(st.integers(0, 4))):
        data = data.replace(draw(st.sampled_from(TAGS)), draw(st.sampled_from(TAGS)))
    for _ in range(draw(st.integers(0, 4))):
        data = data.replace(draw(st.sampled_from(ids)), draw(st.sampled_from(ids)))
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 3]))):
        at, length = draw(st.integers(0, len(data))), draw(st.integers(0, 300))
        other = draw(st.one_of(st.just(b""), st.binary(max_size=3), st.just(data[at : at + length] * 2)))
        data = data[:at] + other + data[at + length :]
    return data


@needs_models
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(mutated())
def test_whatever_is_done_to_a_model_it_is_judged_or_refused(data: bytes) -> None:
    try:
        model = read(data, "mutated.bpmn")
    except InputRefused as refused:
        assert refused.problems[0].file == "mutated.bpmn"
        return
    for verdict in verdicts(model):
        assert verdict.word and (verdict.graphs or verdict.notes)


# --- the command line ---------------------------------------------------------------------------------------


def test_check_says_it_on_the_command_line(tmp_path: Path) -> None:
    app = typer.Typer()
    app.add_typer(procedures.app, name="procedures")
    good, bad = tmp_path / "good.bpmn", tmp_path / "bad.bpmn"
    inside = SIMPLE.replace("<task", "<serviceTask")
    text = f'{HEAD}<process id="p" name="Pay month">\n{inside}</process></definitions>'
    good.write_text(text)
    bad.write_text("<a/>")
    said = CliRunner().invoke(app, ["procedures", "check", str(good)])
    assert said.exit_code == 0, said.output
    assert "Pay month: runs, with differences (3 elements, 3 steps)" in said.output
    assert "a service was to do it; a person does" in said.output
    assert isinstance(CliRunner().invoke(app, ["procedures", "check", str(bad)]).exception, InputRefused)
    missing = CliRunner().invoke(app, ["procedures", "check", str(tmp_path / "none.bpmn")])
    assert "cannot be read" in str(missing.exception)
