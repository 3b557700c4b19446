"""What a payday leaves behind: the journal and the report into the vault, and everything into a folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from uuid import UUID

from django.db.models import QuerySet

from engineroom.billing import papers as billing_papers
from engineroom.billing import selectors as billing
from engineroom.billing.models import BillRun, Invoice
from engineroom.billing.services import parties_of, terms_of
from engineroom.cli import report
from engineroom.foundation import vault
from engineroom.foundation.imports.sheets import write_csv
from engineroom.foundation.tenancy.scope import Identity, acting, current_client_id, current_scope
from engineroom.foundation.vault.models import VaultFile
from engineroom.foundation.vault.services import keep
from engineroom.kernel.money import format_minor
from engineroom.ledger import selectors as ledger
from engineroom.openitems.models import Counterparty
from engineroom.payday.steps import Payday, payday_of
from engineroom.payroll import papers as payroll_papers
from engineroom.payroll import selectors as payroll
from engineroom.settlement.models import Cleared, PaymentBatch
from engineroom.ui.report import render_report

JOURNAL_HEADERS = (
    "entry",
    "day",
    "kind",
    "narrative",
    "account",
    "account name",
    "customer",
    "currency",
    "debit",
    "credit",
)


def leave(user: Identity, client_id: UUID, pay_date: date, out: Path | None) -> list[Path]:
    """Keep journal and report in the vault, and write all papers of the payday into `out`. Returns the paths
    written."""
    with acting(user, write=client_id):
        day = payday_of(pay_date)
        if day.run is None or day.run.published is None:
            return []
        subject = ("pay_run", day.run.id)
        journal = _journal(day)
        stem = f"{pay_date}-run-{day.run.number}"
        keep(
            journal,
            permission="ledger.read",
            name=f"journal-{stem}.csv",
            kind="ledger.journal",
            media_type="text/csv",
            subject=subject,
        )
        page = render_report(report.build(pay_date)).encode()
        keep(
            page,
            permission="payroll.read",
            name=f"report-{stem}.html",
            kind="payroll.report",
            media_type="text/html",
            subject=subject,
        )
        if out is None:
            return []
        written = [_write(out / f"journal-{stem}.csv", journal), _write(out / f"report-{stem}.html", page)]
        return written + _copy_files(day, out)


DRAFT_HEADERS = (
    "customer",
    "order",
    "assignment",
    "person",
    "role",
    "week ending",
    "kind",
    "minutes",
    "rate",
    "net",
    "invoice net",
    "invoice VAT",
    "invoice gross",
    "terms in days",
)


def leave_drafts(user: Identity, client_id: UUID, pay_date: date, out: Path | None) -> list[Path]:
    """The run's report and the drafts of its invoices as they stand, for whoever checks them. Returns the
    paths written."""
    if out is None:
        return []
    with acting(user, write=client_id):
        day = payday_of(pay_date)
        if day.run is None or day.run.published is None:
            return []
        stem = f"{pay_date}-run-{day.run.number}"
        written = [_write(out / f"report-{stem}.html", render_report(report.build(pay_date)).encode())]
        if day.bill_run and not day.issued:
            written.append(_write(out / f"drafts-{stem}.csv", _drafts(day.bill_run)))
        return written


def _drafts(run: BillRun) -> bytes:
    """Every line of every draft, with the sums of its invoice."""
    drafts = billing.drafts(run.through, run.issue_date)
    parties = parties_of(drafts)
    rows = [
        (
            parties[d.customer]["customer"]["name"],
            d.order_number,
            line.assignment,
            line.person,
            line.role,
            line.week_ending,
            line.kind,
            line.minutes,
            *(format_minor(n, grouped=False) for n in (line.rate, line.net, d.net, d.vat, d.gross)),
            terms_of(parties[d.customer]),
        )
        for d in drafts
        for line in d.lines
    ]
    return write_csv(DRAFT_HEADERS, rows)


def _journal(day: Payday) -> bytes:
    """Every posting of the run, its invoices, its payments and the bank lines that cleared them, as a CSV."""
    names = dict(Counterparty.objects.filter(client_id=current_scope().client_id).values_list("id", "name"))
    numbers: dict[UUID, int] = {}
    rows = []
    for line in ledger.journal(subjects=_subjects(day)):
        number = numbers.setdefault(line.entry_id, len(numbers) + 1)
        amount = format_minor(abs(line.amount), line.currency, grouped=False)
        rows.append(
            (
                number,
                line.day,
                line.batch_kind,
                line.narrative,
                line.account_code,
                line.account_name,
                names.get(line.dimension, "") if line.dimension else "",
                line.currency,
                amount if line.amount > 0 else "",
                amount if line.amount < 0 else "",
            )
        )
    return write_csv(JOURNAL_HEADERS, rows)


def _subjects(day: Payday) -> list[UUID]:
    assert day.run is not None
    batches = PaymentBatch.objects.filter(client_id=day.run.client_id, subject_id=day.run.id)
    cleared = Cleared.objects.filter(client_id=day.run.client_id).values_list("line_id", flat=True)
    return [
        day.run.id,
        *([day.bill_run.id] if day.bill_run else []),
        *batches.values_list("id", flat=True),
        *cleared,
    ]


@dataclass(frozen=True)
class Printed:
    """How many papers of a payday are in the vault, and how many payslips and invoices are not on paper."""

    payslips: int
    invoices: int
    missing: int


def printed(user: Identity, client_id: UUID, pay_date: date) -> Printed:
    with acting(user, read=[client_id]):
        day = payday_of(pay_date)
        slips = len(payroll_papers.payslip_files(day.run)) if day.run else 0
        invoices = _invoice_files(day).count()
        wanted = len(payroll.payslips(day.run)) if day.run else 0
        if day.bill_run:
            wanted += Invoice.objects.filter(client_id=client_id, bill_run=day.bill_run).count()
    return Printed(slips, invoices, wanted - slips - invoices)


def _invoice_files(day: Payday) -> QuerySet[VaultFile]:
    invoices = Invoice.objects.filter(client_id=current_client_id(), bill_run=day.bill_run)
    rows = VaultFile.objects.filter(client_id=current_client_id(), kind=billing_papers.KIND)
    return rows.filter(subject_id__in=invoices.values("id")) if day.bill_run else rows.none()


def _copy_files(day: Payday, out: Path) -> list[Path]:
    assert day.run is not None
    written = [
        _write(out / "payslips" / f.name, vault.read(f)) for f in payroll_papers.payslip_files(day.run)
    ]
    if day.batch:
        written.append(_write(out / day.batch.file.name, vault.read(day.batch.file)))
    written += [
        _write(out / "invoices" / f.name, vault.read(f)) for f in _invoice_files(day).order_by("name")
    ]
    return written


def _write(path: Path, content: bytes) -> Path:
    """Papers hold private data: only the one who asked may read them."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as out:
        os.fchmod(out.fileno(), 0o600)  # an older file of that name may have been open to others
        out.write(content)
    return path
