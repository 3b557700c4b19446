"""What the firm does for a client: agreed from a day on, whole, and never rewritten."""

from __future__ import annotations

from datetime import date

import psycopg
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as some
from tests.firm import Firm, TestClient, connect, enter

from engineroom.foundation.approvals.selectors import makers
from engineroom.foundation.audit.models import AuditEvent
from engineroom.foundation.engagement import selectors, services
from engineroom.foundation.engagement.models import SERVICES
from engineroom.foundation.engagement.selectors import ServiceLine
from engineroom.kernel.errors import Conflict, InputRefused, NotPermitted
from engineroom.kernel.ids import uuid7

PAYROLL = ServiceLine("payroll", "payslip", 4_50, "paid by noon on the day")
BOOKS = ServiceLine("bookkeeping", "month", 650_00)


def agree(client: TestClient, starts: date, *lines: ServiceLine, role: str = "lead", **more):
    with client.acting(role):
        return services.agree_terms(
            starts, agreed_on=date(2026, 1, 5), agreed_with="Ms Client", services=list(lines), **more
        )


def names(client: TestClient, day: date) -> list[str] | None:
    with client.acting("lead"):
        found = selectors.in_force(day)
    return None if found is None else [line.service for line in found.lines]


def test_terms_hold_from_their_day_until_others_do(client: TestClient):
    agree(client, date(2026, 2, 1), PAYROLL)
    agree(client, date(2026, 6, 1), PAYROLL, BOOKS)
    assert names(client, date(2026, 1, 31)) is None
    assert names(client, date(2026, 5, 31)) == ["payroll"]
    assert names(client, date(2026, 6, 1)) == ["payroll", "bookkeeping"]


def test_a_slip_is_corrected_by_terms_of_the_same_day_and_stays_to_be_seen(client: TestClient):
    first = agree(client, date(2026, 2, 1), PAYROLL)
    second = agree(client, date(2026, 2, 1), BOOKS, reason="it was the books")
    assert names(client, date(2026, 2, 1)) == ["bookkeeping"]
    with client.acting("lead"):
        rows = selectors.all_terms()
        assert [(r.number, r.superseded) for r in rows] == [(second.number, False), (first.number, True)]
        assert rows[0].by and [m.parts for m in makers("engagement", second.engagement_id)] == [
            ("engagement",)
        ]
        assert AuditEvent.objects.filter(verb="foundation.agree_terms").count() == 2


def test_an_engagement_ends_and_may_begin_again(client: TestClient):
    agree(client, date(2026, 2, 1), PAYROLL, data_processing="payslips, six years")
    said = {"agreed_on": date(2026, 3, 1), "agreed_with": "Ms Client"}
    with client.acting("lead"):
        services.end_engagement(date(2026, 7, 1), reason="they do it themselves", **said)
    assert names(client, date(2026, 7, 1)) == []
    with client.acting("lead"):
        ended = selectors.in_force(date(2026, 8, 1))
        assert ended and ended.data_processing == "payslips, six years", "data is held beyond the end"
    with pytest.raises(Conflict, match="nothing is agreed"), client.acting("lead"):
        services.end_engagement(date(2026, 8, 1), reason="twice", **said)
    agree(client, date(2026, 9, 1), PAYROLL)
    assert names(client, date(2026, 9, 1)) == ["payroll"]


def test_an_end_that_later_terms_would_undo_is_refused_until_those_are_ended(client: TestClient):
    agree(client, date(2026, 1, 1), PAYROLL)
    later = agree(client, date(2027, 1, 1), BOOKS)
    said = {"agreed_on": date(2026, 10, 1), "agreed_with": "Ms Client", "reason": "sold"}
    with pytest.raises(Conflict, match=f"terms {later.number} from 2027-01-01"), client.acting("lead"):
        services.end_engagement(date(2026, 12, 1), **said)
    assert names(client, date(2026, 12, 1)) == ["payroll"]
    with client.acting("lead"):
        services.end_engagement(date(2027, 1, 1), **said)
        services.end_engagement(date(2026, 12, 1), **said)
    assert names(client, date(2026, 12, 1)) == names(client, date(2027, 1, 1)) == []


def test_a_reason_too_long_is_refused_in_words(client: TestClient):
    with pytest.raises(InputRefused, match="301 letters"):
        agree(client, date(2026, 1, 1), PAYROLL, reason="x" * 301)
    agree(client, date(2026, 1, 1), PAYROLL, reason="x" * 300)
    with pytest.raises(InputRefused, match="301 letters"), client.acting("lead"):
        services.end_engagement(
            date(2026, 2, 1), agreed_on=date(2026, 1, 5), agreed_with="Ms Client", reason="x" * 301
        )


def test_everything_wrong_is_said_at_once_by_its_field(client: TestClient):
    wrong = [
        ServiceLine("payroll", "payslip", 0),
        ServiceLine("payroll", "month", 5),
        ServiceLine("bookkeeping", "included", 100),
        ServiceLine("plumbing", "month", 1),
        ServiceLine("payments", "month", 1, "x" * 301),
    ]
    with pytest.raises(InputRefused) as refused, client.acting("lead"):
        services.agree_terms(date(2026, 1, 1), agreed_on=date(2026, 1, 1), agreed_with=" ", services=wrong)
    assert {p.field for p in refused.value.problems} == {
        "agreed_with", "services", "payroll_price", "bookkeeping_price", "payments_level",
    }  # fmt: skip
    assert names(client, date(2026, 1, 1)) is None


@pytest.mark.parametrize("role", ["owner", "specialist", "bookkeeper", "checker"])
def test_only_who_leads_the_client_agrees(client: TestClient, role: str):
    with pytest.raises(NotPermitted, match=r"foundation\.prepare"):
        agree(client, date(2026, 1, 1), PAYROLL, role=role)


@pytest.mark.parametrize(
    "broken", ["prices_minor = '{}'", "prices_minor = '{-1}'", "services = '{plumbing}'", "levels = '{a,b}'"]
)
def test_postgresql_keeps_no_line_without_all_its_parts(client: TestClient, broken: str):
    column, value = broken.split(" = ")
    values = {
        "services": "'{payroll}'",
        "bases": "'{month}'",
        "prices_minor": "'{1}'",
        "levels": "'{noon}'",
    }
    insert = (
        "INSERT INTO foundation_engagement (id, client_id, number, starts, agreed_on, agreed_with, "
        "services, bases, prices_minor, levels, data_processing, reason, by_user_id) "
        "VALUES (%s, %s, 99, '2026-01-01', '2026-01-01', 'x', {services}, {bases}, {prices_minor}, {levels}, "
        "'', '', %s)"
    )
    with connect() as app:
        enter(app, client.staff["lead"], write=client.id)
        somebody = client.staff["checker"].id
        with pytest.raises(psycopg.errors.CheckViolation), app.transaction():
            app.execute(insert.format(**(values | {column: value})), [uuid7(), client.id, somebody])
        app.execute(insert.format(**values), [uuid7(), client.id, somebody])
        [(by,)] = app.execute("SELECT by_user_id FROM foundation_engagement WHERE number = 99").fetchall()
        assert by == client.staff["lead"].id, "who wrote it says the scope, and not the one who writes"
        app.rollback()


lines = some.lists(some.sampled_from(sorted(SERVICES)), min_size=1, unique=True)
days = some.dates(date(2020, 1, 1), date(2030, 1, 1))


@limits(max_examples=15, deadline=None)
@given(agreed=some.lists(some.tuples(days, lines), max_size=6), day=days)
def test_what_holds_is_the_last_said_of_the_latest_day(firm: Firm, agreed, day):
    client = firm.new_client(with_books=False)
    for starts, services_of in agreed:
        agree(client, starts, *(ServiceLine(s, "month", 1) for s in services_of))
    begun = [(starts, n, services_of) for n, (starts, services_of) in enumerate(agreed) if starts <= day]
    assert names(client, day) == (max(begun)[2] if begun else None)
