"""Files of customers' sites and of rate cards."""

from __future__ import annotations

from itertools import pairwise
from typing import Any
from uuid import UUID

from engineroom.foundation.imports.services import Parsed, importer
from engineroom.foundation.imports.sheets import Column
from engineroom.foundation.imports.tables import Findings, TableImporter
from engineroom.foundation.tenancy.scope import current_client_id
from engineroom.kernel.errors import Problem
from engineroom.openitems.models import Counterparty
from engineroom.timesheets import rates
from engineroom.timesheets.models import Agreement, Site


def _customers() -> dict[str, UUID]:
    rows = Counterparty.objects.filter(client_id=current_client_id(), kind="customer")
    return dict(rows.values_list("code", "id"))


def _check_customers(found: Findings, codes: list[str]) -> None:
    known = _customers()
    for i, code in enumerate(codes):
        if code not in known:
            remedy = "Import the customer first, or correct the code"
            found.at(i, "customer", f"there is no customer {code!r}", remedy)


@importer
class Sites(TableImporter):
    """Where people work at customers'."""

    kind = "sites"
    permission = "timesheets.prepare"
    summary = "customers' sites: the places at which people work"
    columns = (
        Column("customer", required=True, max_length=40),
        Column("site", required=True, max_length=40),
        Column("name", required=True, max_length=200),
        Column("address", max_length=500),
    )

    def check(self, parsed: Parsed) -> list[Problem]:
        found = Findings(parsed.content)
        c = parsed.content.columns
        _check_customers(found, c["customer"])
        keys = list(zip(c["customer"], c["site"], strict=True))
        found.repeated(keys, "site", lambda key: f"site {key[1]} of {key[0]}")
        return found.problems

    def take(self, parsed: Parsed, commit_id: UUID) -> dict[str, int]:
        customers = _customers()
        for row in parsed.content.rows():
            Site.objects.update_or_create(
                client_id=current_client_id(),
                customer_id=customers[row["customer"]],
                code=row["site"],
                defaults={"name": row["name"], "address": row["address"] or ""},
            )
        return {"sites": parsed.rows}


@importer
class RateCards(TableImporter):
    """What roles pay and bill under customers' agreements, a version a row."""

    kind = "rate-cards"
    permission = "timesheets.prepare"
    summary = "rate cards: what a role pays and bills under a customer's agreement, from a day on"
    columns = (
        Column("customer", required=True, max_length=40),
        Column("agreement", required=True, max_length=40),
        Column("role", required=True, max_length=100),
        Column("from_date", "date", required=True),
        Column("until_date", "date"),
        Column("pay_rate", "money", required=True),
        Column("bill_rate", "money", required=True),
        Column("overtime", "percent"),
        Column("weekend", "percent"),
        Column("weekly_hours", "hours"),
    )

    def check(self, parsed: Parsed) -> list[Problem]:
        found = Findings(parsed.content)
        rows = list(parsed.content.rows())
        _check_customers(found, parsed.content.columns["customer"])
        standing = self._agreements()
        wrong = [rates.wrong_terms(_terms(row)) for row in rows]
        offers = {
            i: rates.Offer(row["customer"], row["role"], row["from_date"], row["pay_rate"], row["bill_rate"])
            for i, row in enumerate(rows)
            if not wrong[i]
        }
        refused = dict(zip(offers, rates.not_offered(list(offers.values())), strict=True))
        for i, row in enumerate(rows):
            problems = [*wrong[i], *refused.get(i, [])]
            if agreement := standing.get((row["customer"], row["agreement"])):
                days = row["from_date"], row["until_date"]
                problems += rates.wrong_version(agreement, row["role"], *days)
            elif row["until_date"] and row["until_date"] < row["from_date"]:
                what = f"ends on {row['until_date']} before it begins on {row['from_date']}"
                problems.append(Problem(what, "Correct a date", field="until_date"))
            for problem in problems:
                found.at(i, problem.field or "from_date", problem.problem, problem.remedy)
        self._check_overlaps(found, rows)
        return found.problems

    @staticmethod
    def _check_overlaps(found: Findings, rows: list[dict[str, Any]]) -> None:
        """Two rows of a role that share a day: which of them would hold?"""
        order = sorted(range(len(rows)), key=lambda i: (*_key(rows[i]), rows[i]["from_date"]))
        for before, i in pairwise(order):
            first, row = rows[before], rows[i]
            ends = first["until_date"]
            if _key(first) == _key(row) and (ends is None or ends >= row["from_date"]):
                line = found.sheet.row_numbers[before]
                until = f"until {ends}" if ends else "without an end"
                what = f"overlaps row {line}, a card of {row['role']} from {first['from_date']} {until}"
                found.at(i, "from_date", what, "Let one end on the day before the other begins")

    @staticmethod
    def _agreements() -> dict[tuple[str, str], UUID]:
        rows = Agreement.objects.filter(client_id=current_client_id())
        return {(code, number): id for code, number, id in rows.values_list("customer__code", "number", "id")}

    def take(self, parsed: Parsed, commit_id: UUID) -> dict[str, int]:
        """An agreement that is new begins with its first card."""
        standing, customers, added = self._agreements(), _customers(), 0
        for row in sorted(parsed.content.rows(), key=lambda r: (*_key(r), r["from_date"])):
            key = (row["customer"], row["agreement"])
            if key not in standing:
                made = Agreement.objects.create(
                    client_id=current_client_id(), customer_id=customers[key[0]], number=key[1]
                )
                standing[key] = made.id
                added += 1
            days = row["from_date"], row["until_date"]
            rates.keep_version(standing[key], row["role"], *days, _terms(row), "from a file")
        return {"rate cards": parsed.rows, "agreements": added}


def _key(row: dict[str, Any]) -> tuple[str, str, str]:
    return row["customer"], row["agreement"], row["role"]


def _terms(row: dict[str, Any]) -> rates.Terms:
    return rates.Terms(
        row["pay_rate"],
        row["bill_rate"],
        1_500_000 if row["overtime"] is None else row["overtime"],
        1_500_000 if row["weekend"] is None else row["weekend"],
        40 * 60 if row["weekly_hours"] is None else row["weekly_hours"],
    )
