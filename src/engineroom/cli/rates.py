"""`engineroom rates`: customers' agreements and rate cards."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from engineroom.cli import show
from engineroom.cli.arguments import Client, Day, Reason
from engineroom.cli.consent import agree, require_content, short
from engineroom.cli.ground import on_the_ground, reading, seal_everything, writing
from engineroom.kernel.errors import EngineroomError, InputRefused, NotFound, Problem
from engineroom.kernel.money import NotMoney, parse_minor
from engineroom.kernel.rates import format_ppm, ppm
from engineroom.ui.display import format_count, format_duration

if TYPE_CHECKING:
    from engineroom.timesheets.models import RateCard
    from engineroom.timesheets.rates import Edit, Terms

app = typer.Typer(no_args_is_help=True, help="Customers' agreements and what an hour pays and bills.")

Customer = Annotated[str, typer.Argument(help="the customer's code")]
Number = Annotated[str, typer.Argument(help="the agreement's number")]
Role = Annotated[str, typer.Argument(help="the role, as assignments say it")]
Pays = Annotated[str, typer.Option("--pays", help="an hour, as 12.71")]
Bills = Annotated[str, typer.Option("--bills", help="an hour, as 17.80")]
Overtime = Annotated[str, typer.Option(help="of the basic rate")]
Weekend = Annotated[str, typer.Option(help="of the basic rate")]


@app.command("list")
@on_the_ground
def list_(client: Client) -> None:
    """Every agreement with its cards by role, the latest version first."""
    from engineroom.foundation.api import hides
    from engineroom.timesheets import rates

    with reading(client, recorded=True) as found:
        hidden = hides("pay")
        rows = [
            (
                row.customer_code, row.number, view.card.role, view.card.starts, view.card.ends or "",
                "••••" if hidden else show.money(view.terms.pay_rate, found.currency),
                show.money(view.terms.bill_rate, found.currency),
                format_ppm(view.terms.overtime_ppm), format_ppm(view.terms.weekend_ppm),
            )
            for row in rates.agreements()
            for view in rates.cards(row.id)
        ]  # fmt: skip
    headings = ("customer", "agreement", "role", "from", "until", "pays", "bills", "overtime", "weekend")
    show.table("Rate cards", headings, rows, right=[5, 6, 7, 8])


@app.command("add-agreement")
@on_the_ground
def add_agreement(
    client: Client,
    customer: Customer,
    number: Number,
    title: Annotated[str, typer.Option()] = "",
    site: Annotated[str, typer.Option(help="its site's code")] = "",
) -> None:
    """Keep an agreement with a customer."""
    from engineroom.timesheets import rates

    with writing(client):
        done = rates.add_agreement(customer, number, title=title, site=site)
    typer.echo(f"agreement {done.number} with {customer} is kept; add its rate cards")


@app.command("new-version")
@on_the_ground
def new_version(
    client: Client,
    customer: Customer,
    number: Number,
    role: Role,
    starts: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="the first day")],
    pays: Pays,
    bills: Bills,
    overtime: Overtime = "150%",
    weekend: Weekend = "150%",
    reason: Annotated[str, typer.Option(help="why; it is kept with it")] = "",
) -> None:
    """A role's first card or its next version: hours that are recorded keep their value."""
    from engineroom.timesheets import rates

    with writing(client):
        agreement = rates.agreement_numbered(customer, number)
        done = rates.add_rate_card(
            agreement.id,
            role,
            starts.date(),
            pay_rate=_money("--pays", pays),
            bill_rate=_money("--bills", bills),
            overtime_ppm=_times("--overtime", overtime),
            weekend_ppm=_times("--weekend", weekend),
            reason=reason,
        )
    before = "; the version before ends the day before" if done.ended else ""
    typer.echo(f"{role} under {number}: from {done.starts}{before}")


@app.command("edit")
@on_the_ground
def edit(
    client: Client,
    customer: Customer,
    number: Number,
    role: Role,
    day: Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"], help="a day of the version")],
    reason: Reason,
    pays: Annotated[str | None, typer.Option("--pays", help="an hour, as 12.71")] = None,
    bills: Annotated[str | None, typer.Option("--bills", help="an hour, as 17.80")] = None,
    overtime: Annotated[str | None, typer.Option(help="of the basic rate")] = None,
    weekend: Annotated[str | None, typer.Option(help="of the basic rate")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="without asking; needs --content")] = False,
    content: Annotated[str | None, typer.Option(help="the hash that was printed")] = None,
) -> None:
    """Correct what a card says for all of its days: shows what moves and what is left, and asks."""
    from engineroom.timesheets import rates

    require_content(yes=yes, content=content)
    with reading(client, recorded=True) as found:
        card = _card(customer, number, role, day)
        before = rates.terms_of(card.id)[1]
        terms = rates.Terms(
            before.pay_rate if pays is None else _money("--pays", pays),
            before.bill_rate if bills is None else _money("--bills", bills),
            before.overtime_ppm if overtime is None else _times("--overtime", overtime),
            before.weekend_ppm if weekend is None else _times("--weekend", weekend),
            before.weekly_threshold_minutes,
        )
        preview = rates.preview_edit(card.id, terms)
    _show(preview, found.currency)
    agree("Edit the card so?", [preview.content_hash], yes=yes, content=content)
    with writing(client):
        done = rates.edit_rate_card(
            card.id, content_hash=preview.content_hash, reason=reason, **_plain(terms)
        )
    typer.echo(f"{role} under {number} is edited: {format_count(done.moved, 'charge')} valued anew")
    seal_everything()


def _plain(terms: Terms) -> dict[str, int]:
    return dict(vars(terms))


def _card(customer: str, number: str, role: str, day: datetime) -> RateCard:
    from engineroom.timesheets import rates

    for view in rates.cards(rates.agreement_numbered(customer, number).id):
        card = view.card
        if card.role == role and card.starts <= day.date() and (not card.ends or day.date() <= card.ends):
            return card
    raise NotFound(f"agreement {number} has no card of {role} on {day.date()}")


def _show(preview: Edit, currency: str) -> None:
    rows = [
        (
            r.assignment, r.week_ending, r.kind, format_duration(r.minutes),
            show.money(r.pay_change, currency), f"in run {r.run}" if r.run else "moves",
            show.money(r.bill_change, currency), f"on {r.invoice}" if r.invoice else "moves",
        )
        for r in preview.rows
    ]  # fmt: skip
    headings = ("assignment", "week", "kind", "hours", "pay", "", "bill", "")
    show.table(f"{format_count(len(rows), 'charge')} valued anew", headings, rows, right=[4, 6])
    typer.echo(
        f"pay moves by {show.money(preview.pay_moves, currency)}, "
        f"{show.money(preview.pay_stays, currency)} is left to back pay; "
        f"billable moves by {show.money(preview.bill_moves, currency)}, "
        f"{show.money(preview.bill_stays, currency)} is left to credit; content {short(preview.content_hash)}"
    )


@app.command("orders")
@on_the_ground
def orders_(client: Client) -> None:
    """Customers' orders: billed, not billed yet, left, and how long each lasts."""
    from engineroom.timesheets import orders

    with reading(client) as found:
        rows = [
            (
                one.row.customer.code, one.row.number, show.money(one.billed_minor, found.currency),
                show.money(one.committed_minor, found.currency), show.money(one.left_minor, found.currency),
                "" if one.left_minutes is None else format_duration(one.left_minutes),
                one.forecast or "", one.state[1],
            )
            for one in orders.orders()
        ]  # fmt: skip
    headings = ("customer", "order", "billed", "not billed", "left", "hours left", "lasts until", "state")
    show.table("Orders", headings, rows, right=[2, 3, 4, 5])


@app.command("cover")
@on_the_ground
def cover(
    client: Client, customer: Customer, order: Annotated[str, typer.Argument(help="its number")]
) -> None:
    """Bill under an order the hours that those before it did not reach."""
    from engineroom.timesheets import orders
    from engineroom.timesheets.models import PurchaseOrder

    with writing(client) as found:
        rows = PurchaseOrder.objects.filter(client_id=found.id, customer__code=customer, number=order)
        row = rows.first()
        if row is None:
            raise NotFound(f"{customer} has no order {order!r}")
        done = orders.cover_held(row.id)
    typer.echo(
        f"{format_count(done.charges, 'charge')} of {show.money(done.amount)} may be billed under {order}"
    )


@app.command("margin")
@on_the_ground
def margin_(
    client: Client,
    since: Day,
    until: Day,
    by: Annotated[str, typer.Option(help="customer, assignment or month")] = "customer",
) -> None:
    """What is left of a period before and after on-costs, from the ledger."""
    from typing import cast

    from engineroom.billing import margins
    from engineroom.foundation.api import refuse_masked

    if by not in margins.BYS:
        raise InputRefused(
            [Problem(f"{by!r} is no way to see a margin", "Say customer, assignment or month")]
        )
    with reading(client, recorded=True) as found:
        refuse_masked("pay", "the margin")
        way = cast("margins.By", by)
        rows = margins.margins(since.date(), until.date(), by=way, currency=found.currency)
    every = [*rows, margins.total(rows, since.date())]
    names = [f"{row.month:%Y-%m}" if by == "month" else row.assignment or row.customer for row in rows]
    lines = [
        (name, format_duration(row.minutes), *(show.money(v, found.currency) for v in (
            row.income, row.wages, row.before, row.on_costs, row.after)), row.share_words)
        for name, row in zip([*names, "Total"], every, strict=True)
    ]  # fmt: skip
    headings = (by, "hours", "billed", "pay", "before", "on-costs", "after", "of the bill")
    show.table("Margin", headings, lines, right=[1, 2, 3, 4, 5, 6, 7])


@app.command("follow")
@on_the_ground
def follow(
    client: Client,
    assignment: Annotated[str, typer.Argument(help="the assignment's code")],
    number: Number,
    starts: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="the first day")],
) -> None:
    """From a day on an assignment has its customer's agreement's rates."""
    from engineroom.timesheets import rates
    from engineroom.timesheets.models import Assignment

    with writing(client) as found:
        rows = Assignment.objects.filter(client_id=found.id, code=assignment).select_related("customer")
        row = rows.first()
        if row is None:
            raise NotFound(f"there is no assignment {assignment!r}")
        agreement = rates.agreement_numbered(row.customer.code, number)
        rates.follow_agreement(row.id, agreement.id, starts.date())
    typer.echo(f"{assignment} follows agreement {number} from {starts.date()}")


@app.command("solve")
@on_the_ground
def solve_(
    client: Client,
    day: Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"], help="by the law of this day")],
    pays: Annotated[str | None, typer.Option("--pays", help="an hour, as 12.71")] = None,
    bills: Annotated[str | None, typer.Option("--bills", help="an hour, as 17.80")] = None,
    markup: Annotated[str | None, typer.Option(help="on pay, as 40%")] = None,
) -> None:
    """Pay, bill or markup from the other two, and what a week of it leaves after on-costs."""
    from engineroom.billing import margin
    from engineroom.billing.solving import Unsolvable, solve

    try:
        solved = solve(
            pay=None if pays is None else _money("--pays", pays),
            bill=None if bills is None else _money("--bills", bills),
            markup_ppm=None if markup is None else _times("--markup", markup),
        )
    except Unsolvable as error:
        raise InputRefused([Problem(str(error), "Give two of --pays, --bills and --markup")]) from None
    with reading(client) as found:
        quote = margin.quote(solved.pay, solved.bill, day.date())

    def money(minor: int) -> str:
        return show.money(minor, found.currency)

    week = quote.week
    typer.echo(
        f"pays {money(solved.pay)}, bills {money(solved.bill)}, markup {format_ppm(solved.markup_ppm)}"
    )
    rows = [("billed", money(week.bill)), ("pay", money(-week.pay))]
    rows += [(label, money(-amount)) for label, amount in week.on_costs]
    show.table(
        f"{format_duration(week.minutes)} a week",
        ("", "amount"),
        [*rows, ("left", money(week.after))],
        right=[1],
    )
    floor = "no floor is set"
    if quote.floor_ppm is not None and quote.least_bill is not None:
        below = "below" if quote.below else "not below"
        floor = f"{below} the floor of {format_ppm(quote.floor_ppm)}, which {money(quote.least_bill)} reaches"
    typer.echo(f"{quote.left_words} of the bill is left: {floor}")


@app.command("floor")
@on_the_ground
def floor(
    client: Client,
    share: Annotated[str, typer.Argument(help="of the bill, after on-costs, as 10%")],
    starts: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="the first day")],
    reason: Reason,
    levy: Annotated[bool, typer.Option(help="the client pays the apprenticeship levy")] = False,
) -> None:
    """Under every rate that is entered from a day on."""
    from engineroom.billing import margin

    with writing(client):
        done = margin.set_margin_floor(starts.date(), _times("SHARE", share), with_levy=levy, reason=reason)
    typer.echo(f"from {done.starts} a rate leaves {share} at least")


@app.command("allow")
@on_the_ground
def allow(client: Client, customer: Customer, role: Role, pays: Pays, bills: Bills, reason: Reason) -> None:
    """Let somebody else enter this very rate, though it is below the floor."""
    from engineroom.billing import margin

    with writing(client):
        margin.allow_below_floor(
            customer, role, _money("--pays", pays), _money("--bills", bills), reason=reason
        )
    typer.echo(f"somebody else may enter {role} at {bills} for {customer}")


def _money(option: str, text: str) -> int:
    try:
        return parse_minor(text)
    except NotMoney as error:
        raise InputRefused([Problem(str(error), "Write it as 12.71", field=option)]) from None


def _times(option: str, text: str) -> int:
    try:
        return ppm(text.strip().removesuffix("%")) // 100
    except (ValueError, EngineroomError):
        what = f"{text!r} is no multiplier"
        raise InputRefused([Problem(what, "Write it as 150%", field=option)]) from None
