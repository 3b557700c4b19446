"""A client with people on terms, ready kinds of leave, and a login."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID

import pytest

from engineroom.foundation.tenancy.scope import Identity
from engineroom.leave import entitling, selectors
from engineroom.leave.models import LeaveKind
from engineroom.people import services as people
from engineroom.people import terms
from engineroom.people.engine import Agreed
from engineroom.people.models import Person
from tests.firm import Firm, TestClient

BEGAN = date(2026, 1, 1)
FULL_TIME = Agreed("salary", 30_000_00, 37 * 60 + 30)
THREE_DAYS = Agreed("salary", 18_000_00, 3 * 450, 0b0000111)
DAY = 450
"""Minutes of a day of both."""


@dataclass
class Office:
    """Jo and Al full time, Bo from Monday to Wednesday; Jo has a login."""

    client: TestClient
    jo: Identity
    ids: dict[str, UUID]

    def kind(self, code: str) -> LeaveKind:
        found = selectors.kind_coded(code)
        assert found is not None, code
        return found

    def left(self, who: str, day: date, code: str = "annual") -> int:
        return selectors.balance(self.ids[who], self.kind(code), day).left


def make_office(firm: Firm, client: TestClient | None = None) -> Office:
    client = client or firm.new_client()
    rows = [("J1", "Jo Bloggs"), ("A1", "Al Smith"), ("B1", "Bo Jones")]
    headings = ("payroll_number", "name", "start_date", "sort_code", "account_number")
    people_rows = [(n, name, "2026-01-01", "20-00-00", f"{i:08d}") for i, (n, name) in enumerate(rows, 1)]
    client.take("people", client.file("people.csv", headings, people_rows))
    with client.acting("specialist"):
        ids = {p.payroll_number: p.counterparty_id for p in Person.objects.filter(client_id=client.id)}
        for number, _ in rows:
            agreed = THREE_DAYS if number == "B1" else FULL_TIME
            terms.set_terms(ids[number], agreed, starts=BEGAN, reason="taken over from another bureau")
        entitling.offer_ready_kinds()
        annual = selectors.kind_coded("annual")
        assert annual is not None
        entitling.grant_year(annual.id, BEGAN)
    jo = firm.new_user("employee")
    firm.grant(jo, client.id, "employee")
    with client.acting("lead"):
        people.give_login(ids["J1"], jo.id, starts=BEGAN)
    return Office(client, jo, ids)


@pytest.fixture
def office(firm: Firm) -> Office:
    return make_office(firm)
