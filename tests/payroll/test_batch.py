"""One action over many clients: a job and a result for each; one that fails in the middle stops no other."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

import pytest
from tests.firm import PAY_DATE, Firm, Temp, TestClient, approve_payday, hours_file, set_up
from tests.payroll import months
from tests.web.conftest import signed_in

from engineroom.foundation import columns
from engineroom.foundation.approvals.models import Release
from engineroom.foundation.jobs.worker import run_worker
from engineroom.foundation.tenancy.scope import Identity, acting
from engineroom.kernel.errors import Conflict
from engineroom.kernel.ids import uuid7
from engineroom.openitems.selectors import open_items
from engineroom.payday import steps
from engineroom.payroll import batch, items, selectors, services
from engineroom.payroll.models import Attempt, BatchResult, PayRun

TEMPS = [Temp("T1", "Jo Bloggs"), Temp("T2", "Al Smith")]


@pytest.fixture
def three(firm: Firm) -> list[TestClient]:
    """The first and the last have a week's hours; the one in the middle has nothing that could be paid."""
    clients = [firm.new_client() for _ in range(3)]
    for client in (clients[0], clients[2]):
        set_up(client, TEMPS)
        client.take("timesheets", hours_file(client, TEMPS))
    return clients


def manager(firm: Firm, clients: list[TestClient], role: str = "specialist") -> Identity:
    user = firm.new_user()
    for client in clients:
        firm.grant(user, client.id, role)
    return user


def outcomes(user: Identity, clients: list[TestClient], batch_id: UUID) -> list[str]:
    with acting(user, read=[c.id for c in clients]):
        found = {part.client_id: part.outcome for part in batch.parts(batch_id)}
    return [found.get(client.id, "") for client in clients]


@pytest.mark.behaviour("PAY-13")
def test_a_client_that_fails_in_the_middle_stops_none_of_the_others(
    firm: Firm, three: list[TestClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refusal, and a defect nobody foresaw: both are that client's result, and the rest are calculated."""
    four = [*three, firm.new_client()]
    open_run = services.open_pay_run

    def broken(pay_date: date) -> services.RunOpened:
        if services.current_scope().client_id == four[3].id:
            raise RuntimeError("a defect")
        return open_run(pay_date)

    monkeypatch.setattr(services, "open_pay_run", broken)
    user, batch_id = manager(firm, four), uuid7()
    order = [four[0], four[3], four[1], four[2]]
    assert batch.start(batch_id, [c.id for c in order], "calculate", PAY_DATE, user) == 4
    assert outcomes(user, four, batch_id) == ["queued"] * 4
    run_worker(wait=False)
    assert outcomes(user, four, batch_id) == ["done", "failed", "done", "failed"]
    with acting(user, read=[c.id for c in four]):
        words = {part.client_id: part.words for part in batch.parts(batch_id)}
        runs = selectors.paid_between([c.id for c in four], PAY_DATE, PAY_DATE)
    assert "no approved hours wait" in words[four[1].id] and "defect" in words[four[3].id]
    assert "2 payslips" in words[four[0].id]
    assert {run.client_id: run.state.code for run in runs} == {
        four[0].id: "calculated",
        four[2].id: "calculated",
    }


@pytest.mark.behaviour("PAY-13")
def test_a_run_that_pays_nobody_stops_no_other_of_its_client(firm: Firm) -> None:
    client, june = firm.new_client(), date(2026, 6, 25)
    months.monthly(client, months.people(client, months.Employee()))
    months.open_run(client, june, "bonus")
    assert part_of(firm, client, "calculate", june) == (
        "failed",
        "Run 1: no items are for pay run 1; add what it is to pay first. Run 2: 1 payslip.",
    )
    with client.acting():
        kinds = PayRun.objects.filter(client_id=client.id, published__isnull=False).values_list("kind")
        assert list(kinds) == [("regular",)]


@pytest.mark.behaviour("PAY-13")
def test_a_run_that_is_refused_stops_the_release_of_no_other(firm: Firm) -> None:
    """Its own approver may not release the first; the second is released, with its payment file."""
    client, june = firm.new_client(), date(2026, 6, 25)
    ids = months.people(client, months.Employee("E1"), months.Employee("E2"))
    months.monthly(client, {"E1": ids["E1"]})
    checker = manager(firm, [client], "checker")
    runs = [months.open_run(client, june), months.open_run(client, june, "bonus")]
    with client.acting():
        items.add_pay_item(ids["E2"], "bonus_pay", 500_00, period=june, run_id=runs[1], reason="a good year")
    for run_id, who in zip(runs, (checker, client.staff["lead"]), strict=True):
        months.calculated(client, run_id)
        with acting(who, write=client.id):
            run = services.find_run(run_id)
            services.approve_pay_run(run_id, content_hash=bytes(run.content_hash or b"").hex())
    outcome, words = part_of(firm, client, "release", june, checker)
    assert outcome == "failed" and words.startswith("Run 1: ") and "Run 2: 1 payslip released" in words
    assert "payment file" in words
    with client.acting():
        assert [r.subject_id for r in Release.objects.filter(subject_kind="pay_run")] == [runs[1]]


def test_a_batch_counts_what_keeps_a_run_beside_its_people(firm: Firm) -> None:
    """The run before is calculated and not released: nobody's own problem, and the run is kept by it."""
    client = firm.new_client()
    months.monthly(client, months.people(client, months.Employee()))
    assert part_of(firm, client, "calculate", date(2026, 5, 22)) == ("done", "Run 1: 1 payslip.")
    june = part_of(firm, client, "calculate", date(2026, 6, 25))
    assert june == ("done", "Run 2: 1 payslip, 1 blocker to solve.")


def part_of(
    firm: Firm, client: TestClient, action: str, pay_date: date, user: Identity | None = None
) -> tuple[str, str]:
    """A client's part of a batch: its outcome and words."""
    user, batch_id = user or manager(firm, [client]), uuid7()
    batch.run_part(batch_id, client.id, action, pay_date, user)
    with acting(user, read=[client.id]):
        [part] = batch.parts(batch_id)
    return part.outcome, part.words


def test_a_part_done_twice_is_done_once(firm: Firm, three: list[TestClient]) -> None:
    user, batch_id = manager(firm, three), uuid7()
    for _ in range(2):
        batch.run_part(batch_id, three[0].id, "calculate", PAY_DATE, user)
    with three[0].acting():
        assert BatchResult.objects.filter(client_id=three[0].id).count() == 1
        assert Attempt.objects.filter(client_id=three[0].id).count() == 1
        assert PayRun.objects.get(client_id=three[0].id).published_id is not None


def test_a_release_is_the_persons_own_and_of_what_is_approved_alone(
    firm: Firm, three: list[TestClient]
) -> None:
    for client in (three[0], three[2]):
        steps.calculate(client.staff["specialist"], client.id, PAY_DATE)
    approve_payday(three[0])
    user, batch_id = manager(firm, three, "checker"), uuid7()
    for client in three:
        batch.run_part(batch_id, client.id, "release", PAY_DATE, user)
    assert outcomes(user, three, batch_id) == ["done", "nothing", "nothing"]
    with three[0].acting():
        assert Release.objects.get(client_id=three[0].id, subject_kind="pay_run").user_id == user.id
    with three[2].acting():
        assert not Release.objects.filter(client_id=three[2].id).exists()


def test_who_may_not_release_gets_a_refusal_of_that_client_and_releases_nothing(
    firm: Firm, three: list[TestClient]
) -> None:
    client = three[0]
    steps.calculate(client.staff["specialist"], client.id, PAY_DATE)
    approve_payday(client)
    batch_id = uuid7()
    batch.run_part(batch_id, client.id, "release", PAY_DATE, client.staff["specialist"])
    assert outcomes(client.staff["specialist"], [client], batch_id) == ["failed"]
    with client.acting():
        assert not Release.objects.filter(client_id=client.id).exists()


def test_the_page_begins_a_batch_and_shows_every_clients_result(firm: Firm, three: list[TestClient]) -> None:
    user = manager(firm, three)
    browser = signed_in(user)
    page = browser.get("/pay-batch", {"pay_date": str(PAY_DATE)}).content.decode()
    assert all(client.code in page for client in three) and "Calculate (2)" in page
    form = {"action": "calculate", "pay_date": str(PAY_DATE), "client": [c.code for c in three]}
    back = {"referer": "http://127.0.0.1/pay-batch"}
    answer = browser.post("/pay-batch/start", form, headers=back, follow=True)
    page = answer.content.decode()
    assert "0 of 3" in page and "Queued: 3" in page and "hx-get" in page
    run_worker(wait=False)
    where = answer.redirect_chain[-1][0]
    page = browser.get(where).content.decode()
    assert "Done: 2" in page and "Failed: 1" in page and "no approved hours wait" in page
    assert "every 2s" not in page
    assert signed_in(firm.new_user()).get(where).status_code == 404
    none = browser.post("/pay-batch/start", form | {"client": []}, headers=back, follow=True)
    assert "nothing was begun" in none.content.decode()


def test_a_batch_does_not_pass_silently_over_a_run_that_was_given_up(firm: Firm) -> None:
    client = firm.new_client()
    months.monthly(client, months.people(client, months.Employee()))
    june = date(2026, 6, 25)
    run_id = months.open_run(client, june)
    months.calculated(client, run_id)
    with client.acting():
        services.abandon_pay_run(run_id, reason="the wrong rules")
    user, batch_id = manager(firm, [client]), uuid7()
    batch.run_part(batch_id, client.id, "calculate", june, user)
    with acting(user, read=[client.id]):
        [part] = batch.parts(batch_id)
    assert part.outcome == "failed" and "Run 1 was given up, so it pays nobody" in part.words
    months.calculated(client, run_id)
    batch_id = uuid7()
    batch.run_part(batch_id, client.id, "calculate", june, user)
    assert outcomes(user, [client], batch_id) == ["done"]


def test_a_batch_opens_the_runs_of_schedules_and_is_found_among_earlier_ones(firm: Firm) -> None:
    client = firm.new_client()
    months.monthly(client, months.people(client, months.Employee()))
    user, batch_id, june = manager(firm, [client]), uuid7(), date(2026, 6, 25)
    for _ in range(2):
        batch.run_part(batch_id, client.id, "calculate", june, user)
    with acting(user, read=[client.id]):
        run = PayRun.objects.get(client_id=client.id)
        assert (run.kind, run.pay_date, run.payslips) == ("regular", june, 1)
        [found] = batch.batches([client.id]).rows
    assert (found.id, found.clients, found.done, found.left) == (batch_id, 1, 1, 0)
    shown = signed_in(user).get("/pay-batch/earlier").content.decode()
    assert f"/pay-batch/{batch_id}" in shown and "Calculate" in shown
    stranger = manager(firm, [firm.new_client()])
    assert str(batch_id) not in signed_in(stranger).get("/pay-batch/earlier").content.decode()


@pytest.mark.parametrize("few_rows", [0, columns.FEW_ROWS])
def test_clients_one_after_the_other_are_calculated_and_released_by_the_same_statements(
    firm: Firm, monkeypatch: pytest.MonkeyPatch, few_rows: int
) -> None:
    """Planned once for all, also where rows come by a table that each transaction makes anew."""
    monkeypatch.setattr(columns, "FEW_ROWS", few_rows)
    june, clients = date(2026, 6, 25), [firm.new_client() for _ in range(3)]
    for n, client in enumerate(clients, 1):
        staff = (months.Employee(f"E{i}", salary=i * 12_000_00) for i in range(1, n + 1))
        months.monthly(client, months.people(client, *staff))
    user, checker = manager(firm, clients), manager(firm, clients, "checker")
    for action, who in (("calculate", user), ("release", checker)):
        batch_id = uuid7()
        for client in clients:
            batch.run_part(batch_id, client.id, action, june, who)
            if action == "calculate":
                with client.acting("lead"):
                    run = PayRun.objects.get(client_id=client.id)
                    services.approve_pay_run(run.id, content_hash=bytes(run.content_hash or b"").hex())
        assert outcomes(who, clients, batch_id) == ["done"] * 3
    for n, client in enumerate(clients, 1):
        with client.acting("lead"):
            run = PayRun.objects.select_related("published").get(client_id=client.id)
            paid = {slip.payroll_number: slip.figures["gross"] for slip in selectors.payslips(run)}
            assert paid == {f"E{i}": i * 1_000_00 for i in range(1, n + 1)}
            assert open_items(kind="net_pay") == []  # all of it is in the payment file


def test_a_program_begins_a_batch_once_for_its_key(firm: Firm) -> None:
    client = firm.new_client()
    user = manager(firm, [client])
    with acting(user, read=[client.id], write=client.id):
        first = batch.begin("k1", [client.id], "calculate", PAY_DATE, user)
        assert batch.begin("k1", [client.id], "calculate", PAY_DATE, user) == first
        assert len(batch.parts(first)) == 1
        with pytest.raises(Conflict, match="another batch"):
            batch.begin("k1", [client.id], "ask", PAY_DATE, user)
        with pytest.raises(Conflict, match="another batch"):
            batch.begin("k1", [client.id], "calculate", PAY_DATE + timedelta(days=7), user)
        assert [row.left for row in batch.batches([client.id]).rows] == [1]
    run_worker(wait=False)
    with acting(user, read=[client.id]):
        assert [row.failed for row in batch.batches([client.id]).rows] == [1]
        assert batch.begin("k1", [client.id], "calculate", PAY_DATE, user) == first
        with pytest.raises(Conflict, match="another batch"):  # its job is gone; its result says the day
            batch.begin("k1", [client.id], "calculate", PAY_DATE + timedelta(days=7), user)


def test_a_narrowed_token_does_no_more_by_a_job_than_by_hand(firm: Firm, three: list[TestClient]) -> None:
    client = three[0]
    checker = manager(firm, [client], "checker")
    steps.calculate(client.staff["specialist"], client.id, PAY_DATE)
    approve_payday(client)
    narrowed, batch_id = replace(checker, verbs=frozenset({"read", "approve"})), uuid7()
    with acting(checker, write=client.id):
        batch.start(batch_id, [client.id], "release", PAY_DATE, narrowed)
    run_worker(wait=False)
    assert outcomes(checker, [client], batch_id) == ["failed"]
    with client.acting():
        assert not Release.objects.filter(client_id=client.id).exists()
    other, batch_id = three[2], uuid7()
    with other.acting():
        reader = replace(other.staff["specialist"], verbs=frozenset({"read"}))
        batch.start(batch_id, [other.id], "calculate", PAY_DATE, reader)
    run_worker(wait=False)
    assert outcomes(reader, [other], batch_id) == ["failed"]
    with other.acting():
        assert not PayRun.objects.filter(client_id=other.id).exists()
