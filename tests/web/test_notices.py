"""Notices: what others did with what I had made; counted until I look; no other client's."""

from __future__ import annotations

import re

import pytest

from engineroom.kernel.ids import uuid7
from engineroom.payday import steps
from engineroom.payroll import batch, papers, tasks
from tests.firm import PAY_DATE, Temp, TestClient, approve_payday, hours_file, run_payday, set_up
from tests.web.conftest import signed_in


@pytest.fixture
def calculated(client: TestClient) -> TestClient:
    temps = [Temp("T1")]
    set_up(client, temps)
    client.take("timesheets", hours_file(client, temps))
    steps.calculate(client.staff["specialist"], client.id, PAY_DATE)
    return client


def rows(browser) -> list[str]:
    text = browser.get("/notices").content.decode()
    return [
        " ".join(re.sub("<[^>]+>", " ", row).split()) for row in re.findall("<tr><td>(.*?)</tr>", text, re.S)
    ]


def count(browser) -> str:
    return re.sub("<[^>]+>", "", browser.get("/notices/count").content.decode()).strip()


def test_a_maker_is_told_of_approval_and_release_until_they_look(calculated: TestClient):
    maker = signed_in(calculated.staff["specialist"])
    assert rows(maker) == [] and "Nothing yet" in maker.get("/notices").content.decode()
    approve_payday(calculated)
    assert count(maker) == "Notices 2"
    assert "Notices <b>2</b>" in maker.get("/today").content.decode(), "as it was counted last"
    steps.release(calculated.staff["checker"], calculated.id, PAY_DATE)
    told = rows(maker)
    assert any("Pay run 1 Approved" in row and "New" in row for row in told)
    assert any("Bill run 1 Approved" in row for row in told)
    assert any("Pay run 1 Released" in row for row in told)
    assert count(maker) == "Notices 0"
    assert all("Seen" in row for row in rows(maker))
    text = maker.get("/notices").content.decode()
    assert f'href="/c/{calculated.code}/runs/1"' in text
    assert text.count("<h1") == 1 and 'hx-get="/notices/count"' in text, "the bell asks for the number alone"


def test_nobody_is_told_of_what_they_did_themselves_or_of_what_is_not_theirs(
    calculated: TestClient, other_client: TestClient
):
    approve_payday(calculated)
    for user in (calculated.staff["lead"], calculated.staff["bookkeeper"], other_client.staff["specialist"]):
        assert rows(signed_in(user)) == []


def test_a_recalculation_that_voids_an_approval_stands_out(calculated: TestClient):
    approve_payday(calculated)
    second = [Temp("T2", "Al Smith")]
    set_up(calculated, second)
    calculated.take("timesheets", hours_file(calculated, second, name="more.csv"), role="lead")
    steps.calculate(calculated.staff["lead"], calculated.id, PAY_DATE)
    told = rows(signed_in(calculated.staff["specialist"]))
    assert any("Calculated The approval it had is void" in row for row in told)


def test_a_recalculation_by_a_batch_is_told_as_well(calculated: TestClient):
    batch.run_part(uuid7(), calculated.id, "calculate", PAY_DATE, calculated.staff["lead"])
    told = rows(signed_in(calculated.staff["specialist"]))
    assert len([row for row in told if "Calculated" in row and "void" not in row]) == 1, told


def test_seen_is_one_users_own_and_cannot_be_forged(calculated: TestClient):
    approve_payday(calculated)
    maker = signed_in(calculated.staff["specialist"])
    rows(maker)
    assert count(maker) == "Notices 0"
    cookie = maker.cookies["notices_seen"]
    assert cookie["httponly"] and cookie["samesite"] == "Lax"
    again = signed_in(calculated.staff["specialist"])
    again.cookies["notices_seen"] = cookie.value
    assert count(again) == "Notices 0", "over sign-ins"
    again.cookies["notices_seen"] = "forged" + cookie.value
    assert count(again) == "Notices 2"


def test_whoever_asked_for_papers_is_told_when_all_are_printed(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(papers, "RENDER_AT_ONCE", 1)
    temps = [Temp("T1"), Temp("T2", "Al Smith")]
    set_up(client, temps)
    day = run_payday(client, temps)
    asker = signed_in(client.staff["specialist"])
    rows(asker)
    job = {"client_id": str(client.id), "run_id": str(day.run.id)}
    tasks.print_payslips_job(**job, user_id=str(client.staff["specialist"].id))
    assert count(asker) == "Notices 1", "of its end, not of each part"
    assert [row for row in rows(asker) if "New" in row and "Pay run 1 Payslips issued" in row]
    assert not any("Payslips issued" in row for row in rows(signed_in(client.staff["checker"])))
