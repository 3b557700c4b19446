"""Makers, checkers, releasers: PostgreSQL decides, so most of this goes around the application."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import psycopg
import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st
from tests.firm import (
    PAY_DATE,
    Firm,
    Temp,
    TestClient,
    approve_payday,
    connect,
    enter,
    hours_file,
    set_up,
)
from tests.foundation.test_numbering import wait_until_somebody_waits

from engineroom.foundation.access import services as access
from engineroom.foundation.access.roles import ROLES
from engineroom.foundation.approvals import canonical, selectors
from engineroom.foundation.approvals import services as approvals
from engineroom.foundation.approvals.models import Approval, ApprovalVoid, Contribution
from engineroom.foundation.tenancy.scope import Identity, acting
from engineroom.kernel.ids import uuid7
from engineroom.payday import steps
from engineroom.people.models import Person

KIND = "person"  # a subject with a table of its own: whoever writes a person's rows is a maker
SAME, OTHER = bytes(32), bytes(range(32))


@pytest.fixture
def person(client: TestClient) -> UUID:
    """A person whom the specialist made."""
    people = client.file(
        "people.csv", ("payroll_number", "name", "start_date"), [("T1", "Jo Bloggs", "2026-01-05")]
    )
    client.take("people", people)
    with client.acting("specialist"):
        return Person.objects.get(client_id=client.id).counterparty_id


def approve(
    client: TestClient, who: Identity, subject: UUID, digest: bytes = SAME, **more: Identity
) -> Approval:
    with acting(who, write=client.id, **more):
        return approvals.approve(KIND, subject, digest)


def release(client: TestClient, who: Identity, subject: UUID, digest: bytes = SAME, **more: Identity) -> None:
    with acting(who, write=client.id, **more):
        approvals.release(KIND, subject, digest)


def makers(client: TestClient, subject: UUID, kind: str = KIND) -> set[tuple[UUID, UUID | None]]:
    with acting(client.staff["owner"], read=[client.id]):
        rows = Contribution.objects.filter(client_id=client.id, subject_kind=kind, subject_id=subject)
        return set(rows.values_list("user_id", "on_behalf_id"))


# --- maker is not checker -----------------------------------------------------------------------------


@pytest.mark.behaviour("SOP-08", part="approvals")
def test_nobody_approves_what_they_made(client, person):
    with pytest.raises(approvals.MakerIsNotChecker, match="maker is not checker"):
        approve(client, client.staff["specialist"], person)
    assert approve(client, client.staff["lead"], person).user_id == client.staff["lead"].id


@pytest.mark.behaviour("SOP-08", part="approvals")
def test_nobody_approves_what_they_made_through_a_delegate(client, person):
    with pytest.raises(approvals.MakerIsNotChecker):
        approve(client, client.staff["lead"], person, on_behalf=client.staff["specialist"])


@pytest.mark.behaviour("SOP-08", part="approvals")
def test_a_delegate_of_the_maker_does_not_approve_and_neither_does_whom_they_stood_for(client, person):
    lead, owner, checker = (client.staff[r] for r in ("lead", "owner", "checker"))
    with acting(lead, write=client.id, on_behalf=owner):
        Person.objects.filter(client_id=client.id).update(name="Joan Bloggs")
    assert (lead.id, owner.id) in makers(client, person)
    for who, more in (
        (lead, {}),
        (owner, {}),
        (checker, {"on_behalf": owner}),
        (lead, {"on_behalf": checker}),
    ):
        with pytest.raises(approvals.MakerIsNotChecker):
            approve(client, who, person, **more)
    approve(client, checker, person)


def test_nobody_approves_a_whole_of_which_they_made_a_part_of_a_part(client, person):
    run, batch = uuid7(), uuid7()
    with client.acting("bookkeeper"):
        approvals.takes_in("run", run, "batch", [batch])
        approvals.takes_in("batch", batch, KIND, [person])
        approvals.takes_in("batch", batch, "run", [run])  # a circle does not matter
    with pytest.raises(approvals.MakerIsNotChecker), client.acting("specialist"):
        approvals.approve("run", run, SAME)
    with client.acting("lead"):
        approvals.approve("run", run, SAME)


@pytest.mark.behaviour("SOP-08", part="approvals")
def test_whoever_imported_the_hours_does_not_approve_the_pay_run_made_of_them(firm, client):
    temps = [Temp("T1")]
    set_up(client, temps)
    importer = firm.new_user()
    firm.grant(importer, client.id, "lead")
    client.staff["importer"] = importer
    steps.import_files(importer, client.id, "timesheets", [hours_file(client, temps)])
    steps.calculate(client.staff["specialist"], client.id, PAY_DATE)
    with pytest.raises(approvals.MakerIsNotChecker, match=importer.email):
        approve_payday(client, "importer")
    approve_payday(client)


def test_whoever_uploaded_the_file_is_a_maker_also_if_another_takes_it(client):
    from engineroom.foundation.imports import services as imports

    path = client.file("people.csv", ("payroll_number", "name", "start_date"), [("T1", "Jo", "2026-01-05")])
    with client.acting("lead"):
        seen, _ = imports.preview("people", path)
    with client.acting("specialist"):
        taken = imports.take(seen.preview_id)
    for who in ("lead", "specialist"):
        with pytest.raises(approvals.MakerIsNotChecker), client.acting(who):
            approvals.approve("import", taken.commit_id, SAME)


RAW_APPROVAL = (
    "INSERT INTO foundation_approval (id, client_id, subject_kind, subject_id, content_hash, user_id) "
    "VALUES (gen_random_uuid(), app_write(), %s, %s, %s, app_user())"
)


@pytest.mark.parametrize(
    ("kind", "approvers"),
    [
        ("pay_run", {"owner", "lead", "checker", "client_approver"}),
        ("person", {"owner", "lead", "checker"}),
    ],
)
def test_only_a_role_that_may_approve_approves_by_raw_sql(firm, client, kind, approvers):
    outside = firm.new_user("client")
    firm.grant(outside, client.id, "client_approver")
    everybody = {**client.staff, "client_approver": outside}
    for role, user in everybody.items():
        if role == "auditor":
            continue  # opens nothing for writing
        with connect() as app:
            app.execute(
                "SELECT app_enter(%s, NULL, %s, %s, %s)",
                [user.id, "client" if user is outside else "firm", [client.id], client.id],
            )
            asked = RAW_APPROVAL, [kind, uuid7(), SAME]
            if role in approvers:
                app.execute(*asked)
            else:
                with pytest.raises(psycopg.DatabaseError, match=f"may approve a {kind.replace('_', ' ')}"):
                    app.execute(*asked)
            app.rollback()


def test_only_a_role_that_may_release_releases_by_raw_sql(client):
    subject = uuid7()
    with client.acting("lead"):
        approval = approvals.approve("pay_run", subject, SAME)
    release_raw = (
        "INSERT INTO foundation_release (id, client_id, subject_kind, subject_id, content_hash, approval_id, "
        "user_id) VALUES (gen_random_uuid(), app_write(), 'pay_run', %s, %s, %s, app_user())"
    )
    for role in ("specialist", "bookkeeper", "checker"):
        with connect() as app:
            enter(app, client.staff[role], write=client.id)
            if role == "checker":
                app.execute(release_raw, [subject, SAME, approval.id])
            else:
                with pytest.raises(psycopg.DatabaseError, match="may release a pay run"):
                    app.execute(release_raw, [subject, SAME, approval.id])


def test_postgresql_and_the_code_mean_the_same_by_a_role(firm):
    rooms = ("payroll", "billing", "people", "ledger", "settlement", "timesheets", "sop", "foundation", "x_y")
    asked = [
        (role, f"{room}.{verb}")
        for role in ROLES
        for room in rooms
        for verb in ("read", "prepare", "approve", "release", "admin", "grant", "own", "approver")
    ]
    with connect() as app:
        for role, permission in asked:
            (said,) = app.execute("SELECT role_may(%s, %s)", [role, permission]).fetchone() or (None,)
            assert said is ROLES[role].may(permission), (role, permission)


def test_the_system_approves_and_releases_nothing(client, person):
    for more in ({}, {"on_behalf": client.staff["checker"]}):
        with pytest.raises(approvals.MakerIsNotChecker, match="only a person"):
            approve(client, access.system_user(), person, **more)
    approve(client, client.staff["lead"], person)
    with pytest.raises(approvals.MakerIsNotChecker, match="only a person"):
        release(client, access.system_user(), person)


def test_what_the_system_made_for_somebody_they_do_not_approve(client, person):
    with acting(access.system_user(), write=client.id, on_behalf=client.staff["owner"]):
        Person.objects.filter(client_id=client.id).update(name="Joan Bloggs")
    with pytest.raises(approvals.MakerIsNotChecker):
        approve(client, client.staff["owner"], person)


def test_a_maker_who_says_yes_after_the_checker_is_refused_like_any_other(client, person):
    approve(client, client.staff["lead"], person)
    with pytest.raises(approvals.MakerIsNotChecker):
        approve(client, client.staff["specialist"], person)


def test_who_approved_is_what_the_scope_says_whatever_the_row_claims(client, person):
    lead, owner = client.staff["lead"], client.staff["owner"]
    with connect() as app:
        enter(app, lead, write=client.id)
        app.execute(
            "INSERT INTO foundation_approval "
            "(id, client_id, subject_kind, subject_id, content_hash, user_id, at) "
            "VALUES (%s, %s, %s, %s, %s, %s, '2001-01-01')",
            [uuid7(), client.id, KIND, person, SAME, owner.id],
        )
    with acting(lead, read=[client.id]):
        row = Approval.objects.get(client_id=client.id)
    assert (row.user_id, row.on_behalf_id) == (lead.id, None)
    assert row.at.year > 2001


# --- contributions ------------------------------------------------------------------------------------


def test_raw_sql_that_writes_makes_its_writer_a_maker(client, person):
    changes = {
        "owner": "INSERT INTO people_employment (id, client_id, person_id, starts, ends) "
        "VALUES (gen_random_uuid(), %(client)s, %(person)s, '2001-01-01', '2001-12-31')",
        "lead": "UPDATE people_employment SET ends = '2001-11-30' WHERE starts = '2001-01-01'",
    }
    for role, change in changes.items():
        with connect() as app:
            enter(app, client.staff[role], write=client.id)
            assert app.execute(change, {"client": client.id, "person": person}).rowcount == 1
        assert (client.staff[role].id, None) in makers(client, person)
        with pytest.raises(approvals.MakerIsNotChecker):
            approve(client, client.staff[role], person)


def test_moving_a_row_to_another_subject_makes_a_maker_of_both(client, person):
    more = client.file("more.csv", ("payroll_number", "name", "start_date"), [("T2", "Al", "2026-01-05")])
    client.take("people", more)
    with client.acting("specialist"):
        other = Person.objects.get(client_id=client.id, payroll_number="T2").counterparty_id
    # `app` may only end such a row; the trigger would see whoever could do more.
    with connect("owner") as owner:
        enter(owner, client.staff["owner"], write=client.id)
        owner.execute("DELETE FROM people_employment WHERE person_id = %s", [other])
    assert (client.staff["owner"].id, None) in makers(client, other), "a row taken away has its maker too"
    with connect("owner") as owner:
        enter(owner, client.staff["lead"], write=client.id)
        owner.execute("UPDATE people_employment SET person_id = %s WHERE person_id = %s", [other, person])
    assert (client.staff["lead"].id, None) in makers(client, person)
    assert (client.staff["lead"].id, None) in makers(client, other)


def test_nobody_forges_or_removes_a_maker(client, person):
    with connect() as app:
        enter(app, client.staff["lead"], write=client.id)
        for change in (
            "INSERT INTO foundation_contribution (id, client_id, subject_kind, subject_id, user_id) "
            "VALUES (gen_random_uuid(), app_write(), 'person', gen_random_uuid(), app_user())",
            "DELETE FROM foundation_contribution",
            "UPDATE foundation_contribution SET user_id = app_user()",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), app.transaction():
                app.execute(change)


def test_without_a_scope_nothing_is_written_whose_makers_must_be_known(client, person):
    with connect("owner") as owner, pytest.raises(psycopg.DatabaseError, match="makers must be known"):
        owner.execute(
            "SELECT set_config('app.read', %s, true), set_config('app.write', %s, true)",
            [f"{{{client.id}}}", str(client.id)],
        )
        owner.execute("UPDATE people_person SET name = 'X'")


# --- releasing ----------------------------------------------------------------------------------------


@pytest.mark.behaviour("SOP-08", part="approvals")
def test_the_approver_does_not_release(client, person):
    approve(client, client.staff["lead"], person)
    with pytest.raises(approvals.MakerIsNotChecker, match="another person"):
        release(client, client.staff["lead"], person)
    release(client, client.staff["checker"], person)


def test_neither_of_two_who_stood_for_each_other_releases(client, person):
    lead, owner, checker = (client.staff[r] for r in ("lead", "owner", "checker"))
    approve(client, lead, person, on_behalf=owner)
    for who, more in (
        (lead, {}),
        (owner, {}),
        (checker, {"on_behalf": owner}),
        (checker, {"on_behalf": lead}),
    ):
        with pytest.raises(approvals.MakerIsNotChecker):
            release(client, who, person, **more)
    release(client, checker, person)


def test_each_of_two_who_approved_the_same_content_is_an_approver(client, person):
    lead, owner = client.staff["lead"], client.staff["owner"]
    first = approve(client, lead, person)
    second = approve(client, owner, person)
    assert first.id != second.id
    for who in (lead, owner):
        for approval in (first, second):
            with connect() as app, pytest.raises(psycopg.DatabaseError, match="another person must"):
                enter(app, who, write=client.id)
                raw_release(app, client, person, approval.id)
    release(client, client.staff["checker"], person)


def raw_release(
    app: psycopg.Connection, client: TestClient, subject: UUID, approval: UUID, digest: bytes = SAME
) -> None:
    app.execute(
        "INSERT INTO foundation_release "
        "(id, client_id, subject_kind, subject_id, content_hash, approval_id, user_id) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s)",
        [uuid7(), client.id, KIND, subject, digest, approval, client.staff["checker"].id],
    )


@pytest.fixture
def small(firm: Firm) -> tuple[TestClient, Callable[[], Identity]]:
    """A client with a maker, a checker and one other who may release; and a way to add another."""
    client = firm.new_client(with_books=False)
    with acting(firm.admin, write=firm.house_id):
        for role in ("owner", "lead"):
            access.switch_off_user(client.staff[role].id, reason="a small firm")

    def add(role: str = "lead") -> Identity:
        user = firm.new_user()
        firm.grant(user, client.id, role)
        return user

    add()
    return client, add


@pytest.mark.behaviour("SOP-08", part="approvals")
def test_a_checker_releases_what_they_approved_only_while_fewer_than_two_others_could(small):
    client, add = small
    checker = client.staff["checker"]
    approve(client, checker, one := uuid7())
    release(client, checker, one)
    add()
    approve(client, checker, two := uuid7())
    with pytest.raises(approvals.MakerIsNotChecker, match="another person"):
        release(client, checker, two)


def test_who_would_be_refused_a_release_is_told_so_beforehand(small):
    """What a page says before anybody tries is what the trigger says afterwards."""
    client, add = small
    checker, lead = client.staff["checker"], add()
    approve(client, checker, one := uuid7())
    assert kept(client, checker, one) == {(KIND, one)}, "two others can"
    assert kept(client, lead, one) == set(), "whoever did not approve it"
    with client.acting("checker"):
        approvals.void_if_changed(KIND, one, bytes([7] * 32), "it changed")
    assert kept(client, checker, one) == set(), "nothing stands that they approved"


def test_a_small_firms_checker_is_not_kept_from_releasing(small):
    client, _ = small
    checker = client.staff["checker"]
    approve(client, checker, subject := uuid7())
    assert kept(client, checker, subject) == set()
    release(client, checker, subject)


def kept(client: TestClient, user: Identity, subject: UUID) -> set[tuple[str, UUID]]:
    with acting(user, read=[client.id]):
        return selectors.kept_from_releasing(user.id, [client.id], [subject])


def test_the_exemption_is_the_checkers_alone(small):
    client, add = small
    lead = add()
    with connect() as app, pytest.raises(psycopg.DatabaseError, match="another person must"):
        approval = approve(client, lead, subject := uuid7())
        enter(app, lead, write=client.id)
        raw_release(app, client, subject, approval.id)


def test_a_checker_does_not_shrink_the_others_by_standing_for_one_of_them(small):
    client, add = small
    checker, second = client.staff["checker"], add()
    approve(client, checker, subject := uuid7())
    with pytest.raises(approvals.MakerIsNotChecker, match="another person"):
        release(client, checker, subject, on_behalf=second)


def test_an_other_who_is_switched_off_or_whose_grant_ended_does_not_count(firm, small):
    client, _ = small
    checker = client.staff["checker"]
    past = firm.new_user()
    firm.grant(past, client.id, "lead", ends=date(2026, 1, 2))
    future_specialist = firm.new_user()
    firm.grant(future_specialist, client.id, "specialist")
    approve(client, checker, subject := uuid7())
    release(client, checker, subject)


def test_a_release_needs_a_standing_approval_of_the_same_content(client, other_client, person):
    checker, lead = client.staff["checker"], client.staff["lead"]
    with pytest.raises(approvals.NotApproved):
        release(client, checker, person)
    approval = approve(client, lead, person)
    with pytest.raises(approvals.ContentChanged):
        release(client, checker, person, OTHER)
    theirs = approve(other_client, other_client.staff["lead"], uuid7())
    for subject, of, digest in (
        (person, approval.id, OTHER),
        (uuid7(), approval.id, SAME),
        (person, theirs.id, SAME),
    ):
        with (
            connect() as app,
            pytest.raises(psycopg.DatabaseError, match="standing approval of exactly this"),
        ):
            enter(app, checker, write=client.id)
            raw_release(app, client, subject, of, digest)


def test_a_voided_approval_releases_nothing(client, person):
    lead, checker = client.staff["lead"], client.staff["checker"]
    approval = approve(client, lead, person)
    with client.acting("specialist"):
        assert approvals.void_if_changed(KIND, person, OTHER, "a penny")
    with pytest.raises(approvals.NotApproved):
        release(client, checker, person)
    with connect() as app, pytest.raises(psycopg.DatabaseError, match="standing approval"):
        enter(app, checker, write=client.id)
        raw_release(app, client, person, approval.id)
    approve(client, lead, person, OTHER)
    release(client, checker, person, OTHER)


def test_what_is_released_is_released_once_and_its_approval_is_not_voided_any_more(client, person):
    approval = approve(client, client.staff["lead"], person)
    release(client, client.staff["checker"], person)
    with connect() as app:
        enter(app, client.staff["owner"], write=client.id)
        with pytest.raises(psycopg.errors.UniqueViolation), app.transaction():
            raw_release(app, client, person, approval.id)
        with pytest.raises(psycopg.DatabaseError, match="cannot be voided") as refused, app.transaction():
            app.execute(
                "INSERT INTO foundation_approvalvoid (id, client_id, reason) VALUES (%s, %s, 'x')",
                [approval.id, client.id],
            )
    assert refused.value.sqlstate == "ER409"


@pytest.mark.parametrize("voided", [True, False])
def test_a_void_and_a_release_at_the_same_moment_do_not_pass_each_other(client, person, voided):
    approval = approve(client, client.staff["lead"], person)

    def let_out() -> Exception | None:
        try:
            release(client, client.staff["checker"], person)
        except approvals.MakerIsNotChecker as refused:
            return refused
        finally:
            connection.close()
        return None

    with connect() as app, ThreadPoolExecutor(1) as pool:
        enter(app, client.staff["owner"], write=client.id)
        app.execute(
            "INSERT INTO foundation_approvalvoid (id, client_id, reason) VALUES (%s, %s, 'x')",
            [approval.id, client.id],
        )
        waiting = pool.submit(let_out)
        wait_until_somebody_waits(app)
        if voided:
            app.commit()
        else:
            app.rollback()
        refused = waiting.result(timeout=10)
    assert (refused is not None) == voided


# --- what an approval binds ---------------------------------------------------------------------------


def test_saying_yes_twice_to_the_same_content_is_one_approval(client, person):
    lead = client.staff["lead"]
    assert approve(client, lead, person).id == approve(client, lead, person).id
    for_owner = approve(client, lead, person, on_behalf=client.staff["owner"])
    assert for_owner.on_behalf_id == client.staff["owner"].id, "in another capacity it is another"


def test_recalculation_to_the_same_bytes_keeps_the_approval_and_a_changed_penny_voids_it(client):
    temps = [Temp("T1"), Temp("T2", "Al Smith", hours=["0.25"], pay_rate="0.04", bill_rate="0.04")]
    set_up(client, temps)
    client.take("timesheets", hours_file(client, temps[:1]))
    maker = client.staff["specialist"]
    steps.calculate(maker, client.id, PAY_DATE)
    approved = approve_payday(client)
    again = steps.calculate(maker, client.id, PAY_DATE)
    assert again is not None and again.published.content_hash == approved.run.content_hash
    with client.acting("lead"):
        assert steps.is_approved(PAY_DATE)
        assert not ApprovalVoid.objects.filter(client_id=client.id).exists()

    client.take("timesheets", hours_file(client, temps[1:], name="a-penny.csv"))
    steps.calculate(maker, client.id, PAY_DATE)
    with client.acting("lead"):
        assert not steps.is_approved(PAY_DATE)
        void = ApprovalVoid.objects.get(client_id=client.id, approval__subject_kind="pay_run")
        assert void.reason.startswith("recalculated")
    with pytest.raises(approvals.NotApproved):
        steps.release(client.staff["checker"], client.id, PAY_DATE)


# --- the canonical text -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "text"),
    [
        (None, "\\N"),
        ("\\N", "\\\\N"),
        ("", ""),
        (0, "0"),
        (-12, "-12"),
        (True, "true"),
        (date(2026, 4, 5), "2026-04-05"),
        (b"\x00\xff", "00ff"),
        ("a|b\\c\nd\re", "a\\|b\\\\c\\nd\\re"),
        ("cafe\u0301", "caf\u00e9"),
        ("\u212b", "\u00c5"),
    ],
)
def test_a_values_canonical_text(item, text):
    assert canonical.value(item) == text


@pytest.mark.parametrize(
    "item", [1.0, Decimal("1"), datetime(2026, 1, 1, tzinfo=UTC), uuid7(), [1], memoryview(b"x")]
)
def test_what_has_no_fixed_text_is_refused(item):
    with pytest.raises(TypeError):
        canonical.value(item)


def test_a_line_and_its_digest_are_as_the_design_says():
    line = canonical.line("payroll_payslip", "T|1", [("net", 100), ("note", None)])
    assert line == "payroll_payslip|T\\|1|net=100|note=\\N"
    assert canonical.digest([line]) == hashlib.sha256(line.encode() + b"\n").digest()


def test_many_lines_given_by_column_are_the_lines_one_by_one():
    keys, net, note = ["T1", "T|2"], [100, -1], ["x\n", None]
    assert canonical.lines("t", keys, {"net": net, "note": note}) == [
        canonical.line("t", k, [("net", a), ("note", b)]) for k, a, b in zip(keys, net, note, strict=True)
    ]


texts = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\\|\n\r=N"), max_size=8).map(
    lambda s: unicodedata.normalize("NFC", s)
)
a_row = st.tuples(
    texts, st.none() | texts, st.none() | st.integers(-(2**63), 2**63 - 1), st.none() | st.dates()
)


def as_text(rows: list[tuple]) -> bytes:
    lines = [canonical.line("t", k, [("note", a), ("amount", b), ("day", c)]) for k, a, b, c in rows]
    return b"".join(line.encode() + b"\n" for line in lines)


@given(st.lists(a_row, max_size=4), st.lists(a_row, max_size=4))
def test_no_two_different_lists_of_rows_have_one_text(some, others):
    assert (as_text(some) == as_text(others)) == (some == others)


@given(st.lists(a_row, max_size=5))
def test_the_text_says_which_rows_it_was_made_of(rows):
    """The stronger form: it can be read back, so there is nothing that it confuses."""
    assert [read_back(line) for line in as_text(rows).decode().split("\n")[:-1]] == rows


def read_back(line: str) -> tuple:
    fields, field, at = [], "", 0
    while at < len(line):
        if line[at] == "\\":
            field, at = field + line[at : at + 2], at + 2
        elif line[at] == "|":
            fields, field, at = [*fields, field], "", at + 1
        else:
            field, at = field + line[at], at + 1
    _, key, *columns = [*fields, field]
    note, amount, day = (column.split("=", 1)[1] for column in columns)
    return (
        unescaped(key),
        unescaped(note),
        None if amount == "\\N" else int(amount),
        None if day == "\\N" else date.fromisoformat(day),
    )


def unescaped(text: str) -> str | None:
    if text == "\\N":
        return None
    out, at = "", 0
    while at < len(text):
        if text[at] == "\\":
            out, at = out + {"n": "\n", "r": "\r"}.get(text[at + 1], text[at + 1]), at + 2
        else:
            out, at = out + text[at], at + 1
    return out


@given(texts)
def test_one_text_however_it_was_composed_has_one_canonical_text(text):
    assert canonical.value(unicodedata.normalize("NFD", text)) == canonical.value(text)
