"""Running cases between versions: rehearsed, moved together, logged, taken back; evidence stays."""

from __future__ import annotations

from uuid import UUID

import pytest
from django.urls import reverse

from engineroom.foundation import vault
from engineroom.foundation.tenancy.scope import acting
from engineroom.kernel.errors import Conflict, InputRefused, NotFound, NotPermitted
from engineroom.sop import drafts, moving, running, services
from engineroom.sop.models import Case, CaseEvent, CaseMove, Task, TaskEvidence
from tests.firm import Firm, TestClient
from tests.sop.writing import procedure_text
from tests.web.conftest import signed_in

NEW_STEP = "## Look\n```yaml\nwho: lead\n```\n\n## Both"
"""Another step before the branches."""


class Moves:
    """Two versions, and cases of the first: at its first step, asking the client, in its branches."""

    def __init__(self, firm: Firm, client: TestClient, name: str, *changes: tuple[str, str]) -> None:
        self.client = client
        text = procedure_text(name)
        with acting(firm.owner, write=firm.house_id):
            self.old = drafts.publish(text).version_id
        with client.acting("specialist"):
            self.cases = [services.start_case(name, values={"day": "2026-11-27"}) for _ in range(3)]
        for n, case in enumerate(self.cases):
            if n:
                self.collect(case.case_id)
            if n == 2:
                self.done(case.case_id, "ask_the_client", missing="nothing")
        for change in changes:
            text = text.replace(*change)
        with acting(firm.owner, write=firm.house_id):
            self.new = drafts.publish(text).version_id

    def collect(self, case_id: UUID) -> None:
        with self.client.acting("specialist"):
            task = Task.objects.get(client_id=self.client.id, case_id=case_id, step="collect")
            file = vault.store(b"x", name="list.csv", kind="sop.evidence")
            services.complete(task.id, checks=[1], files={"list": file.id})

    def done(self, case_id: UUID, step: str, role: str = "specialist", **values: str) -> services.TaskDone:
        with self.client.acting(role):
            task = Task.objects.get(client_id=self.client.id, case_id=case_id, step=step, ended_at=None)
            return services.complete(task.id, values=values)

    def open(self, n: int) -> list[str]:
        with self.client.acting("lead"):
            rows = Task.objects.filter(client_id=self.client.id, case_id=self.cases[n].case_id, ended_at=None)
            return sorted(rows.values_list("step", flat=True))

    def version(self, n: int) -> UUID:
        with self.client.acting("lead"):
            return Case.objects.get(client_id=self.client.id, id=self.cases[n].case_id).version_id

    def verdicts(self, **decisions: str) -> list[str]:
        with self.client.acting("lead"):
            return [p.verdict for p in moving.dry_run(self.old, self.new, decisions)]

    def move(self, **decisions: str) -> moving.Moved:
        with self.client.acting("lead"):
            return moving.move_cases(self.old, self.new, "a better procedure", decisions)

    def events_say_the_same(self) -> None:
        with self.client.acting("lead"):
            for case in self.cases:
                row = Case.objects.get(client_id=self.client.id, id=case.case_id)
                events = CaseEvent.objects.filter(client_id=self.client.id, case_id=row.id).order_by("seq")
                told = running.replay((e.kind, e.task_id, e.step, e.data) for e in events)
                rows = Task.objects.filter(client_id=self.client.id, case_id=row.id, ended_at=None)
                assert told.open == {(t.id, t.step) for t in rows}
                assert list(told.arrived) == row.arrived


@pytest.mark.behaviour("SOP-02")
def test_what_is_safe_moves_and_goes_on_by_the_new_version(firm: Firm, client: TestClient) -> None:
    at = Moves(firm, client, "moves_safely", ("## Both", NEW_STEP))
    assert at.verdicts() == ["safe"] * 3
    assert at.version(0) == at.old, "a rehearsal moves nothing"
    done = at.move()
    assert (done.moved, done.left) == ([1, 2, 3], {})
    assert [at.version(n) for n in range(3)] == [at.new] * 3
    at.done(at.cases[1].case_id, "ask_the_client", missing="nothing")
    assert at.open(1) == ["look"], "the new step comes next"
    assert at.open(2) == ["count", "pay"]
    at.events_say_the_same()


@pytest.mark.behaviour("SOP-02")
def test_a_step_that_is_gone_needs_a_decision_and_the_others_do_not_wait_for_it(
    firm: Firm, client: TestClient
) -> None:
    at = Moves(firm, client, "moves_decided", ("## Ask the client", "## Ask them"))
    assert at.verdicts() == ["safe", "needs a decision", "safe"]
    with client.acting("lead"):
        [_, asking, _] = moving.dry_run(at.old, at.new)
    assert asking.undecided == ("ask_the_client",)
    assert asking.why == ("where 'Ask the client' goes: the new version has no such step",)
    done = at.move()
    assert done.moved == [1, 3] and list(done.left) == [2]
    assert at.version(1) == at.old
    assert at.verdicts(ask_the_client="ask_them") == ["safe"]
    assert at.move(ask_the_client="ask_them").moved == [2]
    assert at.open(1) == ["ask_them"]
    at.events_say_the_same()


@pytest.mark.behaviour("SOP-02")
def test_what_cannot_be_is_impossible_and_says_why(firm: Firm, client: TestClient) -> None:
    at = Moves(firm, client, "moves_not", ("## Ask the client", "## Ask them"))
    with client.acting("lead"):
        plans = moving.dry_run(at.old, at.new, {"ask_the_client": "collect"})
    assert plans[1].verdict == "impossible"
    assert plans[1].why == (
        "'Ask the client' cannot go to 'Collect': a client_request does not become a task",
    )
    at.done(at.cases[2].case_id, "pay", "lead", reference="R")
    with client.acting("lead"):
        unchecked = procedure_text("moves_not").replace("four_eyes: checker\n", "")
    with acting(firm.owner, write=firm.house_id):
        third = drafts.publish(unchecked).version_id
    with client.acting("lead"):
        why = moving.dry_run(at.old, third)[2].why
    assert why == ("'Pay' waits for a check that the new version has no more: accept it or send it back",)


@pytest.mark.behaviour("SOP-02")
def test_a_move_is_taken_back_with_its_evidence_and_what_was_withdrawn(
    firm: Firm, client: TestClient
) -> None:
    at = Moves(firm, client, "moves_back", ("## Count", "## Reckon"), ("count", "reckon"))
    assert at.verdicts() == ["safe", "safe", "needs a decision"]
    done = at.move(count="-")
    assert done.moved == [1, 2, 3]
    assert at.open(2) == ["pay"]
    with client.acting("lead"):
        task = Task.objects.get(client_id=client.id, case_id=at.cases[2].case_id, step="pay", ended_at=None)
        services.add_evidence(task.id, "reference", "R1")
        back = moving.move_back(done.batch, "the new version was wrong")
    assert (back.moved, back.left) == ([1, 2, 3], {})
    assert [at.version(n) for n in range(3)] == [at.old] * 3
    assert at.open(2) == ["count", "pay"]
    with client.acting("lead"):
        assert TaskEvidence.objects.filter(client_id=client.id, task_id=task.id, value="R1").exists()
        assert (
            CaseMove.objects.filter(client_id=client.id, batch=back.batch, undoes__isnull=False).count() == 3
        )
        again = moving.move_back(done.batch, "once more")
    assert again.moved == [] and set(again.left.values()) == {"it was taken back before"}
    at.events_say_the_same()


def test_a_case_that_went_on_since_is_left_where_it_is(firm: Firm, client: TestClient) -> None:
    at = Moves(firm, client, "moves_on", ("## Both", NEW_STEP))
    done = at.move()
    at.done(at.cases[1].case_id, "ask_the_client", missing="nothing")
    with client.acting("lead"):
        services.cancel_case(at.cases[0].case_id, "not needed")
        back = moving.move_back(done.batch, "wrong")
    assert back.moved == [3]
    assert back.left[1] == "it has ended or moved on since"
    assert "the new version has no such step" in back.left[2]


def test_who_moves_says_why_and_may(firm: Firm, client: TestClient) -> None:
    at = Moves(firm, client, "moves_by", ("## Both", NEW_STEP))
    with client.acting("specialist"), pytest.raises(NotPermitted):
        moving.move_cases(at.old, at.new, "because")
    with client.acting("lead"), pytest.raises(InputRefused, match="reason"):
        moving.move_cases(at.old, at.new, " ")
    with client.acting("lead"), pytest.raises(Conflict, match="same version"):
        moving.move_cases(at.old, at.old, "because")
    with client.acting("lead"), pytest.raises(NotFound):
        moving.move_back(at.old, "because")
    with client.acting("lead"):
        services.cancel_case(at.cases[0].case_id, "gone")
        assert moving.move_cases(at.old, at.new, "because", {}, [3]).moved == [3]


def test_a_rehearsal_says_steps_as_people_call_them(firm: Firm, client: TestClient) -> None:
    """The page offers the newest two versions; what was decided is told of each case."""
    Moves(firm, client, "moves_told", ("## Ask the client", "## Ask them"))
    lena = signed_in(client.staff["lead"])
    page = lena.get(reverse("sop:moves", args=[client.code, "moves_told"])).content.decode()
    assert page.index("<option selected>1</option>") < page.index("<option selected>2</option>")
    where = reverse("sop:rehearse", args=[client.code, "moves_told"])
    told = {"from": "1", "to": "2"}
    page = lena.post(where, {**told, "d-ask_the_client": "ask_them"}).content.decode()
    assert "stays at Collect" in page and "Ask the client to Ask them" in page
    page = lena.post(where, {**told, "d-ask_the_client": "-"}).content.decode()
    assert "Ask the client is no longer needed" in page


def test_why_cases_move_fits_or_is_refused(firm: Firm, client: TestClient) -> None:
    at = Moves(firm, client, "moves_said_at_length", ("## Both", NEW_STEP))
    with client.acting("lead"), pytest.raises(InputRefused, match="the reason has 301 letters"):
        moving.move_cases(at.old, at.new, "x" * 301)
    with client.acting("lead"):
        done = moving.move_cases(at.old, at.new, "x" * 300)
    with client.acting("lead"), pytest.raises(InputRefused, match="the reason has 301 letters"):
        moving.move_back(done.batch, "y" * 301)
    with client.acting("lead"):
        moving.move_back(done.batch, "y" * 300)
        kept = CaseMove.objects.filter(client_id=client.id).values_list("reason", flat=True)
        assert set(kept) == {"x" * 300, "y" * 300}
