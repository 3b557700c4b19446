"""A real SIGKILL anywhere in a payday, and the same command again: exactly the books of a payday nobody
killed."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from engineroom.foundation import vault
from engineroom.foundation.audit import services as audit
from engineroom.ledger import selectors as ledger
from engineroom.ledger import services as ledger_services
from engineroom.ledger.charts import STAFFING
from engineroom.openitems import selectors as openitems
from engineroom.settlement import services as settlement
from engineroom.settlement.models import PaymentBatch
from tests.firm import PAY_DATE, Firm, Temp, TestClient, give_token, hours_file, set_up, typed

POINTS = ("import", "calculate", "publish", "release", "post")

TEMPS = (
    Temp("T1", hours=("9", "9", "9", "9", "9", "4"), loan="2", pension="salary_sacrifice"),
    Temp("T2", "Al Smith", customer="BETA", order="PO-1", tax_code="BR"),
    Temp("T3", "Bo Jones", customer="CELLO", status="disputed"),
)
ORDERS = (("BETA", "PO-1", "2026-01-01", "", "", "20"),)

BOOKS = {
    "payslips": """
        SELECT r.number, r.pay_date, r.tax_period, p.payroll_number, s.tax_code, s.ni_category, s.amounts,
          a.elements
        FROM payroll_payrun r JOIN payroll_payslip s ON s.attempt_id = r.published_id
        JOIN payroll_attempt a ON a.id = s.attempt_id JOIN people_person p ON p.id = s.person_id
        WHERE r.client_id = %s ORDER BY 1, 4""",
    "charges": """
        SELECT t.week_ending, t.status, e.day, c.kind, c.minutes, c.pay_amount, c.bill_amount, h.reason,
          h.note,
          b.id IS NOT NULL, pt.id IS NOT NULL
        FROM timesheets_charge c JOIN timesheets_timeentry e ON e.id = c.time_entry_id
        JOIN timesheets_timesheet t ON t.id = e.timesheet_id
        LEFT JOIN timesheets_hold h ON h.id = c.id LEFT JOIN billing_billed b ON b.id = c.id
        LEFT JOIN payroll_paidtimesheet pt ON pt.id = t.id
        WHERE c.client_id = %s ORDER BY t.assignment_id, e.day, c.kind""",
    "invoices": """
        SELECT i.number, k.code, i.order_number, i.issue_date, i.due, i.net, i.vat, i.gross, i.vat_rule,
          l.line_no, l.description, l.week_ending, l.kind, l.minutes, l.rate, l.net, l.vat_ppm
        FROM billing_invoice i JOIN billing_invoiceline l ON l.invoice_id = i.id
        JOIN openitems_counterparty k ON k.id = i.customer_id
        WHERE i.client_id = %s ORDER BY 1, 10""",
    "postings": """
        SELECT b.kind, e.day, e.narrative, a.code, p.currency, p.amount, k.code
        FROM ledger_posting p JOIN ledger_entry e ON e.id = p.entry_id JOIN ledger_batch b ON b.id =
          e.batch_id
        JOIN ledger_account a ON a.id = p.account_id LEFT JOIN openitems_counterparty k ON k.id = p.dimension
        WHERE p.client_id = %s ORDER BY 1, 2, 3, 4, 7, 6""",
    "open items": """
        SELECT o.kind, k.code, a.code, o.currency, o.amount, o.due, o.reference, o.subject_kind
        FROM openitems_openitem o JOIN ledger_account a ON a.id = o.account_id
        LEFT JOIN openitems_counterparty k ON k.id = o.counterparty_id
        WHERE o.client_id = %s ORDER BY 1, 7, 2, 5""",
    "allocations": """
        SELECT x.kind, x.reference, y.kind, y.reference, l.amount, l.undoes_id IS NOT NULL
        FROM openitems_allocation l JOIN openitems_openitem x ON x.id = l.item_a_id
        JOIN openitems_openitem y ON y.id = l.item_b_id WHERE l.client_id = %s ORDER BY 1, 2, 3, 4""",
    "payments": """
        SELECT b.reference, b.pay_date, b.submit_by, b.processing_day, b.entry_day, b.count, b.total,
          p.reference,
          k.code, p.amount
        FROM settlement_paymentbatch b JOIN settlement_payment p ON p.batch_id = b.id
        JOIN openitems_counterparty k ON k.id = p.payee_id WHERE b.client_id = %s ORDER BY 1, 8""",
    "numbers": "SELECT series, next_number FROM foundation_numberseries WHERE client_id = %s ORDER BY 1",
    "papers": """
        SELECT DISTINCT name, kind FROM foundation_vaultfile
        WHERE client_id = %s AND kind NOT IN ('payroll.trace') ORDER BY 1, 2""",
    "imports": """
        SELECT kind, encode(sha256, 'hex') FROM foundation_importcommit WHERE client_id = %s ORDER BY 1, 2""",
    "approvals": """
        SELECT a.subject_kind, r.id IS NOT NULL, v.id IS NOT NULL FROM foundation_approval a
        LEFT JOIN foundation_release r ON r.approval_id = a.id LEFT JOIN foundation_approvalvoid v ON v.id =
          a.id
        WHERE a.client_id = %s ORDER BY 1""",
}
"""What the books are, without ids and times."""


def books(client: TestClient) -> dict[str, Any]:
    """Everything a payday leaves behind, and the proof that it holds together."""
    found: dict[str, Any] = {}
    with client.acting("lead"), connection.cursor() as cursor:
        for name, sql in BOOKS.items():
            cursor.execute(sql, [client.id])
            found[name] = cursor.fetchall()
        found["bank files"] = [vault.read(b.file) for b in PaymentBatch.objects.filter(client_id=client.id)]
        assert all(c.ok for c in [*ledger.verify(), *openitems.verify()])
        assert audit.verify().ok
    return found


@pytest.fixture(scope="module")
def make(firm: Firm) -> Any:
    """Makes clients that differ in nothing but their code: the same people, customers, account and hours."""

    def new_client() -> TestClient:
        client = firm.new_client(with_books=False)
        with client.acting("bookkeeper"):
            ledger_services.open_book(STAFFING)
            settlement.add_own_account(
                "main",
                "SAME NAME",
                sort_code="200000",
                account_number="55667788",
                service_user_number="123456",
            )
        set_up(client, TEMPS, ORDERS)
        hours_file(client, TEMPS)
        for role in ("specialist", "lead", "checker"):
            give_token(firm, client.staff[role])
        return client

    return new_client


def payday(client: TestClient, out: Path, failpoint: str = "") -> Any:
    words: Sequence[object] = (
        "--as", client.staff["specialist"].email, "payday", client.code, "--pay-date", PAY_DATE,
        "--timesheets", client.folder / "hours.csv", "--out", out,
        "--approve-as", client.staff["lead"].email, "--release-as", client.staff["checker"].email,
    )  # fmt: skip
    return typed(*words, environment={"ENGINEROOM_FAILPOINT": failpoint})


@pytest.fixture(scope="module")
def unkilled(make: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The books of a payday that went through at once, and did nothing when it was typed again."""
    client = make()
    done = payday(client, tmp_path_factory.mktemp("unkilled"))
    assert done.returncode == 0, done.stderr
    found = books(client)
    assert all(found.values())
    again = payday(client, tmp_path_factory.mktemp("again"))
    assert again.returncode == 0, again.stderr
    assert "hours.csv: taken before, nothing done" in again.stdout
    assert books(client) == found
    return found


@pytest.mark.slow
@pytest.mark.parametrize("point", [name for step in POINTS for name in (step, f"{step}:after")])
def test_a_payday_killed_anywhere_and_typed_again_gives_exactly_the_same_books(
    make: Any, unkilled: dict[str, Any], tmp_path: Path, point: str
) -> None:
    client = make()
    killed = payday(client, tmp_path, point)
    assert killed.returncode == -signal.SIGKILL, (killed.stdout, killed.stderr)
    again = payday(client, tmp_path)
    assert again.returncode == 0, (again.stdout, again.stderr)
    found = books(client)
    for name, rows in unkilled.items():
        assert found[name] == rows, name
