"""Cases on pages: begun, claimed, worked by three people, sent back, and found in their inboxes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from engineroom.foundation.approvals.models import Approval
from engineroom.foundation.tenancy.scope import acting
from engineroom.kernel.errors import Conflict
from engineroom.payday import commands, steps
from engineroom.quality import services as quality
from engineroom.settlement.models import BatchStage
from engineroom.sop import drafts, services
from engineroom.sop.hours import WorkingHours
from engineroom.sop.models import Case, Task
from engineroom.sop.running import ZONE
from engineroom.ui.display import format_moment
from tests.firm import PAY_DATE, Firm, Temp, TestClient, hours_file, set_up
from tests.sop.writing import procedure_text, publish_ready
from tests.web.conftest import signed_in


@pytest.fixture(scope="module")
def short(firm: Firm) -> str:
    with acting(firm.owner, write=firm.house_id):
        return drafts.publish(procedure_text("short_page")).key


def button(browser: object, client: TestClient, task: Task, verb: str, **posted: object) -> str:
    where = reverse("sop:task", args=[client.code, task.id, verb])
    answer = browser.post(where, posted, follow=True)  # type: ignore[attr-defined]
    assert answer.status_code == 200, answer.content.decode()[:500]
    return str(answer.content.decode())


def newest(client: TestClient, step: str) -> Task:
    with client.acting("lead"):
        return Task.objects.filter(client_id=client.id, step=step).order_by("-id")[0]


def test_a_case_is_worked_on_pages_by_three_people(client: TestClient, short: str) -> None:
    priya, lena, omar = (signed_in(client.staff[r]) for r in ("specialist", "lead", "checker"))
    page = priya.get(reverse("sop:cases", args=[client.code]), {"procedure": short}).content.decode()
    assert 'type="date" name="f-day"' in page
    begun = priya.post(
        reverse("sop:start", args=[client.code]),
        {"procedure": short, "title": "Week 48", "f-day": "2026-11-27"},
        follow=True,
    ).content.decode()
    assert "Week 48" in begun and "Collect" in begun
    assert "Week 48" in priya.get(reverse("sop:inbox")).content.decode()
    assert "Week 48" in priya.get("/today").content.decode()
    collect = newest(client, "collect")
    assert "is for a specialist" in button(omar, client, collect, "claim")
    assert "It is yours" in button(priya, client, collect, "claim")
    assert "evidence is missing: The list, Everything is there" in button(priya, client, collect, "complete")
    file = SimpleUploadedFile("hours.csv", b"a,b", "text/csv")
    done = button(priya, client, collect, "complete", check="1", **{"f-list": file})
    assert "the clock stands still" in done.lower()
    assert "Ask the client" in priya.get(reverse("sop:inbox")).content.decode()
    button(
        priya, client, newest(client, "ask_the_client"), "complete", **{"f-missing": "by telephone: nothing"}
    )
    said = button(lena, client, newest(client, "pay"), "complete", **{"f-reference": "BACS 1"})
    assert "waits for a second person" in said
    assert (
        "another person accepts it" in lena.get(reverse("sop:case", args=[client.code, 1])).content.decode()
    )
    assert "Check: Pay" in omar.get(reverse("sop:inbox")).content.decode()
    assert "Sent back" in button(omar, client, newest(client, "pay"), "reject", reason="which bank?")
    again = lena.get(reverse("sop:inbox")).content.decode()
    assert "sent back 1 time" in again
    button(lena, client, newest(client, "pay"), "complete", **{"f-reference": "BACS 1, Barclays"})
    assert "Accepted" in button(omar, client, newest(client, "pay"), "accept")
    shown = priya.get(reverse("sop:case", args=[client.code, 1])).content.decode()
    assert "hours.csv" in shown and "which bank?" in shown
    with client.acting("lead"):
        file_id = Task.objects.get(client_id=client.id, id=collect.id)
        assert file_id.state == "done"


def test_a_case_is_cancelled_and_commented_on_its_page(client: TestClient, short: str) -> None:
    with client.acting("specialist"):
        number = services.start_case(short, values={"day": "2026-11-27"}).number
    browser = signed_in(client.staff["lead"])
    where = reverse("sop:of_case", args=[client.code, number, "comment"])
    assert "Rather soon" in browser.post(where, {"text": "Rather soon"}, follow=True).content.decode()
    where = reverse("sop:of_case", args=[client.code, number, "cancel"])
    ended = browser.post(where, {"reason": "begun twice"}, follow=True).content.decode()
    assert "begun twice" in ended and "Cancelled" in ended
    listed = browser.get(reverse("sop:cases", args=[client.code]), {"state": "cancelled"}).content.decode()
    assert "A short one" in listed


def test_a_payday_runs_as_a_case_of_the_pay_and_bill_week(client: TestClient, firm: Firm) -> None:
    """Every step by its own person; what was calculated is what is approved, released, issued and cleared."""
    publish_ready(firm, "pay_and_bill_week")
    temps = [Temp("T1"), Temp("T2", "Al Green", customer="BETA")]
    set_up(client, temps)
    client.take("timesheets", hours_file(client, temps))
    with client.acting("specialist"):
        begun = services.start_case("pay_and_bill_week", values={"pay_date": PAY_DATE.isoformat()})

    def work(role: str, step: str, **what: object) -> services.TaskDone:
        task = newest(client, step)
        with client.acting(role):
            return (
                services.run_step(task.id) if task.kind == "command" else services.complete(task.id, **what)
            )

    work("specialist", "take_in_the_hours", values={"files": "1", "complete": "yes"}, checks=[1])
    work("specialist", "calculate")
    work("specialist", "look_at_the_variances", values={"stands": "yes"}, checks=[1, 2])
    seen = signed_in(client.staff["lead"]).get(reverse("sop:case", args=[client.code, begun.number]))
    assert reverse("payroll:run", args=[client.code, 1]) in seen.content.decode(), (
        "what is approved is a link away"
    )
    assert reverse("billing:run", args=[client.code, 1]) in seen.content.decode()
    work("lead", "approve")
    work("checker", "release")
    work("checker", "issue_the_invoices")
    work("specialist", "make_the_papers")
    shown = {"submission": "S1", "submitted_on": "2026-11-25"}
    assert work("bookkeeper", "submit_the_payment_file", values=shown, checks=[1]).state == "check"
    task = newest(client, "submit_the_payment_file")
    with client.acting("checker"):
        services.accept(task.id)
    work("bookkeeper", "record_the_submission")
    assert work("bookkeeper", "clear_the_bank").case_state == "done"
    with client.acting("lead"):
        day = steps.payday_of(PAY_DATE)
        assert day.run_released and day.issued and day.batch is not None
        before = Approval.objects.filter(client_id=client.id).count()
        kept = Case.objects.get(client_id=client.id, id=begun.case_id).values
        again = commands.approve(PAY_DATE, kept["run_hash"], kept["bill_hash"])
        assert again.run_id == day.run.id, "what was approved and let out elsewhere keeps no step open"  # type: ignore[union-attr]
        assert Approval.objects.filter(client_id=client.id).count() == before
        stage = BatchStage.objects.get(client_id=client.id, batch=day.batch)
        assert (stage.stage, stage.on, stage.evidence) == ("submitted", date(2026, 11, 25), "S1")
        assert (
            Case.objects.get(client_id=client.id, id=begun.case_id).values["run_hash"]
            == bytes(
                day.run.content_hash or b""  # type: ignore[union-attr]
            ).hex()
        )


def test_a_comment_that_does_not_fit_is_refused_on_the_page(client: TestClient, short: str) -> None:
    with client.acting("specialist"):
        number = services.start_case(short, values={"day": "2026-11-27"}).number
    browser = signed_in(client.staff["lead"])
    where = reverse("sop:of_case", args=[client.code, number, "comment"])
    said = browser.post(where, {"text": "x" * 4_001}, follow=True).content.decode()
    assert "the text has 4,001 letters" in said
    assert "x" * 4_000 not in browser.get(reverse("sop:case", args=[client.code, number])).content.decode()


def test_moments_are_shown_and_typed_on_the_clients_own_clock(firm: Firm, short: str) -> None:
    """A client in Tokyo: nobody has to reckon in another's hours, in the case, the list or the inbox."""
    client = firm.new_client()
    tokyo = WorkingHours("Asia/Tokyo")
    with client.acting("lead"):
        quality.set_hours(tokyo.as_dict())
    with client.acting("specialist"):
        number = services.start_case(short, values={"day": "2026-11-27"}).number
    task = newest(client, "collect")
    browser = signed_in(client.staff["specialist"])
    pages = {
        name: browser.get(reverse(name, args=args)).content.decode()
        for name, args in (
            ("sop:case", [client.code, number]), ("sop:cases", [client.code]), ("sop:inbox", [])
        )
    }  # fmt: skip
    for name, page in pages.items():
        assert " JST" in page, name
        assert " UTC" not in page, name
    moment = (datetime.now(ZoneInfo("Asia/Tokyo")) + timedelta(days=30)).replace(
        minute=0, second=0, microsecond=0
    )
    said = button(browser, client, task, "due", due=f"{moment:%Y-%m-%dT%H:%M}", reason="they are closed")
    assert "It is due at another moment" in said
    with client.acting("lead"):
        assert Task.objects.get(client_id=client.id, id=task.id).due_at == moment


def test_a_due_time_is_moved_on_the_page_and_stands_on_the_timeline(client: TestClient, short: str) -> None:
    with client.acting("specialist"):
        number = services.start_case(short, values={"day": "2026-11-27"}).number
    task = newest(client, "collect")
    browser = signed_in(client.staff["specialist"])
    moment = (datetime.now(ZONE) + timedelta(days=30)).replace(hour=16, minute=0, second=0, microsecond=0)
    said = button(browser, client, task, "due", due=f"{moment:%Y-%m-%dT16:00}", reason="the office is closed")
    assert "It is due at another moment" in said and "the office is closed" in said
    page = browser.get(reverse("sop:case", args=[client.code, number])).content.decode()
    assert f"Collect: due {format_moment(moment)}" in page
    assert f'value="{moment:%Y-%m-%dT16:00}"' in page, "the form begins with what stands"
    with client.acting("lead"):
        assert Task.objects.get(client_id=client.id, id=task.id).due_at == moment
    where = reverse("sop:task", args=[client.code, task.id, "due"])
    for due, words in (("soon", "is no day and time"), ("2020-01-01T10:00", "over already")):
        refused = browser.post(where, {"due": due, "reason": "x"}, follow=True)
        assert words in refused.content.decode()


def test_what_waits_by_itself_has_no_due_time_to_move(firm: Firm, client: TestClient) -> None:
    text = "---\nprocedure: waits_by_itself\ntitle: Waits\n---\n## The bank\n```yaml\nwait: statement\n```\n"
    with acting(firm.owner, write=firm.house_id):
        drafts.publish(text + "## Look\n```yaml\nwho: specialist\n```\n")
    with client.acting("specialist"):
        services.start_case("waits_by_itself")
    at, soon = newest(client, "the_bank"), datetime.now(UTC) + timedelta(days=1)
    with client.acting("specialist"), pytest.raises(Conflict, match="waits by itself"):
        services.move_due(at.id, soon, "later")
