"""Templates written, published and followed; a client's own values; what differs, and bringing it in line."""

from __future__ import annotations

import re
import textwrap
from dataclasses import replace
from datetime import date
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from engineroom.foundation import templated
from engineroom.foundation.access import services as access
from engineroom.foundation.audit.models import AuditEvent
from engineroom.foundation.tenancy.scope import acting
from engineroom.kernel.errors import Conflict, InputRefused, NotFound, NotPermitted
from engineroom.kernel.ids import uuid7
from engineroom.leave import entitling
from engineroom.leave.models import LeaveKind, Policy
from engineroom.ledger.models import Account
from engineroom.payroll import account_map, schedules
from engineroom.payroll.models import PaySchedule
from engineroom.people.accounts import set_account_policy
from engineroom.people.selectors import holds_first_accounts
from engineroom.quality.clocks import terms_of
from engineroom.quality.services import promise
from engineroom.templates import document, drafts, engine, selectors, services
from engineroom.templates.models import Following, OwnValue, Template, Version
from tests.firm import Firm, TestClient, connect, enter
from tests.templates.writing import MONTHLY, USUAL, changed, published, text_of

STARTS = date(2026, 12, 1)


@pytest.fixture(scope="module")
def usual(firm: Firm) -> drafts.Published:
    """Everything that a template may say, published."""
    return published(firm)


def following(client: TestClient, version: drafts.Published) -> services.Applied:
    with client.acting("lead"):
        services.follow(version.key, number=version.number, reason="as agreed")
        return services.apply_template(STARTS)


def compared(client: TestClient) -> selectors.Compared:
    with client.acting("lead"):
        return selectors.compared_here()


def states(client: TestClient) -> set[str]:
    return {line.value.state for line in compared(client).lines}


# --- documents ------------------------------------------------------------------------------------------


def told(text: str) -> list[str]:
    return [f"{p.row}: {p.problem}" for p in document.check(text).problems]


def test_a_document_says_what_stands_in_it_in_one_form():
    text = text_of(
        "t", {"Pay schedules": MONTHLY, "Promises": {"all_others": {"name": "P", "minutes": "20.0"}}}
    )
    checked = document.check(text)
    assert not checked.problems and checked.template is not None
    assert checked.template.parts["promises"]["all_others"]["minutes"] == "20"
    assert checked.template.parts["pay_schedules"]["MONTHLY"]["anchor"] == "2026-04-01"
    assert document.read_canonical(document.canonical(checked.template)) == checked.template


def test_the_order_in_which_a_document_says_things_does_not_matter():
    backwards = {
        part: {item: dict(reversed(fields.items())) for item, fields in reversed(items.items())}
        for part, items in reversed(USUAL.items())
    }
    one, other = document.check(text_of("t", USUAL)), document.check(text_of("t", backwards))
    assert one.sha256 == other.sha256 != ""


def test_the_example_of_the_documentation_can_be_published():
    page = (Path(__file__).parents[2] / "docs" / "templates.md").read_text(encoding="utf-8")
    start = page.index("    ---\n")
    block = page[start : page.index("\nEach heading is a part", start)]
    checked = document.check(textwrap.dedent(block).strip())
    assert checked.problems == () and checked.template is not None
    assert set(checked.template.parts) == set(templated.PARTS)


def test_the_documentation_names_every_part_and_field():
    page = (Path(__file__).parents[2] / "docs" / "templates.md").read_text(encoding="utf-8")
    for part in templated.parts():
        row = next(line for line in page.split("\n") if line.startswith(f"| {part.title} |"))
        named = set(re.findall(r"[a-z_]+", row))
        assert {field.name for field in part.fields} <= named, part.key


def test_every_problem_is_told_at_its_line():
    front = "---\ntemplate: t\ntitle: T\ncountry: gb\n---\n"
    assert told("nothing") == ["1: the front is missing"]
    assert told(front) == ["6: nothing is said"]
    assert told(front.replace("gb", "zz") + "## Promises\n")[0].startswith("4: ")
    assert told(front + "## Wages\n")[0] == "6: a template says nothing of 'Wages'"
    table = "## Pay schedules\n```yaml\nM:\n  name: M\n  frequency: fortnightly\n  colour: red\n```\n"
    assert told(front + table) == [
        "8: frequency: 'fortnightly' is none of weekly, biweekly, four_weekly, semi_monthly, monthly, "
        "quarterly, semi_annual, annual",
        "8: a pay schedule has no 'colour'",
        "8: M has no frequency",
        "8: M has no anchor",
        "8: M has no pay_rule",
    ]


@pytest.mark.parametrize(
    ("part", "item", "fields", "problem"),
    [
        ("Pay schedules", "M" * 21, MONTHLY["MONTHLY"], "is not a code"),
        ("Pay schedules", "M", MONTHLY["MONTHLY"] | {"anchor": "2026-04-31"}, "is not a day"),
        ("Pay schedules", "M", MONTHLY["MONTHLY"] | {"frequency": "weekly"}, "paid on one day"),
        ("Leave kinds", "holiday", {"of": "law"}, "the law has no kind"),
        ("Leave kinds", "annual", {"of": "client", "label": "Mine"}, "is a kind of the law"),
        ("Leave kinds", "annual", {"of": "law", "unit": "hours"}, "is of the law, which says its unit"),
        ("Leave kinds", "annual", {"of": "law", "holidays": "FRA"}, "FRA"),
        ("Leave entitlements", "annual", {"weeks": "60"}, "weeks is 60"),
        ("Account holds", "wallets", {"hold_first": "yes"}, "nothing called"),
        ("Account map", "cost.nothing", {"account": "1"}, "is no line"),
        ("Account map", "owed.paye SALES", {"account": "1"}, "cost centre"),
        ("Promises", "all_others", {"name": "P", "minutes": "0"}, "cannot be promised"),
        ("Promises", "all_others", {"name": "P", "minutes": "7.5"}, "cannot be promised"),
        ("Working hours", "desk", {"zone": "Mars/North", "week": "Mon-Fri 09:00-17:00"}, "time zone"),
        ("Working hours", "desk", {"zone": "Europe/London", "week": "Mon 9:00-12:00"}, "written otherwise"),
    ],
)
def test_what_a_room_would_refuse_is_a_problem_of_the_document(part, item, fields, problem):
    found = told(text_of("t", {part: {item: fields}}))
    assert len(found) >= 1 and any(problem in one for one in found), found


def test_a_version_is_frozen_under_its_hash_and_says_nothing_twice(firm: Firm):
    first = published(firm)
    with acting(firm.owner, write=firm.house_id):
        row = Version.objects.get(id=first.version_id)
        assert document.hash_of(drafts.template_of(row.id)) == row.sha256
        with pytest.raises(Conflict, match="says exactly this already"):
            drafts.publish(text_of(first.key, USUAL))
        with pytest.raises(InputRefused):
            drafts.publish(text_of(first.key, {"Wages": {"a": {"b": "c"}}}))
    author = firm.new_user()
    firm.grant(author, firm.house_id, "lead")
    with acting(author, write=firm.house_id):
        kept = drafts.save_draft(text_of(first.key, {"Wages": {"a": {"b": "c"}}}))
        assert kept.errors
        with pytest.raises(drafts.DraftMoved):
            drafts.save_draft(text_of(first.key, USUAL), begun_from="0" * 64)
    second = published(firm, changed(Promises={"all_others": {"minutes": "480"}}), first.key)
    assert second.number == 2
    with acting(firm.owner, read=[firm.house_id]):
        parts = [drafts.template_of(v.version_id).parts for v in (first, second)]
    [one] = engine.between(*parts)
    assert (one.part, one.item, one.field, one.before, one.after) == (
        "promises", "all_others", "minutes", "960", "480",
    )  # fmt: skip


def test_templates_are_written_in_the_house_alone(client: TestClient):
    with client.acting("lead"), pytest.raises(NotPermitted, match="from the house client only"):
        drafts.save_draft(text_of("mine", USUAL))


# --- following ------------------------------------------------------------------------------------------


def test_a_new_client_gets_everything_that_its_template_says(client: TestClient, usual: drafts.Published):
    done = following(client, usual)
    assert (done.outcome, done.cannot, len(done.changed)) == ("done", [], 9)
    assert states(client) == {"same"}
    with client.acting("lead"):
        assert Account.objects.filter(client_id=client.id, code="7100", type="expense").exists()
        assert account_map.map_of(STARTS).mapped[("cost.bonus_pay", "")] == "7100"
        row = PaySchedule.objects.get(client_id=client.id)
        assert (row.code, row.cut_off_days) == ("MONTHLY", 5)
        assert set(LeaveKind.objects.values_list("code", flat=True)) == {"annual", "birthday"}
        policy = Policy.objects.get(kind__code="annual", ends=None)
        assert (policy.weeks_ppm, policy.carry_months, policy.starts) == (6_000_000, 3, STARTS)
        assert holds_first_accounts()
        standing = terms_of(client.id)
        assert standing.promises[""][-1][1].budget_s == 16 * 3600
        assert standing.hours[-1][1].week_in_words() == "Mon-Fri 09:00-17:00"
        # Through the rooms' own commands: each left its row in the trail, under the one that applied them.
        events = AuditEvent.objects.filter(client_id=client.id, verb="payroll.add_pay_schedule")
        assert events.count() == 1 and "templates.apply_template" in events.get().detail["key"]


def test_applied_again_nothing_is_done(client: TestClient, usual: drafts.Published):
    following(client, usual)
    with client.acting("lead"):
        again = services.apply_template(STARTS)
    assert (again.outcome, again.changed, again.cannot) == ("nothing", [], [])


def test_what_a_client_has_otherwise_is_kept_with_why_and_applied(
    client: TestClient, usual: drafts.Published
):
    with client.acting("lead"):
        services.follow(usual.key, reason="as agreed")
        services.have_otherwise(
            "pay_schedules", "MONTHLY", "cut_off_days", "3", reason="their clerk comes on Fridays"
        )
        services.be_without("leave_kinds", "birthday", reason="not in their contracts")
        done = services.apply_template(STARTS)
        assert PaySchedule.objects.get(client_id=client.id).cut_off_days == 3
        assert not LeaveKind.objects.filter(code="birthday").exists()
    assert done.outcome == "done"
    assert any("cut_off_days 3, not 5: their clerk comes on Fridays" in line for line in done.kept)
    assert any("this client is without it: not in their contracts" in line for line in done.kept)
    assert states(client) == {"same", "own", "without"}
    own = {line.value.address: line.own for line in compared(client).own}
    row = own[("pay_schedules", "MONTHLY", "cut_off_days")]
    assert row is not None and row.by_user_id == client.staff["lead"].id


def test_an_own_value_is_checked_as_the_documents_are(client: TestClient, usual: drafts.Published):
    with client.acting("lead"):
        services.follow(usual.key, reason="as agreed")
        for part, item, field, value, error in (
            ("pay_schedules", "MONTHLY", "cut_off_days", "many", InputRefused),
            ("pay_schedules", "MONTHLY", "cut_off_days", "99", InputRefused),
            ("pay_schedules", "MONTHLY", "cut_off_days", "5", Conflict),
            ("pay_schedules", "MONTHLY", "proration", "hours", NotFound),
            ("pay_schedules", "WEEKLY", "name", "W", NotFound),
            ("no_part", "x", "y", "z", NotFound),
        ):
            with pytest.raises(error):
                services.have_otherwise(part, item, field, value, reason="why not")
        with pytest.raises(InputRefused, match="no reason"):
            services.have_otherwise("pay_schedules", "MONTHLY", "cut_off_days", "3", reason=" ")
        with pytest.raises(NotFound):
            services.have_as_template("pay_schedules", "MONTHLY", "cut_off_days", reason="never was")


def test_what_never_changes_is_said_and_the_rest_is_changed_all_the_same(
    client: TestClient, usual: drafts.Published
):
    with client.acting("specialist"):
        schedules.add_pay_schedule(
            "MONTHLY",
            "Monthly",
            frequency="monthly",
            anchor=date(2026, 4, 1),
            pay_rule="day_of_month",
            pay_day=25,
        )
    done = following(client, usual)
    assert done.outcome == "partly" and len(done.cannot) == 1
    assert (
        "pay_rule last_banking_day, was day_of_month" in done.cannot[0] and "never changes" in done.cannot[0]
    )
    assert len(done.changed) == 8
    [rule, *_] = [line for line in compared(client).open if line.value.field == "pay_rule"]
    assert rule.why_not and not rule.by_hand
    with client.acting("lead"):
        services.accept_as_own("pay_schedules", "MONTHLY", "pay_rule", reason="paid on the 25th for ever")
        services.accept_as_own("pay_schedules", "MONTHLY", "cut_off_days", reason="no cut-off agreed")
    assert not compared(client).open


def test_what_somebody_changed_by_hand_is_a_drift_to_accept_or_to_put_back(
    client: TestClient, usual: drafts.Published
):
    following(client, usual)
    with client.acting("lead"):
        set_account_policy(False, reason="by hand")
        kind = LeaveKind.objects.get(code="annual")
        entitling.set_policy(kind.id, date(2027, 1, 1), weeks_ppm=7_000_000)
    drifted = {line.value.address[1:]: line for line in compared(client).by_hand}
    assert ("bank_accounts", "hold_first") in drifted and ("annual", "weeks") in drifted
    assert drifted[("annual", "weeks")].value.stands == "7"
    with client.acting("lead"):
        services.accept_as_own("entitlements", "annual", "weeks", reason="agreed with their staff")
        back = services.apply_template(STARTS, only=["account_holds/bank_accounts"], reason="put back")
        assert len(back.changed) == 1 and holds_first_accounts()
        with pytest.raises(NotFound):
            services.apply_template(STARTS, only=["account_holds/other"])
        services.have_as_template("entitlements", "annual", "weeks", reason="as everybody again")
    [weeks] = [line for line in compared(client).open if line.value.field == "weeks"]
    assert not weeks.by_hand  # wanted anew, and not applied since


def test_a_line_that_is_mapped_from_a_later_day_is_not_called_done(
    client: TestClient, usual: drafts.Published
):
    with client.acting("lead"):
        account_map.map_accounts(
            [account_map.Mapped("cost.bonus_pay", "5010", date(2027, 4, 1))], reason="from April"
        )
    done = following(client, usual)
    [refused] = done.cannot
    assert "cost.bonus_pay" in refused and "mapped from 2027-04-01 to account 5010 already" in refused
    with client.acting("lead"):
        assert account_map.map_of(STARTS).mapped.get(("cost.bonus_pay", "")) is None
        again = services.apply_template(date(2027, 4, 1))
        assert (again.outcome, again.cannot) == ("done", [])
        assert account_map.map_of(date(2027, 4, 1)).mapped[("cost.bonus_pay", "")] == "7100"


def test_a_promise_of_twenty_minutes_is_kept_and_not_a_third_of_an_hour(firm: Firm, client: TestClient):
    version = published(firm, {"Promises": {"all_others": {"name": "At once", "minutes": "20"}}})
    with client.acting("lead"):
        promise("At once", 20 * 60, reason="as agreed")
    done = following(client, version)
    assert (done.outcome, states(client)) == ("nothing", {"same"})


def test_a_later_version_leaves_a_client_behind_until_it_is_moved(firm: Firm, client: TestClient):
    first = published(firm)
    following(client, first)
    second = published(firm, changed(Promises={"all_others": {"minutes": "480"}}), first.key)
    with client.acting("lead"):
        now = selectors.followed()
        assert now is not None and now.is_behind and (now.version.number, now.latest) == (1, 2)
        [listed] = [row for row in selectors.templates() if row.key == first.key]
        assert (listed.clients, listed.behind) == (1, 1)
        moved = services.follow(first.key, reason="the new version")
        assert moved.number == second.number
        [line] = selectors.compared_here().open
        assert (line.value.stands, line.value.wanted, line.by_hand) == ("960", "480", False)
        services.apply_template(STARTS)
        assert not selectors.compared_here().open
        with pytest.raises(Conflict, match="already"):
            services.follow(first.key, reason="again")
        services.stop_following(reason="they leave us")
        assert selectors.followed() is None
        with pytest.raises(Conflict):
            services.apply_template(STARTS)


def test_a_rehearsal_says_what_would_be_and_leaves_nothing(client: TestClient, usual: drafts.Published):
    with client.acting("lead"):
        before = _rows(client)
        rehearsed = services.rehearse(usual.key, None, STARTS)
        assert _rows(client) == before
        assert selectors.followed() is None
    done = following(client, usual)
    assert (rehearsed.outcome, rehearsed.changed, rehearsed.cannot) == (
        done.outcome,
        done.changed,
        done.cannot,
    )


def _rows(client: TestClient) -> list[int]:
    models = (Account, PaySchedule, LeaveKind, Policy, Following, OwnValue, AuditEvent)
    return [model.objects.filter(client_id=client.id).count() for model in models]


def test_what_a_role_may_not_do_in_a_room_is_said_and_not_done(
    firm: Firm, client: TestClient, usual: drafts.Published, monkeypatch: pytest.MonkeyPatch
):
    """Whoever applies needs each room's own permission: here the ledger refuses in the middle."""

    def refuse(changes, starts, reason):
        raise NotPermitted("no")

    part = templated.PARTS["accounts"]
    monkeypatch.setitem(templated.PARTS, "accounts", replace(part, apply=refuse))
    done = following(client, usual)
    assert done.outcome == "partly"
    assert any("permission ledger.prepare" in line for line in done.cannot)
    assert any("which the book does not have" in line for line in done.cannot), "the map needs the account"


@pytest.mark.parametrize("role", ["specialist", "bookkeeper", "checker", "owner"])
def test_only_a_lead_says_what_a_client_follows(client: TestClient, usual: drafts.Published, role: str):
    with client.acting(role), pytest.raises(NotPermitted):
        services.follow(usual.key, reason="as agreed")


def test_a_version_of_another_country_is_not_followed(
    firm: Firm, client: TestClient, usual: drafts.Published
):
    with acting(firm.owner, write=firm.house_id):
        row = Version.objects.get(id=usual.version_id)
    assert row.content.count('"country":"gb"') == 1
    with connect() as app:
        enter(app, client.staff["lead"], write=client.id)
        with pytest.raises(psycopg.Error, match="no such version of a template for the country"):
            insert_following(app, client, uuid7())


# --- guards, by raw SQL ---------------------------------------------------------------------------------


def insert_following(
    app: psycopg.Connection, client: TestClient, version_id: UUID, reason: str = "said"
) -> None:
    app.execute(
        "INSERT INTO templates_following (id, client_id, version_id, reason, by_user_id) "
        "VALUES (%s, %s, %s, %s, %s)",
        [uuid7(), client.id, version_id, reason, uuid7()],
    )


def test_who_said_it_is_written_by_the_database(client: TestClient, usual: drafts.Published):
    lead = client.staff["lead"]
    with connect() as app:
        enter(app, lead, write=client.id)
        insert_following(app, client, usual.version_id)
        assert app.execute(
            "SELECT by_user_id FROM templates_following WHERE client_id = %s", [client.id]
        ).fetchone() == (lead.id,)
        app.rollback()


def insert_outcome(app: psycopg.Connection, client: TestClient, outcome: str) -> None:
    app.execute(
        "INSERT INTO templates_outcome (id, client_id, batch_id, action, version_id, outcome, words, "
        "changed, kept, cannot, cannot_items, by_user_id, at) "
        "VALUES (%s, %s, %s, 'apply', %s, %s, '', '{}', '{}', '{}', '{}', %s, '2001-01-01')",
        [uuid7(), client.id, uuid7(), uuid7(), outcome, uuid7()],
    )


def test_who_did_it_and_when_is_written_by_the_database(client: TestClient):
    by_hand, by_job = client.staff["lead"], client.staff["specialist"]
    for user, on_behalf, outcome, who in (
        (by_hand, None, "done", by_hand),
        (access.system_user(), by_job, "failed", by_job),
    ):
        with connect() as app:
            entered = [user.id, on_behalf.id if on_behalf else None, client.id]
            app.execute("SELECT app_enter(%s, %s, 'firm', '{}', %s)", entered)
            insert_outcome(app, client, outcome)
            found = app.execute(
                "SELECT by_user_id, at > now() - interval '1 hour' FROM templates_outcome "
                "WHERE client_id = %s",
                [client.id],
            ).fetchall()
            assert found == [(who.id, True)]
            app.rollback()


def test_nobody_without_the_permission_says_that_a_client_was_changed(client: TestClient):
    with connect() as app:
        enter(app, client.staff["specialist"], write=client.id)
        with pytest.raises(psycopg.Error, match="may prepare templates"):
            insert_outcome(app, client, "done")


@pytest.mark.parametrize("table", ["templates_following", "templates_ownvalue"])
def test_nobody_without_the_permission_says_anything_of_templates(
    client: TestClient, usual: drafts.Published, table: str
):
    with connect() as app:
        enter(app, client.staff["specialist"], write=client.id)
        with pytest.raises(psycopg.Error, match="may prepare templates"):
            if table == "templates_following":
                insert_following(app, client, usual.version_id)
            else:
                insert_own(app, client)


def insert_own(app: psycopg.Connection, client: TestClient, reason: str = "said") -> None:
    app.execute(
        "INSERT INTO templates_ownvalue "
        "(id, client_id, part, item, field, value, stands, reason, by_user_id) "
        "VALUES (%s, %s, 'p', 'i', 'f', 'v', true, %s, %s)",
        [uuid7(), client.id, reason, uuid7()],
    )


def test_nothing_is_had_otherwise_without_a_reason(client: TestClient):
    with connect() as app:
        enter(app, client.staff["lead"], write=client.id)
        with pytest.raises(psycopg.Error, match="not said why"):
            insert_own(app, client, reason=" ")


@pytest.mark.parametrize("change", ["UPDATE {} SET reason = 'another'", "DELETE FROM {}"])
@pytest.mark.parametrize("table", ["templates_following", "templates_ownvalue"])
def test_what_was_said_is_never_changed(client: TestClient, usual: drafts.Published, table: str, change: str):
    with client.acting("lead"):
        services.follow(usual.key, reason="as agreed")
        services.be_without("leave_kinds", "birthday", reason="not theirs")
    for role in ("default", "owner"):
        with connect(role) as app:
            if role == "default":
                enter(app, client.staff["lead"], write=client.id)
            with pytest.raises(psycopg.Error) as refused:
                app.execute(change.format(table))
                if role == "owner":  # its rows are hidden from it, so nothing is there to be refused
                    raise psycopg.errors.InsufficientPrivilege
            assert refused.value.sqlstate in ("42501", "ER403", None) or "history" in str(refused.value)


def test_a_version_is_what_its_hash_says_and_comes_in_order(firm: Firm, usual: drafts.Published):
    insert = (
        "INSERT INTO templates_version (id, template_id, number, source, content, sha256, note) "
        "SELECT %s, template_id, %s, source, content || %s, sha256, '' FROM templates_version WHERE id = %s"
    )
    for number, more, words in ((2, " ", "not what its hash says"), (5, "", "the next version is number 2")):
        with connect() as app:
            enter(app, firm.owner, write=firm.house_id)
            with pytest.raises(psycopg.Error, match=words):
                app.execute(insert, [uuid7(), number, more, usual.version_id])
    with connect() as app:
        enter(app, firm.owner, write=firm.house_id)
        with pytest.raises(psycopg.Error):
            app.execute("UPDATE templates_version SET note = 'x' WHERE id = %s", [usual.version_id])


def test_a_version_is_published_by_whoever_may_in_the_house(
    firm: Firm, client: TestClient, usual: drafts.Published
):
    with connect() as app:
        enter(app, client.staff["lead"], write=client.id)
        with pytest.raises(psycopg.Error, match="may approve templates in the house"):
            app.execute(
                "INSERT INTO templates_version (id, template_id, number, source, content, sha256, note) "
                "SELECT %s, template_id, 2, source, content, sha256, '' FROM templates_version WHERE id = %s",
                [uuid7(), usual.version_id],
            )


def test_a_clients_people_see_no_template(firm: Firm, client: TestClient, usual: drafts.Published):
    finance = firm.new_user("client")
    firm.grant(finance, client.id, "client_finance")
    with acting(finance, read=[client.id]):
        assert not Template.objects.exists() and not Version.objects.exists()
