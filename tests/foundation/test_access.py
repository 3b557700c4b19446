"""Users, tokens, grants: who somebody is, what they hold, and that the page about it is true."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from django.utils import timezone
from tests.firm import Firm, connect, enter, superuser

from engineroom.foundation.access import bootstrap, roles_doc, selectors
from engineroom.foundation.access import services as access
from engineroom.foundation.access.models import Grant, Token
from engineroom.foundation.access.roles import DATA_CLASSES, RELEASING, ROLES, WRITING, may
from engineroom.foundation.audit.models import AuditEvent
from engineroom.foundation.commands.models import CommandRun
from engineroom.foundation.tenancy.scope import FACE_OF_KIND, Identity, acting
from engineroom.kernel.errors import Conflict, InputRefused, NotFound, NotPermitted
from engineroom.kernel.ids import uuid7

TODAY = timezone.now().date()
ROOT = Path(__file__).parents[2]


def token_for(firm: Firm, user: Identity, **more: int) -> access.TokenIssued:
    with acting(firm.admin, write=firm.house_id):
        return access.issue_token(user.id, **more)


# --- tokens -------------------------------------------------------------------------------------------


def test_a_token_is_who_holds_it(firm):
    user = firm.new_user()
    issued = token_for(firm, user)
    assert access.authenticate(issued.token) == user
    assert access.authenticate(issued.token, user.email.upper()) == user


def test_of_a_token_only_its_hash_is_kept_anywhere(firm):
    issued = token_for(firm, firm.new_user())
    assert issued.token.startswith("er_") and len(issued.token) > 40
    with superuser() as look:
        row = look.execute("SELECT sha256 FROM foundation_token WHERE id = %s", [issued.token_id]).fetchone()
        assert row == (hashlib.sha256(issued.token.encode()).digest(),)
        tables = look.execute(
            "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relname LIKE 'foundation_%'"
        )
        for (table,) in tables.fetchall():
            assert look.execute(
                f"SELECT count(*) FROM {table} t WHERE t::text LIKE %s", [f"%{issued.token[3:]}%"]
            ).fetchone() == (0,)
    with acting(firm.owner, read=[firm.house_id]):
        event = AuditEvent.objects.get(verb="foundation.issue_token", subject_id=issued.token_id)
        assert not CommandRun.objects.filter(name="foundation.issue_token").exists()
    assert event.detail.keys() == {"clients", "days", "user", "verbs"}


@pytest.mark.parametrize("what", ["unknown", "another's email", "expired", "revoked", "user off"])
def test_a_token_of_no_use_is_refused_without_saying_why(firm, what):
    user = firm.new_user()
    issued = token_for(firm, user)
    token, email = issued.token, user.email
    if what == "unknown":
        token = token[:-1] + ("a" if token[-1] != "a" else "b")
    elif what == "another's email":
        email = firm.owner.email
    elif what == "expired":
        with superuser() as clock:
            clock.execute(
                "UPDATE foundation_token SET expires_at = now() - interval '1 s' WHERE id = %s",
                [issued.token_id],
            )
    elif what == "revoked":
        with acting(firm.admin, write=firm.house_id):
            access.revoke_token(issued.token_id)
    else:
        with acting(firm.admin, write=firm.house_id):
            access.switch_off_user(user.id, reason="left")
    with pytest.raises(access.NotAuthenticated) as refused:
        access.authenticate(token, email)
    assert (
        str(refused.value).startswith("the token is not valid for that user") and refused.value.status == 401
    )


def test_a_token_ends(firm):
    issued = token_for(firm, firm.new_user(), days=30)
    with acting(firm.admin, write=firm.house_id):
        left = Token.objects.get(id=issued.token_id).expires_at - timezone.now()
    assert timedelta(days=29) < left <= timedelta(days=30)
    for days in (0, -1, 367):
        with pytest.raises(Conflict, match="a token lives"):
            token_for(firm, firm.new_user(), days=days)


def test_one_issues_tokens_to_oneself_and_only_an_admin_of_the_house_to_others(firm, client):
    lead, other = client.staff["lead"], client.staff["specialist"]
    with client.acting("lead"):
        assert access.authenticate(access.issue_token(lead.id).token) == lead
    admin_here = firm.new_user()
    firm.grant(admin_here, client.id, "admin")
    for user in (lead, admin_here):
        with pytest.raises(NotPermitted), acting(user, write=client.id):
            access.issue_token(other.id)


def test_nobody_holds_the_systems_token(firm):
    with pytest.raises(NotFound):
        token_for(firm, access.system_user())
    with superuser() as anybody:
        anybody.execute(
            "INSERT INTO foundation_token (id, user_id, sha256, label) VALUES (%s, %s, %s, '')",
            [uuid7(), access.system_user().id, hashlib.sha256(b"stolen").digest()],
        )
    with pytest.raises(access.NotAuthenticated):
        access.authenticate("stolen")


def test_one_revokes_ones_own_token_and_nobody_elses(firm, client):
    lead = client.staff["lead"]
    with client.acting("lead"):
        mine = access.issue_token(lead.id)
    with pytest.raises(NotFound), client.acting("owner"):
        access.revoke_token(mine.token_id)
    assert access.authenticate(mine.token) == lead
    with client.acting("lead"):
        access.revoke_token(mine.token_id)
    with pytest.raises(access.NotAuthenticated):
        access.authenticate(mine.token)


# --- users --------------------------------------------------------------------------------------------


def test_a_new_user_can_do_nothing(firm, client):
    user = firm.new_user()
    assert not any(my.id == client.id for my in clients_of(user))
    with pytest.raises(NotPermitted), acting(user, read=[client.id]):
        pass


def clients_of(user: Identity) -> list[object]:
    with acting(user):
        return list(selectors.my_clients())


def test_switching_a_user_off_ends_every_token_and_every_way_in_at_once_and_keeps_the_grants(firm, client):
    user = firm.new_user()
    firm.grant(user, client.id, "lead")
    tokens = [token_for(firm, user).token for _ in range(2)]
    with acting(firm.admin, write=firm.house_id):
        access.switch_off_user(user.id, reason="left the firm")
    for token in tokens:
        with pytest.raises(access.NotAuthenticated):
            access.authenticate(token)
    with pytest.raises(NotFound):
        access.identity(user.id)
    with pytest.raises(NotPermitted, match="switched off"), acting(user, write=client.id):
        pass
    with acting(firm.admin, write=firm.house_id):
        assert Grant.objects.filter(user_id=user.id).count() == 1
        assert not Token.objects.filter(user_id=user.id, revoked_at=None).exists()


def test_there_is_one_system_which_is_not_made_twice_or_switched_off(firm):
    with (
        pytest.raises(InputRefused, match="no user of kind 'system'"),
        acting(firm.admin, write=firm.house_id),
    ):
        access.create_user("second@firm.example", "A second system", kind="system")
    with pytest.raises(NotFound), acting(firm.admin, write=firm.house_id):
        access.switch_off_user(access.system_user().id, reason="why not")
    user = firm.new_user()
    with connect() as app, pytest.raises(psycopg.errors.UniqueViolation):
        enter(app, firm.admin, write=firm.house_id)
        app.execute("UPDATE foundation_user SET kind = 'system' WHERE id = %s", [user.id])


@pytest.mark.parametrize(
    ("email", "kind", "problem"),
    [
        ("not an address", "staff", "email"),
        ("OWNER@firm.example", "staff", "already exists"),
        ("x@firm.example", "robot", "no user of kind"),
    ],
)
def test_a_user_that_cannot_be_is_refused_with_what_to_correct(firm, email, kind, problem):
    with pytest.raises(InputRefused, match=problem), acting(firm.admin, write=firm.house_id):
        access.create_user(email, "Somebody", kind=kind)


def test_a_client_that_cannot_be_is_refused_with_what_to_correct(firm, client):
    with pytest.raises(InputRefused, match="already exists"), acting(firm.admin, write=firm.house_id):
        access.open_client(client.code, "The same again", details={})


def test_what_concerns_the_whole_firm_is_done_from_the_house_alone(firm, client):
    """An admin of one client is not an admin of the firm."""
    admin_here = firm.new_user()
    firm.grant(admin_here, client.id, "admin")
    for attempt in (
        lambda: access.create_user("new@firm.example", "New"),
        lambda: access.switch_off_user(firm.owner.id, reason="mutiny"),
        lambda: access.open_client("NEW", "New", details={}),
    ):
        with (
            pytest.raises(NotPermitted, match="from the house client only"),
            acting(admin_here, write=client.id),
        ):
            attempt()


def test_an_installation_is_made_once(firm):
    with pytest.raises(Conflict, match="installed already"):
        bootstrap.install("Another", "another@firm.example", "Another")


# --- grants -------------------------------------------------------------------------------------------


def grant(user: Identity, role: str, **more: object) -> access.Granted:
    return access.grant(user.id, role, **({"starts": TODAY, "reason": "test"} | more))  # type: ignore[arg-type]


def test_nobody_grants_to_themselves_not_even_through_a_delegate_or_by_raw_sql(firm, client):
    with pytest.raises(NotPermitted, match="nobody grants to themselves"), client.acting("lead"):
        grant(client.staff["lead"], "checker")
    with (
        pytest.raises(NotPermitted, match="nobody grants to themselves"),
        client.acting("lead", on_behalf=client.staff["owner"]),
    ):
        grant(client.staff["owner"], "checker")
    with connect() as app, pytest.raises(psycopg.DatabaseError, match="nobody grants to themselves"):
        enter(app, firm.admin, write=firm.house_id)
        raw_grant(app, firm.admin.id, client.id)


def raw_grant(
    app: psycopg.Connection,
    user: UUID,
    client: UUID,
    role: str = "lead",
    ends: object = None,
    by: UUID | None = None,
) -> UUID:
    new = uuid7()
    app.execute(
        "INSERT INTO foundation_grant (id, user_id, of_client_id, role, starts, ends, reason, granted_by_id) "
        "VALUES (%s, %s, %s, %s, %s, %s, 'raw', %s)",
        [new, user, client, role, TODAY, ends, by],
    )
    return new


def test_a_lead_grants_the_work_of_their_own_client(firm, client, other_client):
    user = firm.new_user()
    with client.acting("lead"):
        made = grant(user, "specialist")
        row = Grant.objects.get(id=made.grant_id)
        assert (row.of_client_id, row.granted_by_id, row.reason) == (
            client.id,
            client.staff["lead"].id,
            "test",
        )
    with pytest.raises(NotPermitted, match="from the house"), client.acting("lead"):
        grant(user, "specialist", on_client_id=other_client.id)
    for role in ("owner", "admin"):
        with pytest.raises(NotPermitted, match="from the house"), client.acting("lead"):
            grant(user, role)
    for role in ("specialist", "checker", "owner"):
        with pytest.raises(NotPermitted), client.acting(role):
            grant(user, "bookkeeper")


def test_a_lead_of_the_house_grants_nothing_on_the_clients(firm, client):
    lead = firm.new_user()
    firm.grant(lead, firm.house_id, "lead")
    other = firm.new_user()
    with pytest.raises(NotPermitted, match="by an admin"), acting(lead, write=firm.house_id):
        grant(other, "lead", on_client_id=client.id)


def test_who_granted_is_the_databases_word(firm, client):
    user = firm.new_user()
    with connect() as app:
        enter(app, firm.admin, write=firm.house_id)
        new = raw_grant(app, user.id, client.id, by=firm.owner.id)
        assert app.execute("SELECT granted_by_id FROM foundation_grant WHERE id = %s", [new]).fetchone() == (
            firm.admin.id,
        )


@pytest.mark.parametrize("role", ["specialist", "bookkeeper", "checker", "owner", "auditor"])
def test_who_may_not_grant_grants_nothing_by_raw_sql_nor_ends_a_grant(firm, client, role):
    granter = client.staff.get(role) or firm.new_user()
    with connect() as app:
        enter(app, granter, write=client.id if role in client.staff else None)
        app.execute("SELECT set_config('app.face', 'firm', true)")
        user = client.staff["lead"].id
        with pytest.raises(psycopg.DatabaseError, match="may not grant"), app.transaction():
            raw_grant(app, user, client.id, "checker")
        with pytest.raises(psycopg.DatabaseError, match="may not grant"), app.transaction():
            app.execute("UPDATE foundation_grant SET ends = %s WHERE user_id = %s", [TODAY, user])


def test_a_lead_grants_checkers_by_raw_sql_and_no_owners(firm, client, other_client):
    user = firm.new_user()
    with connect() as app:
        enter(app, client.staff["lead"], write=client.id)
        raw_grant(app, user.id, client.id, "checker")
        for where, role in ((client.id, "owner"), (client.id, "admin"), (other_client.id, "checker")):
            with pytest.raises(psycopg.DatabaseError, match="may not grant"), app.transaction():
                raw_grant(app, user.id, where, role)


def test_outside_acting_nothing_is_granted(firm, client):
    with connect() as app, pytest.raises(psycopg.DatabaseError, match="may not grant"):
        app.execute("SELECT set_config('app.face', 'firm', true)")
        raw_grant(app, firm.new_user().id, client.id)


@pytest.mark.parametrize(
    ("role", "more", "problem"),
    [
        ("auditor", {}, "an auditor's grant ends"),
        ("king", {}, "there is no role 'king'"),
        ("lead", {"reason": " "}, "needs a reason"),
        ("lead", {"ends": TODAY - timedelta(days=1)}, "ends before it starts"),
    ],
)
def test_a_grant_that_cannot_be_is_refused_with_what_to_correct(firm, client, role, more, problem):
    user = firm.new_user()
    with pytest.raises(InputRefused, match=problem), acting(firm.admin, write=firm.house_id):
        grant(user, role, on_client_id=client.id, **more)


def test_a_grant_to_or_on_nobody_is_refused(firm, client):
    nobody, user = Identity(uuid7(), "nobody@firm.example", "Nobody", "staff"), firm.new_user()
    with pytest.raises(NotFound, match="no user"), acting(firm.admin, write=firm.house_id):
        grant(nobody, "lead", on_client_id=client.id)
    with pytest.raises(NotFound, match="no client"), acting(firm.admin, write=firm.house_id):
        grant(user, "lead", on_client_id=uuid7())


def test_nothing_is_granted_to_somebody_switched_off_nor_by_raw_sql_nor_while_it_happens(firm, client):
    gone, going = firm.new_user(), firm.new_user()
    with acting(firm.admin, write=firm.house_id):
        access.switch_off_user(gone.id, reason="left")
    with pytest.raises(InputRefused, match="is switched off"), client.acting("lead"):
        grant(gone, "specialist")
    with connect() as app, pytest.raises(psycopg.DatabaseError, match="switched off"):
        enter(app, firm.admin, write=firm.house_id)
        raw_grant(app, gone.id, client.id)
    with connect() as off, connect() as granting:
        enter(off, firm.admin, write=firm.house_id)
        off.execute("UPDATE foundation_user SET is_active = false WHERE id = %s", [going.id])
        enter(granting, firm.admin, write=firm.house_id)
        granting.execute("SET LOCAL lock_timeout = '200ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):  # it waits for how that ends
            raw_grant(granting, going.id, client.id)


def test_the_database_holds_what_a_grant_must_be(firm, client):
    user = firm.new_user()
    with connect() as app:
        enter(app, firm.admin, write=firm.house_id)
        for role, error in (("auditor", "auditor_grants_end"), ("king", "grant_role_known|not for a user")):
            with pytest.raises(psycopg.DatabaseError, match=error), app.transaction():
                raw_grant(app, user.id, client.id, role)
        new = raw_grant(app, user.id, client.id)
        for change in (
            "role = 'owner'",
            f"user_id = '{firm.owner.id}'",
            f"of_client_id = '{firm.house_id}'",
            "starts = '2020-01-01'",
        ):
            with pytest.raises(psycopg.DatabaseError, match="ended, not changed"), app.transaction():
                app.execute(f"UPDATE foundation_grant SET {change} WHERE id = %s", [new])
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("DELETE FROM foundation_grant WHERE id = %s", [new])


@pytest.mark.parametrize(
    ("kind", "role"),
    [
        ("worker", "specialist"),
        ("client", "lead"),
        ("employee", "admin"),
        ("staff", "employee"),
        ("staff", "worker"),
    ],
)
def test_a_role_of_another_face_is_not_granted(firm, client, kind, role):
    """Freelancers and outsourcing firms' people have no firm face."""
    user = firm.new_user(kind=kind)
    with pytest.raises(NotPermitted, match="not for a user of this kind"):
        firm.grant(user, client.id, role)
    fitting = next(name for name, r in ROLES.items() if r.face == FACE_OF_KIND[kind])
    firm.grant(user, client.id, fitting)


def test_a_grant_ends_on_its_day_and_is_kept(firm, client):
    user = firm.new_user()
    with client.acting("lead"):
        made = grant(user, "specialist")
        access.end_grant(made.grant_id, ends=TODAY - timedelta(days=1), reason="moved on")
    with pytest.raises(NotPermitted), acting(user, write=client.id):
        pass
    with acting(firm.admin, write=firm.house_id):
        row = Grant.objects.get(id=made.grant_id)
    assert row.reason == "test; ended: moved on" and row.ends == TODAY - timedelta(days=1)


def test_ending_a_grant_never_makes_it_longer(firm, client):
    user = firm.new_user()
    with client.acting("lead"):
        made = grant(user, "auditor", ends=TODAY)
        with pytest.raises(Conflict, match="a new grant"):
            access.end_grant(made.grant_id, ends=TODAY + timedelta(days=1), reason="more time")


def test_another_clients_grant_is_ended_by_an_admin_of_the_house_alone(firm, client, other_client):
    user = firm.new_user()
    with client.acting("lead"):
        made = grant(user, "specialist")
    with pytest.raises(NotFound), other_client.acting("lead"):
        access.end_grant(made.grant_id, ends=TODAY, reason="x")
    with acting(firm.admin, write=firm.house_id):
        access.end_grant(made.grant_id, ends=TODAY, reason="x")


def test_clients_are_found_by_code_only_by_those_who_may_see_them(firm, client, other_client):
    lead = client.staff["lead"]
    assert selectors.client_named(lead, client.code.lower()).id == client.id
    with pytest.raises(NotFound):
        selectors.client_named(lead, other_client.code)
    assert [c.id for c in clients_of(lead)] == [client.id]  # type: ignore[attr-defined]


# --- the page of roles --------------------------------------------------------------------------------


def table(text: str) -> dict[str, dict[str, str]]:
    """A Markdown table by its first column."""
    lines = [
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for line in text.replace("|prepare|approve|release|admin", "").splitlines()
        if line.startswith("|")
    ]
    head, _, *rows = lines
    return {row[0]: dict(zip(head, row, strict=True)) for row in rows}


def test_the_page_of_roles_is_current():
    page = (ROOT / "docs" / "roles.md").read_text(encoding="utf-8")
    assert page == roles_doc.page(), "run: python -m engineroom.foundation.access.roles_doc > docs/roles.md"


def test_the_page_names_every_role_with_its_face_and_permissions():
    page = table((ROOT / "docs" / "roles.md").read_text(encoding="utf-8"))
    assert [name.replace(" ", "_") for name in page] == list(ROLES)
    for name, row in page.items():
        role = ROLES[name.replace(" ", "_")]
        assert row["face"] == role.face and row["never"] == role.never
        assert re.findall(r"`([^`]+)`", row["permissions on a granted client"]) == list(role.permissions)


def test_the_code_means_what_the_design_says(shared):
    design = table((shared / "design" / "ROLES.md").read_text(encoding="utf-8"))
    assert [name.replace(" ", "_") for name in design] == list(ROLES)
    for name, row in design.items():
        role = ROLES[name.replace(" ", "_")]
        assert row["face"] == role.face, name
        assert row["never"] == role.never, name
        assert said_masked(row["masked"]) == set(role.masked), name


def said_masked(text: str) -> set[str]:
    if text == "as the task declares":
        return set(DATA_CLASSES)  # until a task declares less
    return {c for c in DATA_CLASSES if re.search(rf"\b{c}\b", text.split("(")[0])}


@pytest.mark.parametrize(
    ("role", "permission", "allowed"),
    [
        ("owner", "payroll.prepare", False),
        ("owner", "payroll.approve", True),
        ("lead", "payroll.prepare", True),
        ("lead", "foundation.grant", True),
        ("lead", "foundation.admin", False),
        ("specialist", "payroll.prepare", True),
        ("specialist", "settlement.prepare", False),
        ("specialist", "payroll.approve", False),
        ("bookkeeper", "settlement.prepare", True),
        ("bookkeeper", "payroll.prepare", False),
        ("bookkeeper", "ledger.approve", False),
        ("checker", "payroll.prepare", False),
        ("checker", "settlement.release", True),
        ("auditor", "payroll.read", True),
        ("admin", "payroll.read", False),
        ("admin", "foundation.admin", True),
        ("worker", "payroll.read", False),
        ("client_finance", "payroll.approve", False),
        ("client_approver", "payroll.approve", True),
        ("client_approver", "settlement.release", False),
        ("employee", "payroll.read", False),
    ],
)
def test_who_may_what(role, permission, allowed):
    assert may(frozenset({role}), permission) is allowed


def test_of_all_roles_only_the_auditor_writes_nowhere_and_three_release():
    assert set(ROLES) - set(WRITING) == {"auditor"}
    assert set(RELEASING) == {"owner", "lead", "checker"}


@pytest.mark.parametrize("role", ["specialist", "bookkeeper"])
def test_who_never_approves_holds_no_permission_to(role):
    assert ROLES[role].never == "approve"
    assert not any(p.endswith((".approve", ".release")) for p in ROLES[role].permissions)
