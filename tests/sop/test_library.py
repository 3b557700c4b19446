"""Every ready procedure is begun and worked to its end by the people it names, through every step it has.

Those that calculate and pay: the pay and bill week runs in `test_case_pages`, the month in `test_pay_month`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from engineroom.foundation import vault
from engineroom.kernel.errors import NotPermitted
from engineroom.sop import drafts, running, services, timers
from engineroom.sop.graph import Evidence, Step
from engineroom.sop.models import WORKED_KINDS, Case, CaseEvent, Task
from tests.firm import Firm, TestClient
from tests.settlement.bank import Booked, document, statement
from tests.sop.writing import publish_ready

Answers = dict[str, list[str]]
"""What is said to each question, one time after the other; the last goes on being said."""

RUNS: dict[str, list[tuple[dict[str, str], Answers]]] = {
    "bank_reconciliation": [({"through": "2026-10-31"}, {"ask_client": ["yes", "no"]})],
    "client_transition": [
        (
            {"go_live": "2026-11-27"},
            {"gate_1": ["back", "pass"], "gate_2": ["again", "pass"], "agreed": ["no", "yes"]},
        )
    ],
    "document_request": [({"what": "The lease"}, {"right": ["no", "yes"]})],
    "joiner_mover_leaver": [
        ({"person": "Al Green", "change": change, "from_day": "2026-12-01"}, {})
        for change in ("joiner", "mover", "leaver")
    ],
    "month_end_close": [
        (
            {"month_ends": "2026-10-31", "reason": "October is closed"},
            {"correct": ["yes", "no"], "ask_client": ["no"]},
        )
    ],
    "supplier_onboarding": [
        ({"supplier": "Acme"}, {"decision": ["ask again", "accept"]}),
        ({"supplier": "Bent"}, {"decision": ["refuse"]}),
    ],
}


STATEMENT = document(statement([Booked(120_00, "deposit refund", "J Whittaker", "SB1")])).encode()
"""With a line that nothing explains: it stays an exception."""


@pytest.fixture(scope="module")
def desk(firm: Firm) -> TestClient:
    """A client with books, two leads and a contact; everything ready is published."""
    client = firm.new_client()
    client.staff["contact"] = firm.new_user("client")
    firm.grant(client.staff["contact"], client.id, "client_finance")
    client.staff["other lead"] = firm.new_user()
    firm.grant(client.staff["other lead"], client.id, "lead")
    publish_ready(firm, *RUNS)
    return client


def test_every_ready_procedure_is_run_somewhere() -> None:
    assert {*RUNS, "pay_and_bill_week", "pay_month"} == set(drafts.library())


@pytest.mark.parametrize("key", sorted(RUNS))
def test_a_ready_procedure_runs_to_its_end_through_every_step(desk: TestClient, key: str) -> None:
    seen: set[str] = set()
    for values, answers in RUNS[key]:
        with desk.acting("specialist"):
            case_id = services.start_case(key, values=values).case_id
        timers.fire_client(desk.id, running.clock() + timedelta(days=9))  # whoever is asked is late once
        work_off(desk, {k: iter_last(v) for k, v in answers.items()})
        with desk.acting("lead"):
            assert Case.objects.get(client_id=desk.id, id=case_id).state == "done"
            ended = Task.objects.filter(client_id=desk.id, case_id=case_id, state="done")
            seen |= set(ended.values_list("step", flat=True))
            events_say_the_same(desk, case_id)
            graph = drafts.graph_of(drafts.latest(key).id)
    assert seen >= {step.key for step in graph.steps if step.kind in WORKED_KINDS}


def iter_last(values: list[str]) -> Iterator[str]:
    yield from values
    while True:
        yield values[-1]


def work_off(desk: TestClient, answers: dict[str, Iterator[str]]) -> None:
    """Every open step by somebody who may, until nothing of the client's is open."""
    for _ in range(200):
        with desk.acting("lead"):
            found = list(Task.objects.filter(client_id=desk.id, ended_at=None).order_by("id"))
            steps = {t.id: drafts.graph_of(t.case.version_id).by_key[t.step] for t in found}
        if not found:
            return
        worked = [t for t in found if t.kind in WORKED_KINDS]
        if worked:
            do(desk, worked[0], steps[worked[0].id], answers)
        else:
            assert timers.fire_client(desk.id, running.clock() + timedelta(days=400)), found
    raise AssertionError(f"it never ends: {found}")


def do(desk: TestClient, task: Task, step: Step, answers: dict[str, Iterator[str]]) -> None:
    """The step's own role first; where that one did what this must be apart from, a colleague."""
    values = {i.key: value_of(i, answers) for i in step.evidence if i.kind != "file"}
    for who in ("contact",) if task.role == "client" else (task.role, *desk.staff):
        if who not in desk.staff:
            continue
        try:
            with desk.acting(who):
                act(task, step, values)
        except NotPermitted:
            continue
        return
    raise AssertionError(f"nobody may do {task.title}")


def act(task: Task, step: Step, values: dict[str, str]) -> None:
    if task.state == "check":
        services.accept(task.id)
        return
    if task.kind == "command":
        services.run_step(task.id)
        return
    files: dict[str, Any] = {
        i.key: vault.store(
            STATEMENT if i.key == "statement" else b"x", name=i.key, kind="sop.evidence", subject_id=task.id
        ).id
        for i in step.evidence
        if i.kind == "file"
    }
    if task.kind == "client_request":
        services.answer(task.id, values, files)
    else:
        services.complete(task.id, values, list(range(1, len(step.checks) + 1)), files)


def value_of(item: Evidence, answers: dict[str, Iterator[str]]) -> str:
    if item.key in answers:
        return next(answers[item.key])
    if item.kind != "field" or item.field is None:
        return {"link": "https://books.example/1", "hash": "0" * 64}[item.kind]
    known = {"number": "0", "yes_no": "yes", "date": "2026-11-27", "text": "as it should be"}
    return known.get(item.field.type) or item.field.options[0]


def events_say_the_same(desk: TestClient, case_id: UUID) -> None:
    """The timeline alone gives the rows: nothing open, nothing waiting."""
    events = CaseEvent.objects.filter(client_id=desk.id, case_id=case_id).order_by("seq")
    told = running.replay((e.kind, e.task_id, e.step, e.data) for e in events)
    assert not told.open
