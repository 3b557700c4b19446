"""Graphs: written one way, hashed, checked; tokens move as the rules say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engineroom.sop import conditions, graph, machine
from engineroom.sop.conditions import Field, Value
from engineroom.sop.graph import Flow, Graph, Span, Step, canonical, hash_of, read_canonical
from engineroom.sop.problems import Surroundings, problems

FIELDS = (
    Field("amount", "Amount", "number"),
    Field("kind", "Kind", "choice", options=("new", "old")),
    Field("due_on", "Due on", "date", required=False),
)


def made(*lines: str, fields: tuple[Field, ...] = FIELDS, **more: dict[str, object]) -> Graph:
    """Steps and flows from lines like `a:task -> b [amount > 1]`; a target `*b` is the default."""
    steps: dict[str, Step] = {}
    flows: list[Flow] = []
    for row, line in enumerate(lines, 1):
        left, _, right = line.partition("->")
        key, _, kind = left.strip().partition(":")
        steps[key] = Step(key, key.title(), kind, **more.get(key, {}), line=row)  # type: ignore[arg-type]
        for target in (t.strip() for t in right.split(";") if t.strip()):
            name, _, when = target.partition("[")
            flows.append(
                Flow(
                    key,
                    name.strip().lstrip("*"),
                    conditions.parse(when.rstrip("] ")) if when else None,
                    target.startswith("*"),
                    line=row,
                )
            )
    return Graph("p", "P", tuple(steps.values()), tuple(flows), fields)


LINE = ("s:start -> a", "a:task -> e", "e:end")


def counter() -> Callable[[], str]:
    numbers = iter(range(10_000))
    return lambda: f"t{next(numbers)}"


class Walk:
    """A case in memory: which steps are open, and what happens when one of them is done."""

    def __init__(self, g: Graph, **values: Value | None) -> None:
        self.graph, self.new_id, self.values = g, counter(), values
        self.marking = machine.begin(g, self.decide(), self.new_id).marking

    def decide(self) -> machine.Decide:
        return machine.by_values(self.values)

    @property
    def open(self) -> list[str]:
        return sorted(p.step for p in self.marking.places)

    def done(self, step: str) -> machine.Move:
        place = next(p for p in self.marking.places if p.step == step)
        move = machine.leave(self.graph, self.marking, place.id, self.decide(), self.new_id)
        self.marking = move.marking
        return move


def test_a_graph_is_written_one_way_whatever_lines_it_stood_on() -> None:
    """Lines are not what a procedure says."""
    moved = Graph(
        "p",
        "P",
        tuple(Step(s.key, s.title, s.kind, line=(s.line or 0) + 7) for s in made(*LINE).steps),
        made(*LINE).flows,
        FIELDS,
    )
    assert hash_of(moved) == hash_of(made(*LINE))
    assert hash_of(made("s:start -> b", "b:task -> e", "e:end")) != hash_of(moved)


def test_a_graph_is_read_back_as_it_was_written() -> None:
    whole = made(
        "s:start -> c",
        "c:choice -> a [amount > 1000.5]; *e",
        "a:task -> e",
        "late:escalation",
        "e:end",
        a={
            "role": "lead",
            "checks": ("One", "Two"),
            "sla": Span(4, "working_hours"),
            "four_eyes": True,
            "evidence": (
                graph.Evidence("f", "file", "A file"),
                graph.Evidence("kind", "field", "Kind", field=FIELDS[1]),
            ),
            "keeps": (("x", "y"),),
        },
        late={"attached_to": "a", "after": Span(1, "days")},
    )
    assert read_canonical(canonical(whole)) == whole
    assert canonical(read_canonical(canonical(whole))) == canonical(whole)


def test_one_line_of_steps() -> None:
    walk = Walk(made(*LINE))
    assert walk.open == ["a"]
    assert walk.done("a").marking.is_finished


def test_a_choice_takes_the_first_branch_that_holds_else_the_default() -> None:
    g = made(
        "s:start -> c",
        'c:choice -> big [amount > 1000]; new [kind = "new"]; *small',
        "big:task -> e",
        "new:task -> e",
        "small:task -> e",
        "e:end",
    )
    assert Walk(g, amount=Decimal(2000), kind="new").open == ["big"]
    assert Walk(g, amount=Decimal(1000), kind="new").open == ["new"]
    assert Walk(g, amount=None, kind="old").open == ["small"]


def test_what_is_forked_is_joined_once() -> None:
    g = made(
        "s:start -> f", "f:fork -> a; b", "a:task -> j", "b:task -> j", "j:join -> c", "c:task -> e", "e:end"
    )
    walk = Walk(g)
    assert walk.open == ["a", "b"]
    walk.done("b")
    assert walk.open == ["a"]
    walk.done("a")
    assert walk.open == ["c"]
    assert walk.marking.arrived == ()


INCLUSIVE = (
    "s:start -> i",
    'i:inclusive -> a [amount > 1]; b [kind = "new"]; *c',
    "a:task -> m",
    "b:task -> m",
    "c:task -> m",
    "m:inclusive -> d",
    "d:task -> e",
    "e:end",
)


@pytest.mark.parametrize(
    ("values", "opened"),
    [
        ({"amount": Decimal(2), "kind": "new"}, ["a", "b"]),
        ({"amount": Decimal(2), "kind": "old"}, ["a"]),
        ({"amount": Decimal(0), "kind": "old"}, ["c"]),
    ],
)
def test_inclusive_branches_meet_when_all_that_were_taken_have_come(
    values: Mapping[str, Value], opened: list[str]
) -> None:
    walk = Walk(made(*INCLUSIVE), **values)
    assert walk.open == opened
    for step in opened:
        assert "d" not in walk.open
        walk.done(step)
    assert walk.open == ["d"]


def test_a_timer_beside_a_step_withdraws_it_or_runs_along() -> None:
    lines = ("s:start -> a", "a:task -> e", "t:timer -> late", "late:task -> e", "e:end")
    beside = {"attached_to": "a", "after": Span(1, "days")}
    walk = Walk(made(*lines, t=beside))
    assert walk.open == ["a", "t"]
    walk.done("t")
    assert walk.open == ["late"]
    walk = Walk(made(*lines, t={**beside, "interrupting": False}))
    walk.done("t")
    assert walk.open == ["a", "late"]
    walk = Walk(made(*lines, t=beside))
    assert [p.step for p in walk.done("a").withdrawn] == ["t"]
    assert walk.marking.is_finished


def test_in_a_race_the_first_wins() -> None:
    g = made("s:start -> r", "r:race -> w; t", "w:wait -> e", "t:timer -> late", "late:task -> e", "e:end")
    walk = Walk(g)
    assert walk.open == ["t", "w"]
    assert [p.step for p in walk.done("w").withdrawn] == ["t"]
    assert walk.marking.is_finished


def test_an_end_that_terminates_withdraws_everything() -> None:
    g = made(
        "s:start -> f",
        "f:fork -> a; b",
        "a:task -> x",
        "b:task -> e",
        "x:end",
        "e:end",
        x={"terminates": True},
    )
    walk = Walk(g)
    assert [p.step for p in walk.done("a").withdrawn] == ["b"]
    assert walk.marking.is_finished


def told(g: Graph, **around: object) -> list[str]:
    return [f"{p.row}: {p.problem}" for p in problems(g, Surroundings(**around))]  # type: ignore[arg-type]


def test_a_join_of_branches_that_never_both_come_is_found_with_the_way_there() -> None:
    g = made(
        "s:start -> c", "c:choice -> a [amount > 1]; *b", "a:task -> j", "b:task -> j", "j:join -> e", "e:end"
    )
    assert told(g) == ["5: 'J' can wait for ever for a branch that never comes (after A)"]


def test_problems_name_the_line_and_what_to_do() -> None:
    assert told(made("s:start -> a", "a:task -> e", "b:task -> e", "e:end")) == ["3: nothing leads to 'B'"]
    assert told(made("s:start -> a", "a:task -> b", "b:task -> a", "e:end")) == [
        "1: no end is ever reached from 'S'",
        "2: no end is ever reached from 'A'",
        "3: no end is ever reached from 'B'",
        "4: nothing leads to 'E'",
    ]
    assert told(made("s:start -> a", "a:task -> x", "e:end")) == ["2: there is no step x"]
    assert told(made("s:start -> a", "a:task")) == ["None: no end"]
    assert told(
        made("s:start -> c", "c:choice -> a [amount > 1]; e [amount < 1]", "a:task -> e", "e:end")
    ) == ["2: 'C' has no default"]
    assert told(made("s:start -> c", "c:choice -> a [size > 1]; *e", "a:task -> e", "e:end")) == [
        "2: the field size is not declared"
    ]
    assert told(made(*LINE), roles={"lead"}) == ["2: nobody is named who does it"]
    assert told(made(*LINE, a={"role": "boss"}), roles={"lead"}) == ["2: there is no role 'boss'"]
    command = made("s:start -> a", "a:command -> e", "e:end", a={"command": "payroll.fly"})
    assert told(command, commands={"payroll.open_pay_run": [("pay_date", True)]}) == [
        "2: there is no command 'payroll.fly'"
    ]
    short = made("s:start -> a", "a:command -> e", "e:end", a={"command": "payroll.open_pay_run"})
    assert told(short, commands={"payroll.open_pay_run": [("pay_date", True)]}) == [
        "2: payroll.open_pay_run needs pay_date"
    ]


def test_a_circle_in_which_nothing_waits_is_found() -> None:
    g = made("s:start -> c", "c:choice -> d [amount > 1]; *e", "d:choice -> c", "e:end")
    assert any("goes round without a step that waits" in problem for problem in told(g))


def test_a_circle_with_a_task_in_it_is_rework_and_right() -> None:
    g = made("s:start -> a", "a:task -> c", "c:choice -> a [amount > 1]; *e", "e:end")
    assert told(g) == []


# --- conditions

VALUES = st.one_of(
    st.text(st.characters(exclude_characters='"\n', exclude_categories=["Cs", "Cc"]), max_size=8),
    st.decimals(-9999, 9999, places=2),
    st.dates(),
    st.booleans(),
)
COMPARISONS = st.one_of(
    st.builds(
        conditions.Compare, st.sampled_from(["a", "b"]), st.sampled_from(["=", "!=", "<", ">="]), VALUES
    ),
    st.builds(
        conditions.OneOf, st.sampled_from(["a", "b"]), st.lists(VALUES, min_size=1, max_size=3).map(tuple)
    ),
    st.builds(conditions.Known, st.sampled_from(["a", "b"])),
)
CONDITIONS = st.recursive(
    COMPARISONS,
    lambda inner: st.one_of(
        st.builds(conditions.Not, inner),
        st.builds(conditions.AllOf, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(conditions.AnyOf, st.lists(inner, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=5,
)


@given(CONDITIONS)
def test_a_condition_is_read_as_it_is_written(condition: conditions.Condition) -> None:
    text = conditions.write(condition)
    if len(text) <= conditions.LONGEST_CONDITION:
        assert conditions.parse(text) == condition


@given(CONDITIONS, st.fixed_dictionaries({"a": st.none() | VALUES, "b": st.none() | VALUES}))
def test_every_condition_answers_yes_or_no_for_any_values(
    condition: conditions.Condition, values: dict[str, Value | None]
) -> None:
    assert conditions.evaluate(conditions.Not(condition), values) is not conditions.evaluate(
        condition, values
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("amount >", "expected a value"),
        ("amount > 1 or", "expected the name of a field, found 'the end'"),
        ("__import__('os')", "cannot be read"),
        ("amount > 1)", "expected and, or, or the end, found ')'"),
        ("due_on > 2026-02-30", "no day of the calendar"),
        ("(" * 30 + "amount > 1", "20 deep at most"),
        ("a = 1 or " * 80, "at most 500 characters"),
    ],
)
def test_what_cannot_be_read_says_where(text: str, said: str) -> None:
    with pytest.raises(
        conditions.ConditionRefused, match="(?i)" + said.replace(")", r"\)").replace("(", r"\(")
    ):
        conditions.parse(text)


# --- the machine and the search agree

BLOCKS = st.deferred(
    lambda: st.one_of(
        st.just(("task",)),
        st.tuples(st.just("seq"), BLOCKS, BLOCKS),
        st.tuples(st.just("fork"), BLOCKS, BLOCKS),
        st.tuples(st.just("choice"), BLOCKS, BLOCKS),
        st.tuples(st.just("inclusive"), BLOCKS, BLOCKS),
        st.tuples(st.just("loop"), BLOCKS),
    )
)


def build(block: tuple, lines: list[str], after: str, numbers: Callable[[], str]) -> str:
    """Adds a block's lines; returns the key it begins with."""
    me = numbers()
    if block[0] == "task":
        lines.append(f"{me}:task -> {after}")
        return me
    if block[0] == "seq":
        return build(block[1], lines, build(block[2], lines, after, numbers), numbers)
    if block[0] == "loop":
        inner = build(block[1], lines, f"{me}c", numbers)
        lines.append(f"{me}c:choice -> {me}m [amount > 500]; *{after}")
        lines.append(f"{me}m:choice -> {inner}")
        return f"{me}m"
    closing = {"fork": "join", "choice": "choice", "inclusive": "inclusive"}[block[0]]
    one, two = (build(b, lines, f"{me}j", numbers) for b in block[1:])
    lines.append(f"{me}j:{closing} -> {after}")
    if block[0] == "fork":
        lines.append(f"{me}:fork -> {one}; {two}")
    else:
        lines.append(f"{me}:{block[0]} -> {one} [amount > 100]; *{two}")
    return me


def test_a_circle_back_into_a_step_that_branches_and_meets_is_named() -> None:
    """It would wait for the fork around it, whose join waits for it: the circle leads to a step before it."""
    again = made(
        "s:start -> f", "f:fork -> a; i", "a:task -> j", "i:inclusive -> b [amount > 100]; *c", "b:task -> m",
        "c:task -> m", "m:inclusive -> r", "r:choice -> i [amount > 500]; *j", "j:join -> o",
        "o:choice -> f [amount > 900]; *e", "e:end",
    )  # fmt: skip
    found = [p.problem for p in problems(again) if p.severity == "error"]
    assert found and all("can wait for ever for a branch that never comes" in p for p in found)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(BLOCKS, st.integers(0, 2**32))
def test_a_graph_without_problems_always_comes_to_its_end(block: tuple, seed: int) -> None:
    """Whatever is decided, and in whatever order steps are done."""
    lines: list[str] = []
    first = build(block, lines, "e", counter())
    g = made(f"s:start -> {first}", *lines, "e:end")
    assert [p for p in problems(g) if p.severity == "error"] == []
    walk = Walk(g, amount=Decimal(600))
    chance = Random(seed)
    for _ in range(60):
        if walk.marking.is_finished:
            break
        walk.values["amount"] = Decimal(chance.randrange(1000))
        walk.done(chance.choice(walk.open))
        assert not walk.marking.is_stuck
    walk.values["amount"] = Decimal(0)
    for _ in range(200):
        if walk.open:
            walk.done(walk.open[0])
    assert walk.marking.is_finished
