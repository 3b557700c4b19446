"""Customers' agreements and their rate cards, by role and day.

A card has versions that never overlap. A *new version* begins after every hour that is recorded under the
role's cards, so it values nothing anew. An *edit* is a further revision of one version's terms: it values the
hours of its days anew, of each the side that is not paid, or not billed, yet. What is paid or billed stays as
it is and is listed: pay as back pay finds it, invoices for credit and rebill.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import numpy as np
from django.db import connection

from engineroom.foundation.approvals import canonical
from engineroom.foundation.approvals.services import ContentChanged
from engineroom.foundation.commands import command
from engineroom.foundation.tenancy.scope import current_client_id, current_scope
from engineroom.kernel.errors import Conflict, InputRefused, NotFound, Problem, reason_given, whole
from engineroom.kernel.money import format_minor
from engineroom.kernel.rates import PPM, format_ppm
from engineroom.kernel.rounding import half_up
from engineroom.openitems.models import Counterparty
from engineroom.timesheets import engine, orders, selectors
from engineroom.timesheets.models import Agreement, Assignment, RateCard, RateTerms, Site

MAX_RATE = 10_000_00
"""Minor units an hour. More is a slipped decimal point, and it keeps minutes x rate x multiplier inside
int64."""
MINUTES_A_WEEK = 7 * 24 * 60


@dataclass(frozen=True)
class Terms:
    """What a card says: minor units an hour; multipliers in parts per million of the basic rate; minutes of
    weekdays after which overtime begins."""

    pay_rate: int
    bill_rate: int
    overtime_ppm: int = 1_500_000
    weekend_ppm: int = 1_500_000
    weekly_threshold_minutes: int = 40 * 60

    def times(self, kind: str) -> int | None:
        """The multiplier of a kind of hour; None for a kind that a card does not speak of."""
        return {"basic": PPM, "overtime": self.overtime_ppm, "weekend": self.weekend_ppm}.get(kind)


def wrong_terms(terms: Terms) -> list[Problem]:
    """What cannot be a rate of an hour, a multiplier or hours of a week."""
    wrong = [
        Problem(
            f"{format_minor(rate)} is not a rate for an hour", "Write pounds an hour, as 12.71", field=name
        )
        for name, rate in (("pay_rate", terms.pay_rate), ("bill_rate", terms.bill_rate))
        if not 0 < rate <= MAX_RATE
    ]
    wrong += [
        Problem(
            f"{format_ppm(times)} of the basic rate cannot be right",
            "Write what the hour pays of a basic one: 150% is time and a half",
            field=name,
        )
        for name, times in (("overtime", terms.overtime_ppm), ("weekend", terms.weekend_ppm))
        if not PPM <= times <= 10 * PPM
    ]
    if not 0 <= terms.weekly_threshold_minutes <= MINUTES_A_WEEK:
        said = f"{terms.weekly_threshold_minutes / 60:g} hours are not hours of a week"
        wrong.append(Problem(said, "Write 0 to 168", field="weekly_hours"))
    return wrong


@dataclass(frozen=True)
class Offer:
    """A rate that is about to be entered: whose, for what, from which day."""

    customer: str
    role: str
    starts: date
    pay_rate: int
    bill_rate: int


Check = Callable[[Sequence[Offer]], Sequence[list[Problem]]]
"""What there is against each of the rates: of a file's hundreds the same is asked once."""

_checks: list[Check] = []


def register_check(check: Check) -> None:
    """A higher room says what a rate must be beyond being one."""
    _checks.append(check)


def not_offered(offers: Sequence[Offer]) -> list[list[Problem]]:
    """What other rooms have against each of the rates."""
    found: list[list[Problem]] = [[] for _ in offers]
    for check in _checks if offers else []:
        for mine, said in zip(found, check(offers), strict=True):
            mine += said
    return found


# --- sites and agreements -------------------------------------------------------------------------------


def _customer(code: str) -> Counterparty:
    found = Counterparty.objects.filter(client_id=current_client_id(), kind="customer", code=code).first()
    if found is None:
        raise NotFound(f"there is no customer {code!r}")
    return found


@dataclass(frozen=True)
class SiteAdded:
    site_id: UUID

    @property
    def subject(self) -> str:
        return f"site:{self.site_id}"


@command("timesheets.prepare")
def add_site(customer: str, code: str, name: str, *, address: str = "") -> SiteAdded:
    """Keep a place of a customer's at which people work."""
    of = _customer(customer)
    code = _named("code", code, 40)
    if Site.objects.filter(client_id=of.client_id, customer=of, code=code).exists():
        raise Conflict(f"{customer} has a site {code} already")
    row = Site.objects.create(
        client_id=of.client_id,
        customer=of,
        code=code,
        name=_named("name", name, 200),
        address=whole("address", address, 500),
    )
    return SiteAdded(row.id)


def _named(field: str, text: str, longest: int) -> str:
    if not text.strip():
        raise InputRefused([Problem(f"no {field} is given", "Write one", field=field)])
    return whole(field, text, longest)


@dataclass(frozen=True)
class AgreementAdded:
    agreement_id: UUID
    number: str

    @property
    def subject(self) -> str:
        return f"agreement:{self.agreement_id}"


@command("timesheets.prepare")
def add_agreement(
    customer: str, number: str, *, title: str = "", site: str = "", agreed_on: date | None = None
) -> AgreementAdded:
    """Keep an agreement with a customer; its rate cards come one by one, or in a file. site: by its code."""
    of = _customer(customer)
    number = _named("number", number, 40)
    if Agreement.objects.filter(client_id=of.client_id, customer=of, number=number).exists():
        raise Conflict(f"{customer} has an agreement {number} already")
    place = Site.objects.filter(client_id=of.client_id, customer=of, code=site).first() if site else None
    if site and place is None:
        raise NotFound(f"{customer} has no site {site!r}")
    row = Agreement.objects.create(
        client_id=of.client_id,
        customer=of,
        number=number,
        title=whole("title", title, 200),
        site=place,
        agreed_on=agreed_on,
    )
    return AgreementAdded(row.id, number)


def agreement_of(agreement_id: UUID) -> Agreement:
    rows = Agreement.objects.select_related("customer", "site")
    found = rows.filter(client_id=current_client_id(), id=agreement_id).first()
    if found is None:
        raise NotFound(f"there is no agreement {agreement_id}")
    return found


def agreement_numbered(customer: str, number: str) -> Agreement:
    rows = Agreement.objects.select_related("customer", "site").filter(client_id=current_client_id())
    found = rows.filter(customer__code=customer, number=number).first()
    if found is None:
        raise NotFound(f"{customer} has no agreement {number!r}")
    return found


# --- versions -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CardAdded:
    """ended: the version that ends the day before, where one stood."""

    card_id: UUID
    starts: date
    ended: UUID | None

    @property
    def subject(self) -> str:
        return f"rate_card:{self.card_id}"


def wrong_version(agreement_id: UUID, role: str, starts: date, ends: date | None) -> list[Problem]:
    """Why a version cannot begin on the day: another stands there, or hours are valued already."""
    if ends is not None and ends < starts:
        return [Problem(f"ends on {ends} before it begins on {starts}", "Correct a date", field="until_date")]
    standing = _versions(agreement_id, role)
    for card in standing:
        if card.starts >= starts and (ends is None or card.starts <= ends):
            what = f"a card of {role} begins on {card.starts} already"
            return [Problem(what, "Edit that one, or end this one before it", field="from_date")]
        if card.starts < starts and card.ends is not None and card.ends >= starts:
            what = f"a card of {role} holds until {card.ends}"
            return [Problem(what, "Begin on the day after it", field="from_date")]
    last = _last_hour(agreement_id, role) if standing else None
    if last is not None and last >= starts:
        what = (
            f"hours up to {last} are recorded under the card that stands, and a new version values none anew"
        )
        return [Problem(what, f"Begin after {last}, or edit the card that stands", field="from_date")]
    return []


def _versions(agreement_id: UUID, role: str) -> list[RateCard]:
    rows = RateCard.objects.filter(client_id=current_client_id(), agreement_id=agreement_id, role=role)
    return list(rows.order_by("starts"))


def _last_hour(agreement_id: UUID, role: str) -> date | None:
    """The last day that is recorded of the assignments that follow."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT max(e.day) FROM timesheets_assignment a "
            "JOIN timesheets_timesheet t ON t.client_id = a.client_id AND t.assignment_id = a.id "
            "JOIN timesheets_timeentry e ON e.client_id = t.client_id AND e.timesheet_id = t.id "
            "WHERE a.client_id = %s AND a.agreement_id = %s AND a.role = %s AND e.day >= a.follows_from",
            [current_client_id(), agreement_id, role],
        )
        (day,) = cursor.fetchone()
        return day if day is None else date.fromisoformat(str(day))


@command("timesheets.prepare")
def add_rate_card(
    agreement_id: UUID,
    role: str,
    starts: date,
    *,
    pay_rate: int,
    bill_rate: int,
    overtime_ppm: int = 1_500_000,
    weekend_ppm: int = 1_500_000,
    weekly_threshold_minutes: int = 40 * 60,
    ends: date | None = None,
    reason: str = "",
) -> CardAdded:
    """A role's first card, or its new version: the one that stands ends the day before. Hours that are
    recorded keep their value."""
    agreement = agreement_of(agreement_id)
    role = _named("role", role, 100)
    terms = Terms(pay_rate, bill_rate, overtime_ppm, weekend_ppm, weekly_threshold_minutes)
    _one_at_a_time(agreement_id)
    offer = Offer(agreement.customer.code, role, starts, pay_rate, bill_rate)
    problems = [
        *wrong_terms(terms),
        *wrong_version(agreement.id, role, starts, ends),
        *not_offered([offer])[0],
    ]
    if problems:
        raise InputRefused(problems)
    return keep_version(agreement.id, role, starts, ends, terms, whole("reason", reason, 300))


def keep_version(
    agreement_id: UUID, role: str, starts: date, ends: date | None, terms: Terms, reason: str
) -> CardAdded:
    """Write a version that is looked at."""
    before = [c for c in _versions(agreement_id, role) if c.starts < starts and c.ends is None]
    for card in before:
        card.ends = starts - timedelta(days=1)
        card.save(update_fields=["ends"])
    made = RateCard.objects.create(
        client_id=current_client_id(), agreement_id=agreement_id, role=role, starts=starts, ends=ends
    )
    _keep_terms(made.id, 1, terms, reason)
    return CardAdded(made.id, starts, before[0].id if before else None)


def _keep_terms(card_id: UUID, revision: int, terms: Terms, reason: str) -> None:
    RateTerms.objects.create(
        client_id=current_client_id(),
        card_id=card_id,
        revision=revision,
        reason=reason,
        by_user_id=current_scope().user.id,
        **asdict(terms),
    )


def _one_at_a_time(agreement_id: UUID) -> None:
    """Of two who change an agreement's cards at once, the second finds what the first has left."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"cards:{agreement_id}"])


@dataclass(frozen=True)
class Followed:
    assignment_id: UUID
    starts: date

    @property
    def subject(self) -> str:
        return f"assignment:{self.assignment_id}"


@command("timesheets.prepare")
def follow_agreement(assignment_id: UUID, agreement_id: UUID, starts: date) -> Followed:
    """From a day on an assignment pays and bills what its agreement's card of the role says."""
    agreement = agreement_of(agreement_id)
    rows = Assignment.objects.select_for_update(of=("self",)).filter(client_id=agreement.client_id)
    row = rows.filter(id=assignment_id).first()
    if row is None:
        raise NotFound(f"there is no assignment {assignment_id}")
    if row.customer_id != agreement.customer_id:
        raise Conflict(f"agreement {agreement.number} is another customer's than assignment {row.code}")
    if row.agreement_id is not None:
        raise Conflict(f"assignment {row.code} follows an agreement already, from {row.follows_from}")
    if not any(
        c.starts <= starts and (not c.ends or c.ends >= starts) for c in _versions(agreement_id, row.role)
    ):
        raise NotFound(f"agreement {agreement.number} has no card of {row.role} on {starts}; add it first")
    last = _last_recorded(row.id)
    if last is not None and last >= starts:
        raise Conflict(f"hours of {row.code} are recorded up to {last}: begin after that day")
    row.agreement, row.follows_from = agreement, starts
    row.save(update_fields=["agreement", "follows_from"])
    return Followed(row.id, starts)


def _last_recorded(assignment_id: UUID) -> date | None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT max(e.day) FROM timesheets_timesheet t JOIN timesheets_timeentry e "
            "ON e.client_id = t.client_id AND e.timesheet_id = t.id "
            "WHERE t.client_id = %s AND t.assignment_id = %s",
            [current_client_id(), assignment_id],
        )
        found: date | None = cursor.fetchone()[0]
        return found


# --- edits ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Revalued:
    """A charge under a card, as it is and as the card would have it. Minor units; rates an hour.

    run: the pay run that took its hours; invoice: the one it stands on. Those sides stay as they are.
    """

    charge_id: UUID
    timesheet_id: UUID
    assignment: str
    person: str
    week_ending: date
    kind: str
    minutes: int
    pay_rate: int
    pay_amount: int
    bill_rate: int
    bill_amount: int
    run: int | None
    invoice: str | None
    new_pay_rate: int
    new_pay_amount: int
    new_bill_rate: int
    new_bill_amount: int

    @property
    def pay_change(self) -> int:
        return self.new_pay_amount - self.pay_amount

    @property
    def bill_change(self) -> int:
        return self.new_bill_amount - self.bill_amount

    @property
    def differs(self) -> bool:
        return (self.pay_rate, self.pay_amount, self.bill_rate, self.bill_amount) != (
            self.new_pay_rate,
            self.new_pay_amount,
            self.new_bill_rate,
            self.new_bill_amount,
        )


@dataclass(frozen=True)
class Edit:
    """What an edit of a card would do. rows: charges that get another value; content_hash: of all of it."""

    card: RateCard
    before: Terms
    after: Terms
    rows: tuple[Revalued, ...]

    @property
    def pay_moves(self) -> int:
        return sum(r.pay_change for r in self.rows if r.run is None)

    @property
    def bill_moves(self) -> int:
        return sum(r.bill_change for r in self.rows if r.invoice is None)

    @property
    def pay_stays(self) -> int:
        """What pay would change that a run has taken: back pay finds it once the run is released."""
        return sum(r.pay_change for r in self.rows if r.run is not None)

    @property
    def bill_stays(self) -> int:
        """What invoices would change that are issued: for credit and rebill."""
        return sum(r.bill_change for r in self.rows if r.invoice is not None)

    @property
    def content_hash(self) -> str:
        lines = [canonical.line("rate_card", str(self.card.id), list(asdict(self.after).items()))]
        lines += [
            canonical.line(
                "charge",
                str(r.charge_id),
                [
                    ("pay", r.pay_amount),
                    ("bill", r.bill_amount),
                    ("new_pay", r.new_pay_amount),
                    ("new_bill", r.new_bill_amount),
                    ("run", r.run),
                    ("invoice", r.invoice),
                ],
            )
            for r in self.rows
        ]
        return canonical.digest(lines).hex()


UNDER_CARD = """
SELECT c.id, t.id, a.code, p.payroll_number || ' ' || p.name, t.week_ending, c.kind, c.minutes, c.pay_rate,
  c.pay_amount, c.bill_rate, c.bill_amount, paid.number, billed.number
FROM timesheets_ratecard k
JOIN timesheets_assignment a ON a.client_id = k.client_id AND a.agreement_id = k.agreement_id
  AND a.role = k.role
JOIN people_person p ON p.client_id = a.client_id AND p.id = a.person_id
JOIN timesheets_timesheet t ON t.client_id = a.client_id AND t.assignment_id = a.id
JOIN timesheets_timeentry e ON e.client_id = t.client_id AND e.timesheet_id = t.id
  AND e.day >= greatest(k.starts, a.follows_from) AND (k.ends IS NULL OR e.day <= k.ends)
JOIN timesheets_charge c ON c.client_id = e.client_id AND c.time_entry_id = e.id
LEFT JOIN {payer} paid ON paid.client_id = t.client_id AND paid.timesheet_id = t.id
LEFT JOIN {biller} billed ON billed.client_id = c.client_id AND billed.charge_id = c.id
WHERE k.client_id = %(client)s AND k.id = %(card)s ORDER BY a.code, t.week_ending, e.day, c.kind, c.id
"""


def card_of(card_id: UUID) -> RateCard:
    rows = RateCard.objects.select_related("agreement__customer")
    found = rows.filter(client_id=current_client_id(), id=card_id).first()
    if found is None:
        raise NotFound(f"there is no rate card {card_id}")
    return found


def terms_of(card_id: UUID) -> tuple[int, Terms]:
    """The latest revision of a card, and what it says."""
    rows = RateTerms.objects.filter(client_id=current_client_id(), card_id=card_id)
    row = rows.latest("revision")
    return row.revision, _terms(row)


def _terms(row: RateTerms) -> Terms:
    return Terms(row.pay_rate, row.bill_rate, row.overtime_ppm, row.weekend_ppm, row.weekly_threshold_minutes)


def preview_edit(card_id: UUID, terms: Terms) -> Edit:
    """What an edit would change, charge by charge. Raises InputRefused, NotFound."""
    card = card_of(card_id)
    _, before = terms_of(card_id)
    if problems := wrong_terms(terms):
        raise InputRefused(problems)
    if terms.weekly_threshold_minutes != before.weekly_threshold_minutes:
        what = "when overtime begins decides which hours are overtime, and those are recorded"
        raise InputRefused([Problem(what, "Change it with a new version", field="weekly_hours")])
    return Edit(card, before, terms, tuple(r for r in _under(card_id, terms) if r.differs))


def not_settled(card_id: UUID) -> list[Revalued]:
    """Charges that were paid or billed by other terms than the card has now: corrections to make."""
    _, terms = terms_of(card_id)
    return [r for r in _under(card_id, terms) if r.differs]


def _under(card_id: UUID, terms: Terms) -> list[Revalued]:
    sql = UNDER_CARD.format(payer=selectors.payer_table(), biller=selectors.biller_table())
    with connection.cursor() as cursor:
        cursor.execute(sql, {"client": current_client_id(), "card": card_id})
        rows = [row for row in cursor.fetchall() if terms.times(row[5]) is not None]
    if not rows:
        return []
    _, week = np.unique(np.array([row[1].hex for row in rows]), return_inverse=True)
    _, kind = np.unique(np.array([row[5] for row in rows]), return_inverse=True)
    minutes = np.array([row[6] for row in rows], dtype=np.int64)
    times = np.array([terms.times(row[5]) for row in rows], dtype=np.int64)
    sides = []
    for basic, old_rate, old_amount in ((terms.pay_rate, 7, 8), (terms.bill_rate, 9, 10)):
        rate = half_up(basic * times, PPM)
        amount = engine.amounts(minutes, rate, week.astype(np.int64), kind.astype(np.int64))
        # The same rate is the same amount: pennies were rounded over the week as it was taken in.
        same = rate == np.array([row[old_rate] for row in rows], dtype=np.int64)
        kept = np.array([row[old_amount] for row in rows], dtype=np.int64)
        sides += [rate.tolist(), np.where(same, kept, amount).tolist()]
    return [Revalued(*row, *new) for row, *new in zip(rows, *sides, strict=True)]


@dataclass(frozen=True)
class CardEdited:
    """moved: charges that got another value; stays: those with a side that is paid or billed."""

    card_id: UUID
    revision: int
    moved: int
    stays: int

    @property
    def subject(self) -> str:
        return f"rate_card:{self.card_id}"


@command("timesheets.prepare")
def edit_rate_card(
    card_id: UUID,
    *,
    pay_rate: int,
    bill_rate: int,
    overtime_ppm: int,
    weekend_ppm: int,
    weekly_threshold_minutes: int,
    content_hash: str,
    reason: str,
) -> CardEdited:
    """Correct what a card says, for all of its days: hours are valued anew, but for what is paid or billed.

    content_hash: of the preview that was looked at.
    """
    reason = reason_given(reason)
    card = card_of(card_id)
    _one_at_a_time(card.agreement_id)
    terms = Terms(pay_rate, bill_rate, overtime_ppm, weekend_ppm, weekly_threshold_minutes)
    found = preview_edit(card_id, terms)
    if found.after == found.before:
        raise Conflict("the card says this already")
    if found.content_hash != content_hash:
        raise ContentChanged("hours, runs or invoices under the card changed since you looked; look again")
    offer = Offer(card.agreement.customer.code, card.role, card.starts, pay_rate, bill_rate)
    if problems := not_offered([offer])[0]:
        raise InputRefused(problems)
    revision, _ = terms_of(card_id)
    _keep_terms(card_id, revision + 1, terms, reason)
    moved = [r for r in found.rows if r.run is None or r.invoice is None]
    _move(moved)
    orders.refuse_beyond([r.charge_id for r in moved])
    stays = sum(1 for r in found.rows if r.run is not None or r.invoice is not None)
    return CardEdited(card_id, revision + 1, len(moved), stays)


def _move(rows: Sequence[Revalued]) -> None:
    """One statement; the database refuses a side that is paid or billed by now."""
    values: list[Any] = [
        [r.charge_id for r in rows],
        [r.new_pay_rate if r.run is None else r.pay_rate for r in rows],
        [r.new_pay_amount if r.run is None else r.pay_amount for r in rows],
        [r.new_bill_rate if r.invoice is None else r.bill_rate for r in rows],
        [r.new_bill_amount if r.invoice is None else r.bill_amount for r in rows],
        current_client_id(),
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE timesheets_charge c SET pay_rate = n.pr, pay_amount = n.pa, bill_rate = n.br, "
            "bill_amount = n.ba FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[], %s::bigint[], "
            "%s::bigint[]) n(id, pr, pa, br, ba) WHERE c.client_id = %s AND c.id = n.id",
            values,
        )


# --- what stands ----------------------------------------------------------------------------------------


def cards_behind(assignment_ids: Sequence[UUID]) -> list[UUID]:
    """The cards that value these assignments' hours: their writers are makers of what is paid and billed."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT k.id FROM timesheets_assignment a JOIN timesheets_ratecard k "
            "ON k.client_id = a.client_id AND k.agreement_id = a.agreement_id AND k.role = a.role "
            "WHERE a.client_id = %s AND a.id = ANY(%s)",
            [current_client_id(), list(assignment_ids)],
        )
        return [row[0] for row in cursor.fetchall()]


@dataclass(frozen=True)
class AgreementRow:
    """An agreement in a list."""

    id: UUID
    customer_code: str
    customer: str
    number: str
    title: str
    site: str
    agreed_on: date | None
    roles: int
    assignments: int


def agreements() -> list[AgreementRow]:
    """By customer and number."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT g.id, k.code, k.name, g.number, g.title, coalesce(s.name, ''), g.agreed_on,
              (SELECT count(DISTINCT c.role) FROM timesheets_ratecard c
                WHERE c.client_id = g.client_id AND c.agreement_id = g.id),
              (SELECT count(*) FROM timesheets_assignment a
                WHERE a.client_id = g.client_id AND a.agreement_id = g.id)
            FROM timesheets_agreement g
            JOIN openitems_counterparty k ON k.client_id = g.client_id AND k.id = g.customer_id
            LEFT JOIN timesheets_site s ON s.client_id = g.client_id AND s.id = g.site_id
            WHERE g.client_id = %s ORDER BY k.name, k.code, g.number
            """,
            [current_client_id()],
        )
        return [AgreementRow(*row) for row in cursor.fetchall()]


@dataclass(frozen=True)
class CardView:
    """A version with what it says now. revisions: every one of its terms, the latest first."""

    card: RateCard
    terms: Terms
    revisions: tuple[RateTerms, ...]

    @property
    def margin(self) -> int:
        """What an hour bills beyond what it pays, before on-costs; minor units."""
        return self.terms.bill_rate - self.terms.pay_rate


def cards(agreement_id: UUID) -> list[CardView]:
    """The cards of an agreement by role, the latest version first."""
    client_id = current_client_id()
    rows = RateCard.objects.filter(client_id=client_id, agreement_id=agreement_id).order_by("role", "-starts")
    said: dict[UUID, list[RateTerms]] = {}
    for terms in RateTerms.objects.filter(client_id=client_id, card__agreement_id=agreement_id).order_by(
        "-revision"
    ):
        said.setdefault(terms.card_id, []).append(terms)
    return [CardView(row, _terms(said[row.id][0]), tuple(said[row.id])) for row in rows]


def followers(agreement_id: UUID) -> list[Assignment]:
    """The assignments that follow an agreement, by code."""
    rows = Assignment.objects.filter(client_id=current_client_id(), agreement_id=agreement_id)
    return list(rows.select_related("person").order_by("code"))


def sites() -> list[Site]:
    rows = Site.objects.filter(client_id=current_client_id()).select_related("customer")
    return list(rows.order_by("customer__name", "code"))
