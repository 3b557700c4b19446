"""A client with a payday behind it, and callers with tokens."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import pytest
from django.test import Client as Browser

from engineroom.billing import einvoices, supplier_bills
from engineroom.billing.models import Invoice
from engineroom.billing.supplier_bills import BillLine, BillSaid
from engineroom.foundation import vault
from engineroom.foundation.access import services as access
from engineroom.foundation.tenancy.scope import Identity, acting
from engineroom.payday import steps
from engineroom.people import services as people
from engineroom.people.models import Person
from engineroom.settlement.models import PaymentBatch
from engineroom.sop import drafts
from engineroom.sop import services as sop
from engineroom.sop.evidence import keep_file
from engineroom.sop.models import Task
from tests.firm import Firm, Temp, TestClient, run_payday, set_up
from tests.settlement.bank import Booked, statement, write
from tests.sop.writing import procedure_text

KINDS = {
    "worker": "worker",
    "client_finance": "client",
    "client_approver": "client",
    "employee": "employee",
}
_keys = itertools.count(1)


@pytest.fixture(autouse=True)
def _mounted() -> Iterator[None]:
    """The API alone, without a limit that a test would meet by being fast."""
    from django.test import override_settings

    with override_settings(ROOT_URLCONF="tests.api.urls", ALLOWED_HOSTS=["*"], API_REQUESTS_PER_MINUTE=10**6):
        yield


@dataclass
class Answer:
    """What came back."""

    status: int
    body: Any
    headers: Any
    raw: bytes


@dataclass
class Caller:
    """A user with a token, and short ways to call."""

    user: Identity
    token: str

    def get(self, path: str, **query: Any) -> Answer:
        return self._answer(Browser().get(f"/api{path}", query, headers=self._headers()))

    def post(self, path: str, body: Any = None, *, key: str | None = "new", **more: Any) -> Answer:
        """key: `new` makes one; None sends none."""
        headers = self._headers()
        if key:
            headers["Idempotency-Key"] = f"test-{next(_keys)}" if key == "new" else key
        data = "" if body is None else json.dumps(body)
        return self._answer(
            Browser().post(f"/api{path}", data, content_type="application/json", headers=headers, **more)
        )

    def upload(self, path: str, file: Any, *, key: str = "") -> Answer:
        headers = self._headers() | ({"Idempotency-Key": key} if key else {})
        return self._answer(Browser().post(f"/api{path}", {"file": file}, headers=headers))

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    @staticmethod
    def _answer(response: Any) -> Answer:
        raw = response.content
        is_json = "json" in response.headers.get("Content-Type", "")
        return Answer(response.status_code, json.loads(raw) if is_json else None, response.headers, raw)


def token_for(firm: Firm, user: Identity, **limits: Any) -> str:
    with acting(firm.admin, write=firm.house_id):
        return access.issue_token(user.id, **limits).token


@pytest.fixture(scope="session")
def caller(firm: Firm) -> Callable[..., Caller]:
    """A caller for a user, with a token of their own, narrowed if asked."""

    def make(user: Identity, **limits: Any) -> Caller:
        return Caller(user, token_for(firm, user, **limits))

    return make


@pytest.fixture(scope="module")
def desk(firm: Firm) -> TestClient:
    """A client of cases, with a contact of its own beside the firm's people."""
    client = firm.new_client(with_books=False)
    client.staff["contact"] = firm.new_user("client")
    firm.grant(client.staff["contact"], client.id, "client_finance")
    return client


@dataclass
class Worked:
    """A client with one payday done, an import previewed, and somebody in every role."""

    client: TestClient
    by_role: dict[str, Caller]
    pay_date: date

    @property
    def at(self) -> str:
        return f"/clients/{self.client.code}"

    def first(self, path: str, **query: Any) -> dict[str, Any]:
        """The first of a list, as its owner sees it."""
        answer = self.by_role["owner"].get(f"{self.at}{path}", **query)
        assert answer.status == 200, answer.body
        item: dict[str, Any] = answer.body["items"][0]
        return item


PAY_DATE = date(2026, 11, 27)
TEMPS = [
    Temp("T1", "Jo Bloggs", hours=("8", "8", "8", "8", "8")),
    Temp("T2", "Al Green", hours=("8", "8"), status="disputed"),
    Temp("T3", "Cy Brown", hours=("7.5", "8"), customer="BETA", pension="relief_at_source"),
]


LOGINS = {"employee": "T1", "worker": "T2"}
"""Who is somebody here, and sees their own pay."""


def worked_client(firm: Firm, roles: tuple[str, ...]) -> Worked:
    """Through the product's own commands: hours, run, release, invoices, papers; and a case that began."""
    client = firm.new_client()
    set_up(client, TEMPS)
    run_payday(client, TEMPS, PAY_DATE, with_papers=True)
    _bank(client)
    _case(firm, client)
    _e_invoice(client)
    _owe(client)
    by_role: dict[str, Caller] = {}
    for role in roles:
        user = client.staff.get(role)
        if user is None:
            user = firm.new_user(KINDS.get(role, "staff"))
            ends = {"ends": date(2199, 1, 1)} if role == "auditor" else {}
            firm.grant(user, client.id, role, **ends)
        if role in LOGINS:
            with client.acting("lead"):
                person = Person.objects.get(client_id=client.id, payroll_number=LOGINS[role])
                people.give_login(person.counterparty_id, user.id, starts=date(2026, 1, 5))
        by_role[role] = Caller(user, token_for(firm, user))
    return Worked(client, by_role, PAY_DATE)


def _bank(client: TestClient) -> None:
    """The bank books the payment file, and something that nobody knows."""
    with client.acting("bookkeeper"):
        batch = PaymentBatch.objects.get(client_id=client.id)
    lines = [
        Booked(-batch.total, text=batch.reference, reference="B1", day=batch.entry_day),
        Booked(12345, text="who knows", payer="NOBODY", reference="B2", day=batch.entry_day),
    ]
    steps.clear(client.staff["bookkeeper"], client.id, [write(client.folder, statement(lines))])


def _case(firm: Firm, client: TestClient) -> None:
    """Its first step is done, with a file; the client is asked."""
    with acting(firm.owner, write=firm.house_id):
        key = drafts.publish(procedure_text(f"of_{client.code.lower()}")).key
    with client.acting("specialist"):
        case = sop.start_case(key, values={"day": "2026-11-27"})
        task = Task.objects.get(client_id=client.id, case_id=case.case_id)
        file = keep_file(task.id, b"the list", "list.csv")
        sop.complete(task.id, checks=[1], files={"list": file})


def _owe(client: TestClient) -> None:
    """A supplier's bill that waits for a yes."""
    line = BillLine("Paper", 10_00)
    with client.acting("bookkeeper"):
        supplier_bills.enter_bill(
            BillSaid("PAPER", "P-0", PAY_DATE, (line,), 2_00, supplier_name="Paper Ltd")
        )


def _e_invoice(client: TestClient) -> None:
    """The invoice that programs find first is kept as an e-invoice too."""
    with client.acting("specialist"):
        for row in Invoice.objects.filter(client_id=client.id):
            vault.store(
                b"<Invoice/>",
                name=f"{row.number}.xml",
                kind=einvoices.KIND,
                media_type=einvoices.MEDIA_TYPE,
                subject_id=row.id,
            )


def new_id() -> UUID:
    from engineroom.kernel.ids import uuid7

    return uuid7()


@pytest.fixture(scope="session")
def worked_books(firm: Firm) -> TestClient:
    """A client whose books hold a payday."""
    client = firm.new_client()
    set_up(client, TEMPS)
    run_payday(client, TEMPS, PAY_DATE)
    return client
