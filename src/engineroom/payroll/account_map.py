"""Which account of a client's book each line of a run is posted to: said by line, cost centre and day.

Where nothing is said the jurisdiction's own account holds. What is said is a version of the map, and never
changed; a released run keeps the accounts that it was posted to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from django.db import connection

from engineroom.foundation import numbering
from engineroom.foundation.access.models import User
from engineroom.foundation.commands import command
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import current_client_id, current_scope
from engineroom.kernel.errors import InputRefused, Problem, wrong_reason
from engineroom.ledger.models import Account
from engineroom.payroll.inputs import STATED, Missing
from engineroom.payroll.jurisdictions import Jurisdiction, jurisdiction
from engineroom.payroll.models import AccountChange, MappedAccount, PayRun, PostedMap
from engineroom.payroll.postings import Posted, Postings, Side

BOOK = "main"


@dataclass(frozen=True)
class AccountMap:
    """The accounts of one payday. mapped: by line's code and cost centre. version: 0 where none."""

    mapped: Mapping[tuple[str, str], str] = field(default_factory=dict)
    version: int = 0

    def account_of(self, line: Posted, cost_centre: str = "") -> str:
        """The account of the cost centre, or else of the line, or else the jurisdiction's."""
        return self.mapped.get((line.code, cost_centre)) or self.mapped.get((line.code, "")) or line.account

    @property
    def has_centres(self) -> bool:
        return any(centre for _, centre in self.mapped)

    def whole(self, postings: Postings) -> dict[str, str]:
        """Every line's account as it is kept with a run: by code, and by code and cost centre."""
        found = {line.code: self.account_of(line) for line in postings.lines()}
        return found | {
            f"{code} {centre}": account
            for (code, centre), account in self.mapped.items()
            if centre and account
        }

    @classmethod
    def kept(cls, row: PostedMap) -> AccountMap:
        """As a released run kept it."""
        parts = [(*code.partition(" "), account) for code, account in row.accounts.items()]
        return cls({(code, centre): account for code, _, centre, account in parts}, row.version)


AS_OF = """
SELECT DISTINCT ON (m.line, m.cost_centre) m.line, m.cost_centre, m.account
FROM payroll_mappedaccount m
JOIN payroll_accountchange c ON c.client_id = m.client_id AND c.id = m.change_id
WHERE m.client_id = %(client)s AND m.starts <= %(day)s
ORDER BY m.line, m.cost_centre, m.starts DESC, c.number DESC
"""


def map_of(day: date) -> AccountMap:
    """The map by which a run of that payday would be posted now."""
    client_id = current_client_id()
    with connection.cursor() as cursor:
        cursor.execute(AS_OF, {"client": client_id, "day": day})
        mapped = {(line, centre): account for line, centre, account in cursor.fetchall()}
    latest = AccountChange.objects.filter(client_id=client_id).order_by("-number")
    return AccountMap(mapped, latest.values_list("number", flat=True).first() or 0)


def map_of_run(run: PayRun) -> AccountMap:
    """By which it was posted, or would be now."""
    row = PostedMap.objects.filter(client_id=run.client_id, run=run).first()
    return AccountMap.kept(row) if row else map_of(run.pay_date)


def keep(run: PayRun, accounts: AccountMap, postings: Postings) -> None:
    """Keep with a run what it is posted by."""
    PostedMap.objects.create(
        client_id=run.client_id, run=run, version=accounts.version, accounts=accounts.whole(postings)
    )


# --- what can be posted where -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Book:
    """The client's accounts: name and whether it is a control account, by code."""

    accounts: Mapping[str, tuple[str, bool]]

    def wrong(self, line: Posted, account: str) -> Problem | None:
        """Why a line cannot be posted to an account, and what to do."""
        found = self.accounts.get(account)
        where = f"{line.label} ({line.code})"
        if found is None:
            problem = f"{where} goes to account {account!r}, which the book does not have"
            return Problem(problem, f"Map {line.code} to an account of the book, or add {account}")
        is_control = found[1]
        if line.side == "owed" and not is_control:
            problem = f"{where} is owed to somebody; account {account} is no control account"
            return Problem(problem, f"Map {line.code} to a control account, whose items say who is owed what")
        if line.side != "owed" and is_control:
            problem = f"{where} is owed to nobody; account {account} is a control account"
            return Problem(problem, f"Map {line.code} to an account that is not a control account")
        return None


def book() -> Book:
    rows = Account.objects.filter(client_id=current_client_id(), book__code=BOOK)
    return Book(
        {code: (name, control) for code, name, control in rows.values_list("code", "name", "is_control")}
    )


def unmapped(run: PayRun) -> list[Missing]:
    """What of a calculated run has no account to go to; each says what to do."""
    if run.published is None or run.kind in STATED:
        return []
    law, accounts, there = jurisdiction(run.jurisdiction), map_of_run(run), book()
    totals = dict(zip(run.published.elements, run.totals or (), strict=False))
    found = [
        there.wrong(line, account)
        for line in law.postings.lines()
        if any(totals.get(element) for element, _ in line.sums)
        for account in _accounts_of(accounts, line)
    ]
    return [Missing(str(run), "account map", p.problem, p.remedy) for p in found if p]


def _accounts_of(accounts: AccountMap, line: Posted) -> Iterator[str]:
    """Everywhere a line may go."""
    centres = {centre for code, centre in accounts.mapped if code == line.code}
    return iter(sorted({accounts.account_of(line, centre) for centre in {"", *centres}}))


# --- saying it --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mapped:
    """A line goes to an account from a payday on. account: empty puts the jurisdiction's back."""

    line: str
    account: str
    starts: date
    cost_centre: str = ""


@dataclass(frozen=True)
class AccountsMapped:
    change_id: UUID
    version: int
    rows: int

    @property
    def subject(self) -> str:
        return f"account_change:{self.change_id}"


@command("ledger.prepare")
def map_accounts(rows: Sequence[Mapped], *, reason: str, source: str = "") -> AccountsMapped:
    """Say where lines are posted, all at once: one version of the map. Raises InputRefused with everything
    wrong. Runs that are released stay as they were posted."""
    problems = [*wrong_reason(reason), *(p for i, row in enumerate(rows) for p in wrong_row(row, rows[:i]))]
    if not rows:
        problems.append(Problem("nothing is mapped", "Name a line and its account", field="line"))
    if problems:
        raise InputRefused(problems, "Nothing was mapped")
    change = write_version(rows, reason, source)
    return AccountsMapped(change.id, change.number, len(rows))


def write_version(rows: Sequence[Mapped], reason: str, source: str) -> AccountChange:
    """Rows that were found right, as the next version."""
    client_id = current_scope().client_id
    change = AccountChange.objects.create(
        client_id=client_id,
        number=numbering.take("account-map"),
        reason=reason.strip(),
        source=source[:40],
        by_user_id=current_scope().user.id,
    )
    MappedAccount.objects.bulk_create(
        MappedAccount(
            client_id=client_id,
            change=change,
            line=row.line,
            cost_centre=row.cost_centre.strip(),
            starts=row.starts,
            account=row.account.strip(),
        )
        for row in rows
    )
    return change


def country() -> Jurisdiction:
    return jurisdiction(Client.objects.values_list("jurisdiction", flat=True).get(id=current_client_id()))


def wrong_row(row: Mapped, before: Sequence[Mapped] = ()) -> list[Problem]:
    """What is wrong with one row, given those before it."""
    postings = country().postings
    lines = {line.code: line for line in postings.lines()}
    line = lines.get(row.line)
    if line is None:
        known = ", ".join(sorted(set(lines) - {postings.net.code}))
        return [Problem(f"{row.line!r} is no line of a run", f"Take one of {known}", field="line")]
    if line == postings.net:
        problem = "net pay always goes to the account that payments are made from"
        return [Problem(problem, f"Leave {row.line} out", field="line")]
    found = []
    centre = row.cost_centre.strip()
    if centre and line.side != "cost":
        problem = f"{line.code} is no cost, so it has no cost centre"
        found.append(Problem(problem, "Leave the cost centre out", field="cost_centre"))
    if any((row.line, centre) == (b.line, b.cost_centre.strip()) for b in before):
        problem = f"{row.line} {centre or 'without a cost centre'} is mapped twice"
        found.append(Problem(problem, "Leave one of them out", field="line"))
    if row.account.strip() and (wrong := book().wrong(line, row.account.strip())):
        found.append(Problem(wrong.problem, wrong.remedy, field="account"))
    return found


# --- as it stands -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LineView:
    """A line with where it goes on a day. is_default: the jurisdiction's own. wrong: why it cannot."""

    code: str
    label: str
    side: Side
    cost_centre: str
    account: str
    account_name: str
    is_default: bool
    wrong: str
    can_be_mapped: bool


def lines_on(day: date) -> tuple[AccountMap, list[LineView]]:
    """Every line and cost centre of the client's law, and where a run of that payday would be posted."""
    postings, accounts, there = country().postings, map_of(day), book()
    rows = []
    for line in postings.lines():
        centres = sorted(
            {c for (code, c), account in accounts.mapped.items() if code == line.code and account}
        )
        for centre in sorted({"", *centres}):
            account = accounts.account_of(line, centre)
            wrong = there.wrong(line, account)
            rows.append(
                LineView(
                    line.code,
                    line.label,
                    line.side,
                    centre,
                    account,
                    there.accounts.get(account, ("", False))[0],
                    not accounts.mapped.get((line.code, centre)),
                    wrong.problem if wrong else "",
                    line != postings.net,
                )
            )
    return accounts, rows


@dataclass(frozen=True)
class Version:
    """What was said at once, latest first. rows: line, cost centre, from when, account."""

    number: int
    at: datetime
    by: str
    reason: str
    source: str
    rows: tuple[MappedAccount, ...]


def versions(limit: int = 50) -> list[Version]:
    changes = list(AccountChange.objects.filter(client_id=current_client_id()).order_by("-number")[:limit])
    names = dict(User.objects.filter(id__in={c.by_user_id for c in changes}).values_list("id", "name"))
    rows: dict[UUID, list[MappedAccount]] = {change.id: [] for change in changes}
    said = MappedAccount.objects.filter(client_id=current_client_id(), change_id__in=list(rows))
    for row in said.order_by("line", "cost_centre"):
        rows[row.change_id].append(row)
    return [
        Version(c.number, c.at, names.get(c.by_user_id, ""), c.reason, c.source, tuple(rows[c.id]))
        for c in changes
    ]
