"""Agreements and rate cards for programs."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

from ninja import Field, Query, Schema

from engineroom.foundation.api import (
    Asked,
    ContentAsked,
    Day,
    Name,
    Page,
    Reason,
    Room,
    Text,
    hides,
    log_read,
)
from engineroom.foundation.tenancy.models import Client
from engineroom.timesheets import orders, rates

router = Room("timesheets")

Rate = Annotated[int, Field(ge=1, le=rates.MAX_RATE)]
Times = Annotated[int, Field(ge=1_000_000, le=10_000_000)]
WeekMinutes = Annotated[int, Field(ge=0, le=rates.MINUTES_A_WEEK)]


class RateTermsOut(Schema):
    """Minor units an hour; multipliers in parts per million of the basic rate, for pay and bill alike."""

    pay_rate_minor: int | None
    bill_rate_minor: int
    overtime_ppm: int
    weekend_ppm: int
    weekly_threshold_minutes: int
    currency: str


class RateCardOut(RateTermsOut):
    """A version of a role's card: its days, and what it says by its latest revision."""

    id: UUID
    role: str
    starts: date
    ends: date | None
    revision: int


class CustomerAgreementOut(Schema):
    """What was agreed with a customer."""

    id: UUID
    customer: str
    number: str
    title: str
    site: str
    agreed_on: date | None
    assignments: int


class CustomerAgreementDetailOut(CustomerAgreementOut):
    """An agreement with its cards, by role, the latest version first."""

    rate_cards: list[RateCardOut]


class CustomerAgreementAsked(Asked):
    """customer, site: by their codes."""

    customer: Name
    number: Annotated[Name, Field(max_length=40)]
    title: Annotated[Text, Field(max_length=200)] = ""
    site: Annotated[Text, Field(max_length=40)] = ""
    agreed_on: Day | None = None


class CustomerAgreementAddedOut(Schema):
    agreement_id: UUID
    number: str


class SiteAsked(Asked):
    customer: Name
    code: Annotated[Name, Field(max_length=40)]
    name: Annotated[Text, Field(min_length=1, max_length=200)]
    address: Text = ""


class SiteAddedOut(Schema):
    site_id: UUID


class TermsAsked(Asked):
    """What a card is to say."""

    pay_rate_minor: Rate
    bill_rate_minor: Rate
    overtime_ppm: Times = 1_500_000
    weekend_ppm: Times = 1_500_000
    weekly_threshold_minutes: WeekMinutes = 40 * 60


class NewVersionAsked(TermsAsked):
    """A role's first card or its next version: the one that stands ends the day before."""

    role: Annotated[Text, Field(min_length=1, max_length=100)]
    starts: Day
    ends: Day | None = None
    reason: Annotated[Text, Field(max_length=300)] = ""


class RateCardAddedOut(Schema):
    """ended: the version that ends the day before."""

    card_id: UUID
    starts: date
    ended: UUID | None


class EditAsked(TermsAsked, ContentAsked):
    """content_hash: of the preview of these very terms."""

    reason: Reason


class ValuedAnewOut(Schema):
    """A charge as it is and as the card would have it. run, invoice: what took that side, which stays."""

    charge_id: UUID
    timesheet_id: UUID
    assignment: str
    week_ending: date
    kind: str
    minutes: int
    pay_amount_minor: int | None
    new_pay_amount_minor: int | None
    bill_amount_minor: int
    new_bill_amount_minor: int
    run: int | None
    invoice: str | None


class EditPreviewOut(Schema):
    """What an edit would change. Amounts that move by themselves, and those to be corrected elsewhere."""

    content_hash: str
    pay_moves_minor: int | None
    bill_moves_minor: int
    pay_stays_minor: int | None
    bill_stays_minor: int
    currency: str
    charges: list[ValuedAnewOut]


class RateCardEditedOut(Schema):
    card_id: UUID
    revision: int
    moved: int
    stays: int


class FollowAsked(Asked):
    agreement_id: UUID
    starts: Day


class FollowedOut(Schema):
    assignment_id: UUID
    starts: date


class PurchaseOrderOut(Schema):
    """An order with its limits and what became of it. committed: accepted and not billed yet; held: what it
    did not reach. Amounts in minor units; null: no limit of that kind, or no end in sight."""

    id: UUID
    customer: str
    number: str
    starts: date
    ends: date | None
    continued_by: str
    limit_minor: int | None
    limit_minutes: int | None
    billed_minor: int
    billed_minutes: int
    committed_minor: int
    committed_minutes: int
    held_minor: int
    lasts_until: date | None
    currency: str


class HeldCoveredOut(Schema):
    order_id: UUID
    charges: int
    amount: int
    left: int


def _agreement(row: rates.AgreementRow) -> CustomerAgreementOut:
    return CustomerAgreementOut(
        id=row.id,
        customer=row.customer_code,
        number=row.number,
        title=row.title,
        site=row.site,
        agreed_on=row.agreed_on,
        assignments=row.assignments,
    )


@router.read("/agreements", Page[CustomerAgreementOut], "Agreements with customers")
def agreements(client: Client) -> Page[CustomerAgreementOut]:
    """By customer and number, all of them."""
    return Page(items=[_agreement(row) for row in rates.agreements()])


@router.read("/agreements/{agreement_id}", CustomerAgreementDetailOut, "One agreement with its rate cards")
def agreement(client: Client, agreement_id: UUID) -> CustomerAgreementDetailOut:
    """What every role pays and bills, from which day. The read is logged."""
    rates.agreement_of(agreement_id)
    row = next(r for r in rates.agreements() if r.id == agreement_id)
    log_read("agreement", agreement_id, "pay rates")
    return CustomerAgreementDetailOut(
        **_agreement(row).dict(), rate_cards=[_card(client, view) for view in rates.cards(agreement_id)]
    )


def _card(client: Client, view: rates.CardView) -> RateCardOut:
    return RateCardOut(
        id=view.card.id,
        role=view.card.role,
        starts=view.card.starts,
        ends=view.card.ends,
        revision=view.revisions[0].revision,
        pay_rate_minor=None if hides("pay") else view.terms.pay_rate,
        bill_rate_minor=view.terms.bill_rate,
        overtime_ppm=view.terms.overtime_ppm,
        weekend_ppm=view.terms.weekend_ppm,
        weekly_threshold_minutes=view.terms.weekly_threshold_minutes,
        currency=client.currency,
    )


@router.command("/sites", SiteAddedOut, "Keep a customer's site", permission="timesheets.prepare")
def add_site(client: Client, asked: SiteAsked) -> rates.SiteAdded:
    """A place at which people work."""
    return rates.add_site(asked.customer, asked.code, asked.name, address=asked.address)


@router.command(
    "/agreements", CustomerAgreementAddedOut, "Keep an agreement", permission="timesheets.prepare"
)
def add_agreement(client: Client, asked: CustomerAgreementAsked) -> rates.AgreementAdded:
    """Its rate cards follow."""
    return rates.add_agreement(
        asked.customer, asked.number, title=asked.title, site=asked.site, agreed_on=asked.agreed_on
    )


@router.command(
    "/agreements/{agreement_id}/rate-cards",
    RateCardAddedOut,
    "A role's first card, or its new version",
    permission="timesheets.prepare",
)
def add_rate_card(client: Client, agreement_id: UUID, asked: NewVersionAsked) -> rates.CardAdded:
    """Begins after the last recorded hour of the role: nothing is valued anew."""
    return rates.add_rate_card(
        agreement_id, asked.role, asked.starts, ends=asked.ends, reason=asked.reason, **_terms(asked)
    )


def _terms(asked: TermsAsked) -> dict[str, int]:
    return {
        "pay_rate": asked.pay_rate_minor,
        "bill_rate": asked.bill_rate_minor,
        "overtime_ppm": asked.overtime_ppm,
        "weekend_ppm": asked.weekend_ppm,
        "weekly_threshold_minutes": asked.weekly_threshold_minutes,
    }


@router.read("/rate-cards/{card_id}/edit", EditPreviewOut, "What an edit of a card would change")
def preview_rate_card(client: Client, card_id: UUID, asked: Query[TermsAsked]) -> EditPreviewOut:
    """Charge by charge; nothing is changed. The read is logged."""
    found = rates.preview_edit(card_id, rates.Terms(**_terms(asked)))
    log_read("rate_card", card_id, "pay rates", len(found.rows))
    hidden = hides("pay")
    return EditPreviewOut(
        content_hash=found.content_hash,
        pay_moves_minor=None if hidden else found.pay_moves,
        bill_moves_minor=found.bill_moves,
        pay_stays_minor=None if hidden else found.pay_stays,
        bill_stays_minor=found.bill_stays,
        currency=client.currency,
        charges=[
            ValuedAnewOut(
                charge_id=row.charge_id,
                timesheet_id=row.timesheet_id,
                assignment=row.assignment,
                week_ending=row.week_ending,
                kind=row.kind,
                minutes=row.minutes,
                pay_amount_minor=None if hidden else row.pay_amount,
                new_pay_amount_minor=None if hidden else row.new_pay_amount,
                bill_amount_minor=row.bill_amount,
                new_bill_amount_minor=row.new_bill_amount,
                run=row.run,
                invoice=row.invoice,
            )
            for row in found.rows
        ],
    )


@router.command(
    "/rate-cards/{card_id}/edit", RateCardEditedOut, "Edit a rate card", permission="timesheets.prepare"
)
def edit_rate_card(client: Client, card_id: UUID, asked: EditAsked) -> rates.CardEdited:
    """For all of its days: hours are valued anew, but for what is paid or billed."""
    return rates.edit_rate_card(
        card_id, content_hash=asked.content_hash, reason=asked.reason, **_terms(asked)
    )


@router.read("/purchase-orders", Page[PurchaseOrderOut], "Customers' orders, and how far each is burnt down")
def purchase_orders(client: Client) -> Page[PurchaseOrderOut]:
    """By customer, the latest first; all of them."""
    return Page(items=[_order(client, row) for row in orders.orders()])


@router.read("/purchase-orders/{purchase_order_id}", PurchaseOrderOut, "One order")
def purchase_order(client: Client, purchase_order_id: UUID) -> PurchaseOrderOut:
    """Billed, committed, held, and how long it lasts at the pace of its last four weeks."""
    return _order(client, orders.burn(purchase_order_id))


def _order(client: Client, found: orders.Burn) -> PurchaseOrderOut:
    return PurchaseOrderOut(
        id=found.row.id,
        customer=found.row.customer.code,
        number=found.row.number,
        starts=found.row.starts,
        ends=found.row.ends,
        continued_by=found.continued_by,
        limit_minor=found.row.limit_minor,
        limit_minutes=found.row.limit_minutes,
        billed_minor=found.billed_minor,
        billed_minutes=found.billed_minutes,
        committed_minor=found.committed_minor,
        committed_minutes=found.committed_minutes,
        held_minor=found.held_minor,
        lasts_until=found.forecast,
        currency=client.currency,
    )


@router.command(
    "/purchase-orders/{purchase_order_id}/cover-held",
    HeldCoveredOut,
    "Bill under an order what those before it did not reach",
    permission="timesheets.prepare",
)
def cover_held(client: Client, purchase_order_id: UUID) -> orders.HeldCovered:
    """Day by day, as far as it goes whole."""
    return orders.cover_held(purchase_order_id)


@router.command(
    "/assignments/{assignment_id}/follow-agreement",
    FollowedOut,
    "Have an assignment follow an agreement",
    permission="timesheets.prepare",
)
def follow_agreement(client: Client, assignment_id: UUID, asked: FollowAsked) -> rates.Followed:
    """From a day after its last recorded hour it pays and bills what the agreement's card says."""
    return rates.follow_agreement(assignment_id, asked.agreement_id, asked.starts)
