"""Terms: what stood on a day, what was known of it at a change, and that nothing said is ever rewritten."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from tests.firm import TestClient, connect, enter
from tests.people.test_people_files import person, take

from engineroom.foundation.audit.models import AuditEvent
from engineroom.kernel.errors import Conflict, InputRefused, NotFound, NotPermitted
from engineroom.people import engine, selectors, terms
from engineroom.people.engine import Agreed, Stretch
from engineroom.people.models import Employment, Person, Terms, TermsChange

FIRST, LAST = UUID(int=0), UUID(int=2**128 - 1)
YEAR = date(2026, 1, 1), date(2026, 12, 31)
BEGAN = date(2026, 1, 5)
LATE = "the letter came late"


def salary(pounds: int, **more: object) -> Agreed:
    return Agreed("salary", pounds * 100, 2250, **more)  # type: ignore[arg-type]


# --- stretches, pure --------------------------------------------------------------------------------------

DAYS = [date(2026, 1, 1) + timedelta(days=n) for n in range(12)]
asked = st.tuples(st.sampled_from(DAYS), st.none() | st.integers(0, 6), st.integers(0, 3))


def by_day(stretches: tuple[Stretch, ...]) -> list[int | None]:
    """The amount on each day: what a person would read off a calendar."""
    found: list[int | None] = []
    for day in [*DAYS, date(2027, 1, 1)]:
        [*here] = [
            s.agreed.amount for s in stretches if s.starts <= day and (s.ends is None or day <= s.ends)
        ]
        assert len(here) <= 1, "stretches overlap"
        found.append(here[0] if here else None)
    return found


@given(st.lists(asked, max_size=8))
def test_each_change_is_the_calendar_painted_over(changes):
    stretches: tuple[Stretch, ...] = ()
    for starts, length, amount in changes:
        before = by_day(stretches)
        ends = None if length is None else starts + timedelta(days=length)
        begin = {s.starts for s in stretches}
        stretches = engine.agree(stretches, starts, ends, Agreed("hourly", amount, 0))
        for day, was, now in zip([*DAYS, date(2027, 1, 1)], before, by_day(stretches), strict=True):
            reached = any(starts < b <= day for b in begin) if ends is None else day > ends
            assert now == (was if day < starts or reached else amount)


@given(st.lists(asked, min_size=1, max_size=6), st.integers(0, 5))
def test_what_is_withdrawn_leaves_its_days_to_the_terms_before_it(changes, which):
    stretches: tuple[Stretch, ...] = ()
    for starts, length, amount in changes:
        ends = None if length is None else starts + timedelta(days=length)
        stretches = engine.agree(stretches, starts, ends, Agreed("hourly", amount, 0))
    stretches = tuple(Stretch(s.starts, s.ends, s.agreed, uuid4()) for s in stretches)
    gone = stretches[which % len(stretches)]
    before, after = by_day(stretches), by_day(engine.withdraw(stretches, gone.row_id))
    own = [s.overlaps(gone.starts, gone.ends) for s in [Stretch(d, d, gone.agreed) for d in DAYS]]
    eve = by_day_of(stretches, gone.starts - timedelta(days=1))
    assert all(a == (eve if mine else b) for a, b, mine in zip(after, before, own, strict=False))


def by_day_of(stretches: tuple[Stretch, ...], day: date) -> int | None:
    found = engine.on(stretches, day)
    return found.agreed.amount if found else None


# --- said, through the database ----------------------------------------------------------------------------


@pytest.fixture
def jo(client: TestClient) -> UUID:
    take(client, person())
    return numbered(client, "T1")


def numbered(client: TestClient, number: str) -> UUID:
    with client.acting():
        return Person.objects.get(client_id=client.id, payroll_number=number).counterparty_id


def say(
    client: TestClient, who: UUID, pounds: int, starts: date, *, reason: str = LATE, **more: object
) -> int:
    with client.acting():
        return terms.set_terms(who, salary(pounds), starts=starts, reason=reason, **more).change  # type: ignore[arg-type]


def read(client: TestClient, **known: object) -> list[tuple[date, date | None, int]]:
    with client.acting():
        rows = selectors.terms_between(FIRST, LAST, *YEAR, **known)  # type: ignore[arg-type]
        return [(r.starts, r.ends, r.amount // 100) for r in rows]


@pytest.mark.behaviour("HR-01", part="terms")
def test_a_rise_ends_the_terms_before_it(client, jo):
    say(client, jo, 24_000, BEGAN)
    say(client, jo, 26_000, date(2026, 7, 1))
    assert read(client) == [(BEGAN, date(2026, 6, 30), 24_000), (date(2026, 7, 1), None, 26_000)]
    with client.acting():
        [row] = selectors.terms_between(jo, jo, date(2026, 7, 1), date(2026, 7, 31))
        assert (row.person_id, row.minutes_per_week, row.working_days) == (jo, 2250, 31)


@pytest.mark.behaviour("HR-01", part="terms")
def test_what_is_said_late_is_kept_with_when_it_was_said(client, jo):
    first = say(client, jo, 24_000, BEGAN)
    with client.acting():
        known = selectors.terms_known()
    rise = say(client, jo, 26_000, date(2026, 3, 1), reason="agreed in March, told in November")
    correction = say(client, jo, 25_500, date(2026, 3, 1), reason="a slip in the letter")
    before, between = (
        [(BEGAN, None, 24_000)],
        [(BEGAN, date(2026, 2, 28), 24_000), (date(2026, 3, 1), None, 26_000)],
    )
    assert known == first and read(client, known_at=known) == before
    assert read(client, known_at=rise) == between
    assert read(client) == read(client, known_at=correction) == [between[0], (date(2026, 3, 1), None, 25_500)]
    with client.acting():
        said = TermsChange.objects.get(client_id=client.id, number=rise)
        assert (said.reason, said.by_user_id) == (
            "agreed in March, told in November",
            client.staff["specialist"].id,
        )
    assert read(client, known_at=said.at) == between
    assert read(client, known_at=said.at - timedelta(days=1)) == []


def test_terms_of_a_later_day_stand_until_they_are_named_themselves(client, jo):
    later = timezone.now().date() + timedelta(days=60)
    say(client, jo, 24_000, BEGAN)
    say(client, jo, 30_000, later, reason="")
    say(client, jo, 26_000, date(2026, 7, 1))
    with client.acting():
        rows = selectors.terms_between(jo, jo, BEGAN, later)
    assert [(r.starts, r.ends, r.amount) for r in rows][1:] == [
        (date(2026, 7, 1), later - timedelta(days=1), 2_600_000),
        (later, None, 3_000_000),
    ]


def test_terms_for_a_time_give_way_to_what_stood(client, jo):
    say(client, jo, 24_000, BEGAN)
    say(client, jo, 27_000, date(2026, 4, 1), ends=date(2026, 5, 31))
    assert read(client) == [
        (BEGAN, date(2026, 3, 31), 24_000),
        (date(2026, 4, 1), date(2026, 5, 31), 27_000),
        (date(2026, 6, 1), None, 24_000),
    ]


def test_an_employment_that_ends_ends_its_terms_and_a_return_begins_without(client, jo):
    say(client, jo, 24_000, BEGAN)
    take(client, person(leave_date="2026-06-30"), name="b.csv")
    take(client, person(start_date="2026-09-01"), name="c.csv")
    assert read(client) == [(BEGAN, date(2026, 6, 30), 24_000)]
    say(client, jo, 28_000, date(2026, 9, 1))
    assert read(client)[1:] == [(date(2026, 9, 1), None, 28_000)]


def test_withdrawn_terms_leave_their_days_to_those_before(client, jo):
    say(client, jo, 24_000, BEGAN)
    wrong = say(client, jo, 62_000, date(2026, 7, 1))
    with client.acting():
        row = Terms.objects.get(client_id=client.id, amount=6_200_000)
        with pytest.raises(InputRefused, match="reason"):
            terms.withdraw_terms(row.id, reason=" ")
        terms.withdraw_terms(row.id, reason="a slip")
        with pytest.raises(Conflict, match="already"):
            terms.withdraw_terms(row.id, reason="a slip")
    assert read(client) == [(BEGAN, None, 24_000)]
    assert len(read(client, known_at=wrong)) == 2


def test_everything_wrong_is_said_at_once(client, jo):
    nonsense = Agreed("weekly", -1, 20_000, 128, "x" * 101, "y" * 41)
    with pytest.raises(InputRefused) as refused, client.acting():
        terms.set_terms(jo, nonsense, starts=BEGAN, ends=date(2025, 1, 1))
    assert {p.field for p in refused.value.problems} == {
        "basis", "amount", "hours_per_week", "working_days", "title", "cost centre", "reason", "ends",
    }  # fmt: skip


def test_terms_are_of_a_person_who_is_employed_then(client, jo):
    with pytest.raises(InputRefused, match="nobody is employed here on 2025-12-31"):
        say(client, jo, 24_000, date(2025, 12, 31))
    with pytest.raises(NotFound):
        say(client, uuid4(), 24_000, BEGAN)
    take(client, person(leave_date="2026-06-30"), name="b.csv")
    with pytest.raises(InputRefused, match="the employment ends on 2026-06-30"):
        say(client, jo, 24_000, BEGAN, ends=date(2026, 7, 1))


def test_the_same_terms_again_are_no_change(client, jo):
    say(client, jo, 24_000, BEGAN)
    with pytest.raises(Conflict, match="stand already"):
        say(client, jo, 24_000, date(2026, 7, 1))
    with client.acting():
        assert selectors.terms_known() == 1


def test_who_may_not_prepare_people_sets_no_terms(client, jo):
    with pytest.raises(NotPermitted, match=r"people\.prepare"), client.acting("checker"):
        terms.set_terms(jo, salary(24_000), starts=BEGAN, reason=LATE)
    with client.acting():
        assert not AuditEvent.objects.filter(subject_id=jo, verb="people.set_terms").exists()


def test_terms_of_another_client_are_not_read(client, other_client, jo):
    say(client, jo, 24_000, BEGAN)
    assert read(other_client) == []


# --- around the application --------------------------------------------------------------------------------

CHANGE = (
    "INSERT INTO people_termschange (id, client_id, number, reason, by_user_id) VALUES (%s, %s, 0, '', %s)"
)
ROW = """INSERT INTO people_terms (id, client_id, person_id, employment_id, starts, ends, basis, amount,
  minutes_per_week, working_days, title, cost_centre, said, continues)
  SELECT gen_random_uuid(), m.client_id, %(person)s, m.id, %(starts)s, NULL, 'salary', 100, 2250, 31, '', '',
  %(said)s, false FROM people_employment m WHERE m.client_id = %(client)s AND m.person_id = %(jo)s"""


def raw(client: TestClient, jo: UUID, sql: str, **different: object) -> None:
    """One statement as the app's own role, in a scope that writes the client; with a change of its own."""
    values = {"client": client.id, "person": jo, "jo": jo, "starts": BEGAN, "said": None} | different
    with connect() as app:
        enter(app, client.staff["specialist"], write=client.id)
        if values["said"] is None:
            app.execute(CHANGE, [uuid4(), client.id, uuid4()])
            [values["said"]] = app.execute("SELECT max(number) FROM people_termschange").fetchone() or [None]
        app.execute(sql, values)
        app.commit()


def test_raw_sql_adds_nothing_to_what_was_known_before(client, jo):
    known = say(client, jo, 24_000, date(2026, 7, 1))
    with pytest.raises(psycopg.Error, match="a change of the same transaction"):
        raw(client, jo, ROW, said=known)
    with pytest.raises(psycopg.Error, match="a change of the same transaction"):
        raw(client, jo, "UPDATE people_terms SET unsaid = %(said)s WHERE client_id = %(client)s", said=known)


def test_raw_sql_rewrites_no_terms(client, jo):
    say(client, jo, 24_000, BEGAN)
    for column in ("amount = 1", "ends = '2026-02-01'", "starts = '2026-02-01'", "said = 2"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            raw(client, jo, f"UPDATE people_terms SET {column} WHERE client_id = %(client)s")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        raw(client, jo, "DELETE FROM people_terms WHERE client_id = %(client)s")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        raw(client, jo, "UPDATE people_termschange SET number = 9 WHERE client_id = %(client)s")


def test_raw_sql_takes_terms_back_once(client, jo):
    say(client, jo, 24_000, BEGAN)
    say(client, jo, 25_000, BEGAN)
    back = "UPDATE people_terms SET unsaid = %(said)s WHERE client_id = %(client)s AND amount = 2400000"
    with pytest.raises(psycopg.Error, match="taken back once"):
        raw(client, jo, back)


def test_raw_sql_writes_no_overlapping_terms(client, jo):
    say(client, jo, 24_000, BEGAN)
    with pytest.raises(psycopg.errors.ExclusionViolation):
        raw(client, jo, ROW, starts=date(2026, 7, 1))


def test_raw_sql_writes_terms_within_an_employment_of_that_person(client, jo):
    with pytest.raises(psycopg.Error, match="within an employment of the person"):
        raw(client, jo, ROW, starts=date(2025, 7, 1))
    take(client, person(), person(payroll_number="T2", account_number="00000002"), name="b.csv")
    with pytest.raises(psycopg.Error, match="within an employment of the person"):
        raw(client, jo, ROW, person=numbered(client, "T2"))


def test_raw_sql_numbers_its_changes_and_says_who_as_the_database_knows_them(client, jo):
    say(client, jo, 24_000, BEGAN)
    raw(client, jo, "SELECT %(said)s")
    with client.acting():
        last = TermsChange.objects.filter(client_id=client.id).latest("number")
        assert (last.number, last.by_user_id) == (2, client.staff["specialist"].id)
        assert Employment.objects.filter(client_id=client.id).count() == 1
