"""Files of people."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import UUID

from engineroom.foundation.columns import insert_columns
from engineroom.foundation.crypto.fields import encrypted_field
from engineroom.foundation.imports.services import Parsed, importer
from engineroom.foundation.imports.sheets import Column, Sheet
from engineroom.foundation.imports.tables import Findings, TableImporter
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.kernel.errors import Problem
from engineroom.kernel.ids import uuid7s
from engineroom.openitems.models import Counterparty
from engineroom.people.models import BankAccount, Employment, Person


@importer
class People(TableImporter):
    """Starters, leavers and changed bank accounts. A known payroll number is an update of what differs."""

    kind = "people"
    permission = "people.prepare"
    summary = "people with their employment and bank account"
    columns = (
        Column("payroll_number", required=True, max_length=20),
        Column("name", required=True, max_length=200),
        Column("date_of_birth", "date"),
        Column("email", max_length=254),
        Column("ni_number", max_length=13, aliases=("nino", "national_insurance_number")),
        Column("start_date", "date", required=True),
        Column("leave_date", "date"),
        Column("account_name", max_length=100),
        Column("sort_code", max_length=8),
        Column("account_number", max_length=8),
    )

    def check(self, parsed: Parsed) -> list[Problem]:
        sheet: Sheet = parsed.content
        found = Findings(sheet)
        c = sheet.columns
        found.repeated(c["payroll_number"], "payroll_number", lambda key: f"payroll number {key}")
        for i, (sort_code, number) in enumerate(zip(c["sort_code"], c["account_number"], strict=True)):
            self._check_account(found, i, sort_code, number)
        for i, (starts, leaves) in enumerate(zip(c["start_date"], c["leave_date"], strict=True)):
            if leaves and starts and leaves < starts:
                found.at(i, "leave_date", f"leaves on {leaves} before starting on {starts}", "Correct one of the dates")
        return found.problems

    @staticmethod
    def _check_account(found: Findings, i: int, sort_code: str | None, number: str | None) -> None:
        if bool(sort_code) != bool(number):
            found.at(i, "account_number", "a sort code needs an account number, and the other way", "Give both, or neither")
            return
        if sort_code and not _digits(sort_code, 6):
            found.at(i, "sort_code", f"{sort_code!r} is not a sort code", "Write six digits, as 20-00-00 or 200000")
        if number and not _digits(number, 8):
            found.at(i, "account_number", "this is not an account number", "Write eight digits; put zeros in front if shorter")

    def take(self, parsed: Parsed, commit_id: UUID) -> dict[str, int]:
        c = parsed.content.columns
        client_id = current_scope().client_id
        known = dict(Person.objects.filter(client_id=client_id).values_list("payroll_number", "counterparty_id"))
        rows = [{name: values[i] for name, values in c.items()} for i in range(parsed.rows)]
        new = [row for row in rows if row["payroll_number"] not in known]
        _add_people(client_id, new)
        changed = 0
        for row in rows:
            if person_id := known.get(row["payroll_number"]):
                changed += _update_person(client_id, person_id, row)
        return {"people": len(new), "changed": changed}


def _digits(text: str, count: int) -> str | None:
    digits = text.replace("-", "").replace(" ", "")
    return digits if len(digits) == count and digits.isascii() and digits.isdigit() else None


def _add_people(client_id: UUID, rows: list[dict[str, Any]]) -> None:
    n = len(rows)
    ids = uuid7s(n)
    insert_columns(
        Counterparty,
        {
            "id": ids,
            "client_id": client_id,
            "kind": "person",
            "code": [r["payroll_number"] for r in rows],
            "name": [r["name"] for r in rows],
            "details": ["{}"] * n,
        },
        n,
        casts={"details": "jsonb"},
    )
    ni_number = encrypted_field(Person, "ni_number")
    insert_columns(
        Person,
        {
            "id": ids,
            "client_id": client_id,
            "payroll_number": [r["payroll_number"] for r in rows],
            "name": [r["name"] for r in rows],
            "date_of_birth": [r["date_of_birth"] for r in rows],
            "email": [r["email"] or "" for r in rows],
            "ni_number": [ni_number.seal(client_id, r["ni_number"]) for r in rows],
        },
        n,
        casts={"date_of_birth": "date", "ni_number": "bytea"},
    )
    insert_columns(
        Employment,
        {
            "id": uuid7s(n),
            "client_id": client_id,
            "person_id": ids,
            "starts": [r["start_date"] for r in rows],
            "ends": [r["leave_date"] for r in rows],
        },
        n,
        casts={"ends": "date"},
    )
    with_account = [(person_id, row) for person_id, row in zip(ids, rows, strict=True) if row["sort_code"]]
    _add_accounts(client_id, with_account)


def _add_accounts(client_id: UUID, rows: list[tuple[UUID, dict[str, Any]]]) -> None:
    sort_code, number = encrypted_field(BankAccount, "sort_code"), encrypted_field(BankAccount, "account_number")
    plain = [(_digits(r["sort_code"], 6) or "", _digits(r["account_number"], 8) or "") for _, r in rows]
    insert_columns(
        BankAccount,
        {
            "id": uuid7s(len(rows)),
            "client_id": client_id,
            "person_id": [person_id for person_id, _ in rows],
            "starts": [r["start_date"] for _, r in rows],
            "account_name": [r["account_name"] or r["name"] for _, r in rows],
            "sort_code": [sort_code.seal(client_id, s) for s, _ in plain],
            "account_number": [number.seal(client_id, a) for _, a in plain],
            "fingerprint": [fingerprint(client_id, s, a) for s, a in plain],
        },
        len(rows),
    )


def fingerprint(client_id: UUID, sort_code: str, account_number: str) -> bytes:
    """Keyed hash of an account: equal accounts of a client have equal fingerprints, and nothing can be read off it."""
    return encrypted_field(BankAccount, "account_number").fingerprint(client_id, f"{sort_code}{account_number}")


def _update_person(client_id: UUID, person_id: UUID, row: dict[str, Any]) -> int:
    """Record a leaver's last day, and a changed account from today on. Returns how many things changed."""
    changed = 0
    employment = Employment.objects.filter(client_id=client_id, person_id=person_id).order_by("-starts").first()
    if employment and row["leave_date"] and employment.ends != row["leave_date"]:
        employment.ends = row["leave_date"]
        employment.save(update_fields=["ends"])
        changed += 1
    if row["sort_code"]:
        changed += _change_account(client_id, person_id, row)
    return changed


def _change_account(client_id: UUID, person_id: UUID, row: dict[str, Any]) -> int:
    print_of = fingerprint(client_id, _digits(row["sort_code"], 6) or "", _digits(row["account_number"], 8) or "")
    current = BankAccount.objects.filter(client_id=client_id, person_id=person_id, ends=None).first()
    if current and bytes(current.fingerprint) == print_of:
        return 0
    from_day = date.today()
    if current:
        if current.starts >= from_day:
            current.delete()
        else:
            current.ends = from_day - timedelta(days=1)
            current.save(update_fields=["ends"])
    _add_accounts(client_id, [(person_id, {**row, "start_date": from_day})])
    return 1
