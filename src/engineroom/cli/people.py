"""`engineroom people`: who is employed, and on what terms."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from engineroom.cli import consent, show
from engineroom.cli.arguments import Client, PayrollNumber, Reason
from engineroom.cli.ground import client_named, identity, on_the_ground, reading, seal_everything, writing
from engineroom.kernel.errors import InputRefused, NotFound, Problem
from engineroom.kernel.money import NotMoney, parse_minor

if TYPE_CHECKING:
    from engineroom.people.engine import Agreed
    from engineroom.people.models import Person
    from engineroom.people.selectors import HeldAccount

app = typer.Typer(no_args_is_help=True, help="Who is employed, on what terms, and where they are paid.")

Why = Annotated[str, typer.Option(help="why it changes; needed for a day that is past")]


@app.command("terms")
@on_the_ground
def show_terms(
    client: Client,
    number: PayrollNumber,
    known_at: Annotated[
        int | None, typer.Option(help="as they stood at that change, by its number; without, as they stand")
    ] = None,
) -> None:
    """What a person is employed on, from when to when, and which change said it."""
    from engineroom.foundation.audit import services as audit
    from engineroom.people import selectors
    from engineroom.people.engine import days_said

    with reading(client) as found:
        person = _person(number)
        who = person.counterparty_id
        audit.record_read(found.id, subject_kind="person", subject_id=who, detail={"purpose": "typed"})
        rows = [
            (
                r.starts,
                r.ends or "",
                r.title,
                show.money(r.amount, found.currency),
                "a year" if r.basis == "salary" else "an hour",
                f"{r.minutes_per_week // 60}:{r.minutes_per_week % 60:02}",
                days_said(r.working_days),
                r.cost_centre,
                r.said,
            )
            for r in selectors.terms_between(who, who, date.min, date.max, known_at=known_at)
        ]
    headings = ("from", "until", "title", "pay", "", "a week", "days", "cost centre", "change")
    show.table(f"Terms of {person}", headings, rows, right=[3, 5, 8])


@app.command("set-terms")
@on_the_ground
def set_terms(
    client: Client,
    number: PayrollNumber,
    starts: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="the first day")],
    hours: Annotated[str, typer.Option(help="a week, as 37.5 or 37:30")],
    salary: Annotated[str, typer.Option(help="a year, as 24,000")] = "",
    hourly: Annotated[str, typer.Option(help="an hour, as 12.50")] = "",
    until: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="the last day")] = None,
    days: Annotated[str, typer.Option(help="such as Mon-Fri")] = "Mon-Fri",
    title: Annotated[str, typer.Option()] = "",
    cost_centre: Annotated[str, typer.Option()] = "",
    reason: Why = "",
    preview: Annotated[bool, typer.Option("--preview", help="only show what would stand")] = False,
) -> None:
    """Terms from a day on. Those before end the day before; what was said is not rewritten."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.people import terms

    user = identity()
    found = client_named(user, client)
    agreed = _agreed(found.currency, salary, hourly, hours, days, title, cost_centre)
    ends = until.date() if until else None
    with acting(user, write=found.id):
        who = _person(number).counterparty_id
        if preview:
            seen = terms.preview_terms(who, agreed, starts=starts.date(), ends=ends, reason=reason)
            rows = [(s.starts, s.ends or "", s.agreed.title, show.money(s.agreed.amount)) for s in seen.after]
        else:
            done = terms.set_terms(who, agreed, starts=starts.date(), ends=ends, reason=reason)
    if preview:
        show.table("What would stand", ("from", "until", "title", "pay"), rows, right=[3])
        return
    typer.echo(f"terms of {number} from {starts.date()}: change {done.change}")
    seal_everything()


@app.command("withdraw-terms")
@on_the_ground
def withdraw_terms(
    client: Client,
    number: PayrollNumber,
    starts: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="their first day")],
    reason: Reason,
) -> None:
    """Take terms back that should not have been said: those before them hold in their place."""
    from engineroom.people import selectors, terms

    with writing(client):
        who = _person(number).counterparty_id
        rows = [t for t in selectors.terms_of(who) if t.stands and t.starts == starts.date()]
        if not rows:
            raise NotFound(f"no terms of {number} stand that begin on {starts.date()}")
        done = terms.withdraw_terms(rows[0].id, reason=reason)
    typer.echo(f"taken back: change {done.change}")


@app.command("leave")
@on_the_ground
def leave(
    client: Client,
    number: PayrollNumber,
    last_day: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="of the employment")] = None,
    why: Annotated[str, typer.Option(help="such as resigned; a wrong one lists them")] = "",
    note: Annotated[str, typer.Option()] = "",
) -> None:
    """Say the last day of somebody's employment; or show when it is, and what stands open then."""
    from engineroom.foundation.audit import services as audit
    from engineroom.people import employment, selectors
    from engineroom.people.leaving import open_matters

    if last_day is not None:
        with writing(client):
            person = _person(number)
            employment.end_employment(person.counterparty_id, last_day=last_day.date(), why=why, note=note)
    with reading(client) as found:
        person = _person(number)
        who = person.counterparty_id
        audit.record_read(found.id, subject_kind="person", subject_id=who, detail={"purpose": "typed"})
        rows = selectors.employments_of(who)
        ends = rows[0].ends if rows else None
        matters = open_matters(person, ends) if ends else []
    typer.echo(f"the last day of {person} is {ends}" if ends else f"the employment of {person} goes on")
    for one in matters:
        typer.echo(f"open: {one.what}: {one.how_much}. {one.remedy}")


@app.command("return")
@on_the_ground
def come_back(
    client: Client,
    number: PayrollNumber,
    starts: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="the first day")],
) -> None:
    """Employ somebody again who had left, under the same number."""
    from engineroom.people import employment

    with writing(client):
        employment.re_employ(_person(number).counterparty_id, starts=starts.date())
    typer.echo(f"{number} is employed again from {starts.date()}: set terms and tax details")


@app.command("held-accounts")
@on_the_ground
def held_accounts(client: Client) -> None:
    """Accounts that wait for a second person, with the content that an approval names."""
    from engineroom.people import selectors

    with reading(client):
        rows = [
            (r.payroll_number, r.name, r.starts, r.by, r.reason, consent.short(r.content_hash))
            for r in selectors.held_accounts()
        ]
    show.table("Held accounts", ("person", "", "from", "proposed by", "why", "content"), rows)


@app.command("approve-account")
@on_the_ground
def approve_account(
    client: Client,
    number: PayrollNumber,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask; needs --content")] = False,
    content: Annotated[str, typer.Option(metavar="HASH", help="the content that you looked at")] = "",
) -> None:
    """Show the account that is held of a person, and approve exactly it: not by whoever proposed it."""
    from engineroom.foundation.access.roles import masked
    from engineroom.foundation.tenancy.scope import acting, current_scope
    from engineroom.people import accounts, selectors

    consent.require_content(yes=yes, content=content)
    user = identity()
    found = client_named(user, client)
    with acting(user, write=found.id):  # opening an account is recorded
        opens = "bank" not in masked(current_scope().roles[found.id])
        held = _held_of(number, show_bank=opens)
    standing = held.standing or selectors.Account(held.starts, None, "none", "", "")
    show.table(
        f"{held.name}, from {held.starts}, proposed by {held.by}: {held.reason or '-'}",
        ("", "name of the account", "sort code", "number"),
        [
            (what, a.account_name, a.sort_code, a.account_number)
            for what, a in (("on file", standing), ("proposed", held.account))
        ],
    )
    consent.agree("Approve exactly this account?", [held.content_hash], yes=yes, content=content)
    with acting(user, write=found.id):
        accounts.approve_account(held.proposal_id, content_hash=held.content_hash)
    typer.echo(f"the account of {number} is approved")
    seal_everything()


@app.command("refuse-account")
@on_the_ground
def refuse_account(client: Client, number: PayrollNumber, reason: Reason) -> None:
    """Refuse the account that is held of a person: the one on file stands."""
    from engineroom.people import accounts

    with writing(client):
        accounts.refuse_account(_held_of(number).proposal_id, reason=reason)
    typer.echo(f"the account of {number} is refused; the one on file stands")


@app.command("account-policy")
@on_the_ground
def account_policy(
    client: Client,
    reason: Reason,
    hold_first: Annotated[
        bool, typer.Option("--hold-first/--write-first", help="first accounts wait, or not")
    ],
) -> None:
    """Whether first accounts of a client wait for a second person too; any other always does."""
    from engineroom.people import accounts

    with writing(client):
        done = accounts.set_account_policy(hold_first, reason=reason)
    typer.echo("first accounts wait for a second person" if done.hold_first else "first accounts are written")


def _held_of(number: str, *, show_bank: bool = False) -> HeldAccount:
    from engineroom.people import selectors

    held = selectors.held_accounts(person_id=_person(number).counterparty_id, show_bank=show_bank)
    if not held:
        raise NotFound(f"no account of {number} is held")
    return held[0]


def _person(number: str) -> Person:
    from engineroom.people import selectors

    return selectors.named_person(number)


def _agreed(
    currency: str, salary: str, hourly: str, hours: str, days: str, title: str, cost_centre: str
) -> Agreed:
    from engineroom.people.engine import Agreed, days_of
    from engineroom.ui.fields import minutes_of

    wrong = []
    if bool(salary) == bool(hourly):
        wrong.append(Problem("give a salary or an hourly rate", "Write --salary 24,000", field="--salary"))
    amount = 0
    try:
        amount = parse_minor(salary or hourly or "0", currency)
    except NotMoney as error:
        wrong.append(Problem(str(error), "Write it as 1,234.50", field="--salary" if salary else "--hourly"))
    minutes, bits = minutes_of(hours), days_of(days)
    if minutes is None:
        wrong.append(Problem(f"{hours!r} is no number of hours", "Write --hours 37.5", field="--hours"))
    if bits is None:
        wrong.append(Problem(f"{days!r} names no days", "Write --days Mon-Fri", field="--days"))
    if wrong:
        raise InputRefused(wrong)
    return Agreed("salary" if salary else "hourly", amount, minutes or 0, bits or 0, title, cost_centre)
