"""Files of people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from engineroom.foundation.columns import insert_columns
from engineroom.foundation.crypto.fields import encrypted_field, reveal
from engineroom.foundation.imports.services import Parsed, importer
from engineroom.foundation.imports.sheets import Column, Sheet
from engineroom.foundation.imports.tables import Findings, TableImporter
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.kernel.errors import Problem
from engineroom.kernel.ids import uuid7s
from engineroom.openitems.models import Counterparty
from engineroom.people import accounts
from engineroom.people.accounts import FromFile, Payee, digits_of, fingerprint
from engineroom.people.models import BankAccount, Employment, Person
from engineroom.people.selectors import holds_first_accounts


@importer
class People(TableImporter):
    """Starters, leavers and changes. A known payroll number is an update of what differs; an empty cell
    changes nothing.

    Where somebody is paid changes on a day that the file names: no clock decides which account a payday uses.
    Another account than the one on file waits for a second person (accounts.py).
    """

    kind = "people"
    permission = "people.prepare"
    summary = "people with their employment and bank account"
    columns = (
        Column("payroll_number", required=True, max_length=20),
        Column("name", required=True, max_length=200),
        Column("date_of_birth", "date", private="identity"),
        Column("email", max_length=254),
        Column("ni_number", max_length=13, aliases=("nino", "national_insurance_number"), private="identity"),
        Column("start_date", "date", required=True),
        Column("leave_date", "date"),
        Column("account_name", max_length=100, private="bank"),
        Column("sort_code", max_length=8, private="bank"),
        Column("account_number", max_length=8, private="bank"),
        Column("account_from", "date"),
    )

    def check(self, parsed: Parsed) -> list[Problem]:
        sheet: Sheet = parsed.content
        found = Findings(sheet)
        found.repeated(sheet.columns["payroll_number"], "payroll_number", lambda key: f"payroll number {key}")
        standing = _standing(sheet.columns["payroll_number"])
        for i, row in enumerate(sheet.rows()):
            starts, leaves = row["start_date"], row["leave_date"]
            if leaves and leaves < starts:
                problem = f"leaves on {leaves} before starting on {starts}"
                found.at(i, "leave_date", problem, "Correct one of the dates")
            self._check_account(found, i, row["sort_code"], row["account_number"])
            if known := standing.get(row["payroll_number"]):
                self._check_known(found, i, row, known)
        return found.problems

    @staticmethod
    def _check_account(found: Findings, i: int, sort_code: str | None, number: str | None) -> None:
        if bool(sort_code) != bool(number):
            found.at(
                i,
                "account_number",
                "a sort code needs an account number, and the other way",
                "Give both, or neither",
            )
            return
        if sort_code and not digits_of(sort_code, 6):
            found.at(i, "sort_code", accounts.NO_SORT_CODE, accounts.WRITE_SORT_CODE)
        if number and not digits_of(number, 8):
            found.at(i, "account_number", accounts.NO_NUMBER, accounts.WRITE_NUMBER)

    @staticmethod
    def _check_known(found: Findings, i: int, row: dict[str, Any], known: Standing) -> None:
        now = known.employment
        if now and row["start_date"] != now.starts and not _returns(row, now):
            problem = f"employed since {now.starts}, not {row['start_date']}"
            remedy = f"Write {now.starts}; a return begins after the day they left"
            found.at(i, "start_date", problem, remedy)
        if known.account and _is_other_account(row, known.account):
            since, earliest = row["account_from"], known.account.starts + timedelta(days=1)
            if since is None:
                problem = "this is another account than the one on file"
                found.at(i, "account_from", problem, "Write the first day on which it is paid into this one")
            elif since < earliest:
                problem = f"the account on file stands since {known.account.starts}"
                found.at(
                    i, "account_from", problem, f"Give {earliest} or later: what was used is not changed"
                )
            else:
                found.warn(
                    i,
                    "account_number",
                    "this is another account than the one on file",
                    "It will wait until a second person approves it",
                )

    def take(self, parsed: Parsed, commit_id: UUID) -> dict[str, int]:
        client_id = current_scope().client_id
        rows = list(parsed.content.rows())
        standing = _standing([row["payroll_number"] for row in rows])
        new = [row for row in rows if row["payroll_number"] not in standing]
        asked = add_people(client_id, new)
        known = [(standing[row["payroll_number"]], row) for row in rows if row["payroll_number"] in standing]
        changed = _update_people(client_id, known)
        asked += _other_accounts(known)
        counts = {"people": len(new), "changed": changed}
        if held := accounts.hold_from_file(asked, commit_id):
            counts["accounts held for a second person"] = held
        return counts


@dataclass
class Standing:
    """What is on file about a known person: the latest employment, and the account that has no end."""

    person: Person
    employment: Employment | None = None
    account: BankAccount | None = None
    had_account: bool = False


def _standing(numbers: Sequence[str]) -> dict[str, Standing]:
    """By payroll number, those who are known."""
    client_id = current_scope().client_id
    people = Person.objects.filter(client_id=client_id, payroll_number__in=set(numbers))
    found = {p.counterparty_id: Standing(p) for p in people}
    ids = list(found)
    for employment in Employment.objects.filter(client_id=client_id, person_id__in=ids).order_by("starts"):
        found[employment.person_id].employment = employment
    for account in BankAccount.objects.filter(client_id=client_id, person_id__in=ids):
        found[account.person_id].had_account = True
        if account.ends is None:
            found[account.person_id].account = account
    return {standing.person.payroll_number: standing for standing in found.values()}


def _returns(row: dict[str, Any], before: Employment) -> bool:
    """Whether the row is a new employment of somebody who had left."""
    return before.ends is not None and row["start_date"] > before.ends


def _is_other_account(row: dict[str, Any], account: BankAccount) -> bool:
    sort_code, number = _account_of(row)
    return bool(sort_code) and bytes(account.fingerprint) != fingerprint(account.client_id, sort_code, number)


def _account_of(row: dict[str, Any]) -> tuple[str, str]:
    """Sort code and account number as digits; empty where the row has none, or what is none."""
    return digits_of(row["sort_code"] or "", 6) or "", digits_of(row["account_number"] or "", 8) or ""


def add_people(client_id: UUID, rows: list[dict[str, Any]]) -> list[FromFile]:
    """New people with their employment and first account; accounts that the client's policy holds are
    returned."""
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
            "ni_fingerprint": [_ni_fingerprint(client_id, r["ni_number"]) for r in rows],
        },
        n,
        casts={"date_of_birth": "date", "ni_number": "bytea", "ni_fingerprint": "bytea"},
    )
    paired = list(zip(ids, rows, strict=True))
    _add_employments(client_id, paired)
    with_account = [(person_id, row) for person_id, row in paired if row["sort_code"]]
    if not holds_first_accounts():
        _add_accounts(client_id, with_account)
        return []
    made = Person.objects.in_bulk([person_id for person_id, _ in with_account])
    return [_from_file(made[person_id], row) for person_id, row in with_account]


def _ni_fingerprint(client_id: UUID, number: str | None) -> bytes | None:
    """Of the number as HMRC writes it, however the file does."""
    plain = (number or "").replace(" ", "").upper()
    return encrypted_field(Person, "ni_number").fingerprint(client_id, plain) if plain else None


def _from_file(person: Person, row: dict[str, Any]) -> FromFile:
    name = row["account_name"] or row["name"]
    payee = Payee.of(name, row["sort_code"], row["account_number"])
    return FromFile(person, row["account_from"] or row["start_date"], payee)


def _other_accounts(rows: list[tuple[Standing, dict[str, Any]]]) -> list[FromFile]:
    """Accounts of known people that are not the one on file and not their first."""
    holds_first = holds_first_accounts()
    return [
        _from_file(standing.person, row)
        for standing, row in rows
        if row["sort_code"]
        and (standing.had_account or holds_first)
        and (standing.account is None or _is_other_account(row, standing.account))
    ]


def _add_employments(client_id: UUID, rows: list[tuple[UUID, dict[str, Any]]]) -> None:
    insert_columns(
        Employment,
        {
            "id": uuid7s(len(rows)),
            "client_id": client_id,
            "person_id": [person_id for person_id, _ in rows],
            "starts": [r["start_date"] for _, r in rows],
            "ends": [r["leave_date"] for _, r in rows],
        },
        len(rows),
        casts={"ends": "date"},
    )


def _add_accounts(client_id: UUID, rows: list[tuple[UUID, dict[str, Any]]]) -> None:
    """Accounts from the day the row names, else from the start of employment."""
    sort_code, number = (
        encrypted_field(BankAccount, "sort_code"),
        encrypted_field(BankAccount, "account_number"),
    )
    plain = [_account_of(r) for _, r in rows]
    insert_columns(
        BankAccount,
        {
            "id": uuid7s(len(rows)),
            "client_id": client_id,
            "person_id": [person_id for person_id, _ in rows],
            "starts": [r["account_from"] or r["start_date"] for _, r in rows],
            "account_name": [r["account_name"] or r["name"] for _, r in rows],
            "sort_code": [sort_code.seal(client_id, s) for s, _ in plain],
            "account_number": [number.seal(client_id, a) for _, a in plain],
            "fingerprint": [fingerprint(client_id, s, a) for s, a in plain],
        },
        len(rows),
    )


def _update_people(client_id: UUID, rows: list[tuple[Standing, dict[str, Any]]]) -> int:
    """Record what differs: names and details, a leaver's last day, a return, a first account. Returns how
    many things."""
    changed = _update_details(client_id, rows)
    returned = [(s.person.counterparty_id, r) for s, r in rows if s.employment and _returns(r, s.employment)]
    _add_employments(client_id, returned)
    changed += len(returned)
    first = []
    holds_first = holds_first_accounts()
    for standing, row in rows:
        if standing.employment and not _returns(row, standing.employment):
            changed += _record_leaving(standing.employment, row["leave_date"])
        if row["sort_code"] and not standing.had_account and not holds_first:
            first.append((standing.person.counterparty_id, row))
    _add_accounts(client_id, first)
    return changed + len(first)


def _record_leaving(employment: Employment, leaves: date | None) -> int:
    if leaves is None or employment.ends == leaves:
        return 0
    employment.ends = leaves
    employment.save(update_fields=["ends"])
    return 1


def _update_details(client_id: UUID, rows: list[tuple[Standing, dict[str, Any]]]) -> int:
    """Name, date of birth, e-mail and NI number, where the file has another one."""
    people = [standing.person for standing, _ in rows]
    ni_numbers = reveal(people, "ni_number", purpose="compare with a file of people")
    changed = 0
    for person, (_, row), ni_number in zip(people, rows, ni_numbers, strict=True):
        new = {"name": row["name"], "date_of_birth": row["date_of_birth"], "email": row["email"]}
        differing = {k: v for k, v in new.items() if v and v != getattr(person, k)}
        if row["ni_number"] and row["ni_number"] != ni_number:
            differing["ni_number"] = encrypted_field(Person, "ni_number").seal(client_id, row["ni_number"])
            differing["ni_fingerprint"] = _ni_fingerprint(client_id, row["ni_number"])
        if differing:
            Person.objects.filter(client_id=client_id, counterparty_id=person.counterparty_id).update(
                **differing
            )
            changed += 1
        if "name" in differing:
            Counterparty.objects.filter(client_id=client_id, id=person.counterparty_id).update(
                name=row["name"]
            )
    return changed
