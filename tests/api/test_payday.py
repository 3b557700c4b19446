"""A payday by program, from the file of hours to posted invoices, each step by who may."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.api.conftest import Caller
from tests.firm import PAY_DATE, Firm, Temp, TestClient, hours_file, run_payday, set_up
from tests.settlement.bank import Booked, statement, write

TEMPS = [Temp("T1", "Jo Bloggs"), Temp("T2", "Al Green", hours=("8", "8"))]


@pytest.fixture
def ready(client: TestClient) -> TestClient:
    set_up(client, TEMPS)
    return client


def test_a_payday_from_file_to_posted_invoices(ready: TestClient, caller: Callable[..., Caller]) -> None:
    at = f"/clients/{ready.code}"
    maker, checker, releaser = (caller(ready.staff[r]) for r in ("specialist", "lead", "checker"))
    with hours_file(ready, TEMPS).open("rb") as file:
        seen = maker.upload(f"{at}/imports/timesheets", file)
    assert seen.status == 200 and seen.body["errors"] == 0 and not seen.body["taken"]
    taken = maker.post(f"{at}/import-previews/{seen.body['id']}/take")
    assert taken.status == 200 and taken.body["counts"] and not taken.body["again"]

    run = maker.post(f"{at}/pay-runs", {"pay_date": "2026-11-27"}).body["run_id"]
    done = maker.post(f"{at}/pay-runs/{run}/calculate", key="calculate-1")
    assert done.status == 200 and done.body["payslips"] == 2 and done.body["blockers"] == 0
    assert maker.post(f"{at}/pay-runs/{run}/calculate", key="calculate-1").body == done.body
    bills = maker.post(f"{at}/bill-runs", {"issue_date": "2026-11-27", "through": "2026-11-22"}).body
    assert bills["invoices"] == 1

    shown = checker.get(f"{at}/pay-runs/{run}").body
    assert shown["content_hash"] == done.body["content_hash"] and shown["blockers"] == []
    refused = checker.post(f"{at}/pay-runs/{run}/approve", {"content_hash": "0" * 64})
    assert refused.status == 409 and refused.body["code"] == "ContentChanged"
    own = maker.post(f"{at}/pay-runs/{run}/approve", {"content_hash": shown["content_hash"]})
    assert own.status == 403
    assert checker.post(f"{at}/pay-runs/{run}/approve", {"content_hash": shown["content_hash"]}).status == 200
    to_approve = {"content_hash": bills["content_hash"]}
    assert checker.post(f"{at}/bill-runs/{bills['bill_run_id']}/approve", to_approve).status == 200

    assert checker.post(f"{at}/pay-runs/{run}/release").status == 403, "who approved does not release"
    out = releaser.post(f"{at}/pay-runs/{run}/release", key="release-1")
    assert out.status == 200 and out.body["payments"] == 2 and out.body["net_minor"] > 0
    assert releaser.post(f"{at}/pay-runs/{run}/release", key="release-1").body == out.body
    assert releaser.post(f"{at}/pay-runs/{run}/release").status == 409

    assert checker.post(f"{at}/bill-runs/{bills['bill_run_id']}/issue").status == 403, "who approved"
    issued = releaser.post(f"{at}/bill-runs/{bills['bill_run_id']}/issue").body
    assert issued["net_minor"] == bills["net_minor"]
    assert maker.post(f"{at}/pay-runs/{run}/issue").body["payslips"] == 2
    assert maker.post(f"{at}/bill-runs/{bills['bill_run_id']}/print").body["invoices"] == 1

    invoice = maker.get(f"{at}/invoices").body["items"][0]
    paper = maker.get(f"{at}/invoices/{invoice['id']}/pdf")
    assert paper.raw.startswith(b"%PDF") and paper.headers["Content-Type"] == "application/pdf"
    slip = maker.get(f"{at}/pay-runs/{run}/payslips").body["items"][0]
    explained = maker.get(f"{at}/payslips/{slip['id']}").body
    assert explained["explanation"] and any(f["code"] == "net_pay" for f in explained["figures"])
    assert maker.get(f"{at}/payslips/{slip['id']}/pdf").raw.startswith(b"%PDF")

    balances = maker.get(f"{at}/trial-balance").body["balances"]
    assert sum(b["balance_minor"] for b in balances) == 0 and balances
    thread = maker.get(f"{at}/thread", reference="T1@2026-11-16").body["items"][0]
    kinds = set(_kinds(thread["became"]))
    assert {"hour", "payable", "billable", "payslip", "invoice", "item", "payment", "batch"} <= kinds


def _kinds(node: dict) -> list[str]:  # type: ignore[type-arg]
    return [node["kind"], *(k for branch in node["branches"] for k in _kinds(branch))]


def test_a_run_is_abandoned_and_its_hours_are_given_back(
    ready: TestClient, caller: Callable[..., Caller]
) -> None:
    at = f"/clients/{ready.code}"
    ready.take("timesheets", hours_file(ready, TEMPS))
    maker = caller(ready.staff["specialist"])
    run = maker.post(f"{at}/pay-runs", {"pay_date": "2026-11-27"}).body["run_id"]
    assert maker.post(f"{at}/pay-runs/{run}/calculate").status == 200
    done = maker.post(f"{at}/pay-runs/{run}/abandon", {"reason": "wrong day"})
    assert done.body["timesheets"] == 2


def test_an_entry_is_reversed_and_a_period_is_locked(
    firm: Firm, worked_books: TestClient, caller: Callable[..., Caller]
) -> None:
    at = f"/clients/{worked_books.code}"
    keeper = caller(worked_books.staff["bookkeeper"])
    entry = keeper.get(f"{at}/entries").body["items"][0]["id"]
    lines = keeper.get(f"{at}/entries/{entry}").body["postings"]
    assert sum(p["amount_minor"] for p in lines) == 0
    locked = keeper.post(f"{at}/period-locks", {"through": "2026-12-31", "reason": "year end"})
    assert locked.status == 200
    late = keeper.post(f"{at}/entries/{entry}/reverse", {"day": "2026-12-01", "reason": "x"})
    assert late.status == 409, late.body


def test_a_year_without_tables_is_no_fault_of_the_system(
    ready: TestClient, caller: Callable[..., Caller]
) -> None:
    at = f"/clients/{ready.code}"
    ready.take("timesheets", hours_file(ready, TEMPS))
    maker = caller(ready.staff["specialist"])
    run = maker.post(f"{at}/pay-runs", {"pay_date": "2150-01-09"})
    assert run.status < 500
    if run.status == 200:
        done = maker.post(f"{at}/pay-runs/{run.body['run_id']}/calculate")
        assert 400 <= done.status < 500, done.body


def test_a_bank_line_is_said_by_one_and_approved_by_another(
    ready: TestClient, caller: Callable[..., Caller]
) -> None:
    run_payday(ready, TEMPS)
    amount = 300_00
    file = write(ready.folder, statement([Booked(amount, text="a transfer", reference="B1", day=PAY_DATE)]))
    ready.take("statement", file, role="bookkeeper")
    keeper, lead = caller(ready.staff["bookkeeper"]), caller(ready.staff["lead"])
    at = f"/clients/{ready.code}"
    assert keeper.post(f"{at}/clearing", {"own_account": "main"}).body["exceptions"] == 1
    line = keeper.get(f"{at}/bank-lines").body["items"][0]["id"]
    assert keeper.get(f"{at}/bank-lines/{line}").body["explanation"] is None
    item = keeper.get(f"{at}/open-items", kind="invoice").body["items"][0]

    part = {"item_id": item["id"], "amount_minor": 250_00}
    short = keeper.post(f"{at}/bank-lines/{line}/explain", {"parts": [part], "reason": "they rang"})
    assert short.status == 422 and "is not explained" in short.body["problems"][0]["problem"]
    whole = {"parts": [part], "account": "7900", "reason": "they rang"}
    said = keeper.post(f"{at}/bank-lines/{line}/explain", whole)
    assert said.status == 200, said.body
    seen = lead.get(f"{at}/bank-lines/{line}").body["explanation"]
    assert seen["content_hash"] == said.body["content_hash"]
    assert (seen["parts"], seen["account"], seen["rest_minor"]) == ([part], "7900", 50_00)

    yes = {"content_hash": seen["content_hash"]}
    assert keeper.post(f"{at}/bank-lines/{line}/approve", yes).status == 403
    changed = lead.post(f"{at}/bank-lines/{line}/approve", {"content_hash": "0" * 64})
    assert changed.body["code"] == "ContentChanged"
    assert lead.post(f"{at}/bank-lines/{line}/approve", yes, key="yes").status == 200
    assert lead.post(f"{at}/bank-lines/{line}/approve", yes, key="yes").status == 200, "one key, one approval"
    cleared = keeper.get(f"{at}/bank-lines/{line}").body
    assert (cleared["cleared"], cleared["rule"], cleared["explanation"]) == (True, "by hand", None)

    back = keeper.post(f"{at}/bank-lines/{line}/undo", {"reason": "another invoice"})
    assert back.status == 200 and back.body["reversal_id"]
    again = keeper.post(f"{at}/bank-lines/{line}/explain", {"account": "2900", "reason": "not ours"})
    assert again.status == 200
    assert keeper.post(f"{at}/bank-lines/{line}/withdraw", {"reason": "it is"}).status == 200
    assert keeper.get(f"{at}/bank-lines/{line}").body["explanation"] is None
