"""Named columns: sealed per client and column, masked by role, opened by one logged accessor, rotated."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.firm import TestClient, superuser

from engineroom.foundation import crypto, vault
from engineroom.foundation.access.roles import DATA_CLASSES, ROLES, masked
from engineroom.foundation.audit.models import AuditEvent
from engineroom.foundation.crypto import rotation
from engineroom.foundation.crypto.fields import EncryptedField, Sealed, encrypted_field, reveal
from engineroom.foundation.tenancy.scope import acting
from engineroom.kernel.errors import NotPermitted
from engineroom.people.models import BankAccount, Person

ACCOUNT, NI_NUMBER = "83920174", "QQ123456C"
HERE, THERE = UUID(int=1), UUID(int=2)


@pytest.fixture
def with_person(client: TestClient) -> TestClient:
    """A client with a person whose bank account and identity number are known."""
    path = client.file(
        "people.csv",
        ("payroll_number", "name", "start_date", "ni_number", "sort_code", "account_number"),
        [("T1", "Jo Bloggs", "2026-01-05", NI_NUMBER, "20-00-00", ACCOUNT)],
    )
    client.take("people", path)
    return client


@pytest.fixture
def key_file(tmp_path: Path, settings_key: None) -> crypto.KeyFile:
    return crypto.KeyFile(tmp_path / "keys" / "keys.json")


@pytest.fixture
def settings_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A key file of the test's own."""
    from django.conf import settings

    monkeypatch.setattr(settings, "KEY_FILE", tmp_path / "keys" / "keys.json")
    forget()
    yield
    monkeypatch.undo()
    forget()


def forget() -> None:
    """What another process would know: nothing."""
    crypto._keys.cache_clear()
    crypto._client_key.cache_clear()


# --- what lies in the database ------------------------------------------------------------------------


@pytest.mark.behaviour("PRIV-01", part="encryption")
def test_a_named_column_lies_nowhere_in_the_database_in_the_clear(with_person):
    """In no column of any table, and not in the bytes of the server's own files and its log of changes."""
    with superuser() as look:
        look.execute("CHECKPOINT")
        tables = [
            t
            for (t,) in look.execute(
                "SELECT oid::regclass::text FROM pg_class "
                "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
            )
        ]
        for table in tables:
            for secret in (ACCOUNT, NI_NUMBER):
                in_hex = secret.encode().hex()
                found = look.execute(
                    f"SELECT count(*) FROM {table} t WHERE to_jsonb(t)::text LIKE ANY (%s)",
                    [[f"%{secret}%", f"%{in_hex}%"]],
                ).fetchone()
                assert found == (0,), f"{secret} is readable in {table}"
        log_of_changes = Path(look.execute("SHOW data_directory").fetchone()[0])
    files = [
        p
        for p in log_of_changes.rglob("*")
        if (p.is_file() and p.parts[-2] in ("pg_wal",)) or p.parent.parent.name == "base"
    ]
    assert len(files) > 100
    for path in files:
        content = path.read_bytes()
        assert ACCOUNT.encode() not in content and NI_NUMBER.encode() not in content, path


@pytest.mark.behaviour("PRIV-01", part="encryption")
def test_the_same_value_twice_is_sealed_into_different_bytes(with_person):
    field = encrypted_field(BankAccount, "account_number")
    one, two = field.seal(with_person.id, ACCOUNT), field.seal(with_person.id, ACCOUNT)
    assert one is not None and two is not None and bytes(one) != bytes(two)


@pytest.mark.behaviour("PRIV-01", part="encryption")
@pytest.mark.parametrize("stolen", ["another client", "another column", "a changed bit"])
def test_a_value_moved_or_changed_does_not_open(with_person, other_client, stolen):
    with acting(with_person.staff["specialist"], write=with_person.id):
        row = BankAccount.objects.get(client_id=with_person.id)
        if stolen == "another client":
            row.client_id = other_client.id
            with pytest.raises(crypto.CannotOpen):
                crypto.unseal(other_client.id, "people_bankaccount.account_number", bytes(row.account_number))
            return
        if stolen == "another column":
            row.sort_code = row.account_number
        else:
            changed = bytearray(row.sort_code)
            changed[-1] ^= 1
            row.sort_code = Sealed(changed)
        row.save(update_fields=["sort_code"])
        with pytest.raises(crypto.CannotOpen, match="was changed, or belongs to another"):
            reveal([row], "sort_code", purpose="test")


def test_a_sealed_value_shows_dots_wherever_it_is_printed(with_person):
    with acting(with_person.staff["specialist"], read=[with_person.id]):
        sealed = BankAccount.objects.get().account_number
    for shown in (repr(sealed), str(sealed), f"{sealed}", "%s" % sealed, repr([sealed]), repr({"a": sealed})):  # noqa: UP031
        assert "••••" in shown and ACCOUNT not in shown and "\\x" not in shown


def test_a_plain_value_is_not_saved_into_a_named_column(with_person):
    with acting(with_person.staff["specialist"], write=with_person.id):
        row = BankAccount.objects.get(client_id=with_person.id)
        for plain in (ACCOUNT, ACCOUNT.encode()):
            row.account_number = plain
            with pytest.raises(TypeError, match="never a plain value"):
                row.save(update_fields=["account_number"])
            with pytest.raises(TypeError):
                BankAccount.objects.filter(id=row.id).update(account_number=plain)


def test_every_named_column_names_a_class_that_roles_know():
    columns = rotation.encrypted_columns()
    assert {f.name for _, f in columns} >= {"ni_number", "sort_code", "account_number"}
    for _, field in columns:
        assert isinstance(field, EncryptedField) and field.data_class in DATA_CLASSES


# --- who is shown what --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "account", "ni_number"),
    [
        ("specialist", ACCOUNT, NI_NUMBER),
        ("lead", ACCOUNT, NI_NUMBER),
        ("checker", ACCOUNT, NI_NUMBER),
        ("owner", ACCOUNT, "••••"),
        ("bookkeeper", ACCOUNT, "••••"),
    ],
)
@pytest.mark.behaviour("PRIV-01", part="masking")
def test_roles_mask(with_person, role, account, ni_number):
    with acting(with_person.staff[role], read=[with_person.id]):
        assert reveal(list(BankAccount.objects.all()), "account_number", purpose="test") == [account]
        assert reveal(list(Person.objects.all()), "ni_number", purpose="test") == [ni_number]


def test_faces_that_see_only_their_own_open_nothing_here(firm, with_person):
    """An admin sees dots; an employee and a worker, who are nobody here, not even that there is a row."""
    for kind, role, shown in (
        ("worker", "worker", []),
        ("employee", "employee", []),
        ("staff", "admin", ["••••"]),
    ):
        user = firm.new_user(kind=kind)
        firm.grant(user, with_person.id, role)
        with acting(user, read=[with_person.id]):
            assert reveal(list(BankAccount.objects.all()), "account_number", purpose="test") == shown


@pytest.mark.behaviour("PRIV-01", part="masking")
def test_a_class_is_masked_only_if_every_role_masks_it():
    assert masked(frozenset()) == set(DATA_CLASSES)
    assert masked(frozenset({"admin"})) == set(DATA_CLASSES)
    assert masked(frozenset({"admin", "specialist"})) == set()
    assert masked(frozenset({"owner", "auditor"})) == {"identity", "health"}
    assert masked(frozenset({"worker"})) == masked(frozenset({"employee"})) == set(DATA_CLASSES)
    assert masked(frozenset({"worker", "owner"})) == {"identity", "health"}
    assert all(set(role.masked) <= set(DATA_CLASSES) for role in ROLES.values())


def test_a_job_shows_what_the_one_who_set_it_off_may_see(with_person):
    from engineroom.foundation.access.services import system_user

    for role, shown in (("specialist", NI_NUMBER), ("owner", "••••")):
        with acting(system_user(), read=[with_person.id], on_behalf=with_person.staff[role]):
            assert reveal(list(Person.objects.all()), "ni_number", purpose="test") == [shown]


def test_an_empty_value_stays_empty_and_an_empty_list_is_not_a_read(with_person):
    with acting(with_person.staff["specialist"], write=with_person.id):
        Person.objects.filter(client_id=with_person.id).update(ni_number=None)
        assert reveal(list(Person.objects.filter(client_id=with_person.id)), "ni_number", purpose="test") == [
            None
        ]
        before = AuditEvent.objects.filter(verb="read").count()
        assert reveal([], "ni_number", purpose="test") == []
        assert AuditEvent.objects.filter(verb="read").count() == before
        assert encrypted_field(Person, "ni_number").seal(with_person.id, "") is None


def test_the_log_of_a_read_does_not_hold_what_was_read(with_person):
    with acting(with_person.staff["specialist"], read=[with_person.id]):
        reveal(list(BankAccount.objects.all()), "account_number", purpose="test")
        event = AuditEvent.objects.filter(verb="read").latest("at")
    assert ACCOUNT not in json.dumps(event.detail)


def test_only_rows_of_one_model_are_opened_at_once_and_only_named_columns(with_person):
    with acting(with_person.staff["specialist"], read=[with_person.id]), pytest.raises(AssertionError):
        reveal(list(Person.objects.all()), "name", purpose="test")


# --- keys ---------------------------------------------------------------------------------------------


@given(plain=st.binary(max_size=200), place=st.text(max_size=20))
def test_what_is_sealed_opens_to_the_same_bytes(plain, place):
    assert crypto.unseal(HERE, place, crypto.seal(HERE, place, plain)) == plain


@given(data=st.binary(max_size=80))
def test_arbitrary_bytes_do_not_open_and_do_not_crash(data):
    with pytest.raises(crypto.CannotOpen):
        crypto.unseal(HERE, "x", data)


def test_a_fingerprint_is_of_one_client_and_place():
    one = crypto.fingerprint(HERE, "a", b"x")
    assert one == crypto.fingerprint(HERE, "a", b"x")
    assert (
        len(
            {
                one,
                crypto.fingerprint(THERE, "a", b"x"),
                crypto.fingerprint(HERE, "b", b"x"),
                crypto.fingerprint(HERE, "a", b"y"),
            }
        )
        == 4
    )


def test_the_key_file_is_made_for_its_owner_alone(key_file):
    crypto.seal(HERE, "x", b"y")
    assert stat.S_IMODE(key_file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(key_file.path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_a_key_file_that_others_may_read_is_refused(key_file, mode):
    sealed = crypto.seal(HERE, "x", b"y")
    key_file.path.chmod(mode)
    forget()
    with pytest.raises(crypto.CannotOpen, match="chmod 600"):
        crypto.unseal(HERE, "x", sealed)
    key_file.path.chmod(0o600)
    assert crypto.unseal(HERE, "x", sealed) == b"y"


def test_after_rotation_the_old_opens_and_the_new_key_seals(key_file):
    old = crypto.seal(HERE, "x", b"y")
    fingerprint = crypto.fingerprint(HERE, "x", b"y")
    name = key_file.add()
    new = crypto.seal(HERE, "x", b"y")
    assert (crypto.is_current(old), crypto.is_current(new)) == (False, True)
    assert new[2 : 2 + new[1]].decode() == name
    assert crypto.unseal(HERE, "x", old) == crypto.unseal(HERE, "x", new) == b"y"
    assert crypto.fingerprint(HERE, "x", b"y") == fingerprint, "equality survives rotation"


def test_a_process_that_was_running_opens_what_another_sealed_with_a_newer_key(key_file):
    crypto.seal(HERE, "x", b"y")
    sealed = subprocess.run(
        [sys.executable, "-c", IN_ANOTHER_PROCESS, str(key_file.path)],
        capture_output=True,
        check=True,
        timeout=60,
    ).stdout
    assert crypto.unseal(HERE, "x", bytes.fromhex(sealed.decode())) == b"z"


IN_ANOTHER_PROCESS = """
import sys, pathlib, uuid
from django.conf import settings
settings.configure(KEY_FILE=pathlib.Path(sys.argv[1]))
from engineroom.foundation import crypto
crypto.KeyFile(settings.KEY_FILE).add()
print(crypto.seal(uuid.UUID(int=1), "x", b"z").hex())
"""


def test_processes_that_make_the_first_key_at_once_make_one(key_file):
    script = IN_ANOTHER_PROCESS.replace("crypto.KeyFile(settings.KEY_FILE).add()\n", "")
    running = [
        subprocess.Popen([sys.executable, "-c", script, str(key_file.path)], stdout=subprocess.PIPE)
        for _ in range(6)
    ]
    sealed = [bytes.fromhex(p.communicate(timeout=60)[0].decode()) for p in running]
    assert [crypto.unseal(HERE, "x", s) for s in sealed] == [b"z"] * 6
    assert len(json.loads(key_file.path.read_text())["keys"]) == 1


def test_a_key_file_begun_anew_never_passes_for_the_lost_one(key_file):
    sealed = crypto.seal(HERE, "x", b"y")
    key_file.path.unlink()
    forget()
    crypto.seal(HERE, "x", b"new")
    with pytest.raises(crypto.KeyMissing, match="restore the key file"):
        crypto.unseal(HERE, "x", sealed)


def test_rotation_reseals_every_named_column_and_old_vault_files_still_open(firm, with_person):
    with with_person.acting() as scope:
        old_file = vault.store(b"kept since long", name="a.txt", kind="test")
    with superuser() as look:
        query = "SELECT account_number, fingerprint FROM people_bankaccount WHERE client_id = %s"
        before, fingerprint = look.execute(query, [with_person.id]).fetchone()
    with acting(firm.admin, write=firm.house_id):
        rotation.add_key()
    assert not crypto.is_current(before)
    assert rotation.reseal([with_person.id]) == 3
    assert rotation.reseal([with_person.id]) == 0, "done once"
    with superuser() as look:
        after, still = look.execute(query, [with_person.id]).fetchone()
    assert after != before and crypto.is_current(after) and still == fingerprint
    with acting(scope.user, read=[with_person.id]):
        assert reveal(list(BankAccount.objects.all()), "account_number", purpose="test") == [ACCOUNT]
        assert vault.read(old_file) == b"kept since long"


def test_keys_are_added_by_an_admin_of_the_house_alone(firm, client):
    for user, where in ((firm.admin, client.id), (client.staff["lead"], client.id)):
        if user is firm.admin:
            firm_admin_here = firm.new_user()
            firm.grant(firm_admin_here, where, "admin")
            user = firm_admin_here
        with pytest.raises(NotPermitted), acting(user, write=where):
            rotation.add_key()
