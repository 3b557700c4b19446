"""The components, as template tags. `{% load ui %}`; see every one of them at /style.

A page extends `ui/page.html` (or `ui/bare.html`: sign-in, errors), fills its blocks and composes these tags;
it adds no CSS and no script of its own. Everything given is escaped; records to pass are in `ui/parts.py`.

Page blocks     title, crumbs, heading, lead, actions, tabs, content, account, switcher
Page context    navigation [NavigationItem], client (.code .name .url, or None), clients (the same),
                all_clients_url, me (.name .email .kind), account_links [(label, url)], sign_out_url,
                search_url, home_url, keys [(keys, label, url)], messages (Django's own),
                form_key (the idempotency key that a form which writes sends along)

  {% block crumbs %}{% crumbs "Northgate Temps" client.url "Runs" runs_url "2026-W05" %}{% endblock %}

Figures
  {% money 123450 "GBP" %}                      £1,234.50; None is a dash
  {% money m cur trace=url %}                   a figure that answers "why": a link to its trace
  {% money m cur negative="parentheses" symbol=False change=True risk=True %}
  {% hours minutes %} {% day date %} {% weekday date %} {% moment dt %} {% period first last %}
  {{ minor|money:"GBP" }} {{ minutes|hours }} {{ date|day }} {{ dt|moment }} {{ n|count:"person,people" }}
  {% status "done" "Approved" %}                kinds: done run wait risk open held void
  {% chip "VAT 20%" %}  {% key "g t" %}  {% clock used allowed "42 min left" late=True %}

Boxes
  {% panel "Waits for me" aside="sorted by what breaks first" %} ... {% endpanel %}
      flush=True lets a table touch the panel's edges; id="..."; level=3; href=... links the title
  {% pulse %} {% figure "Due today" note="7 done" kind="risk" url=... %}11{% endfigure %} {% endpulse %}
  {% facts %} {% fact "Pay date" %}{% day d %}{% endfact %} {% endfacts %}
  {% columns %} ... {% endcolumns %}            two panels side by side: wide and narrow; equal=True halves
  {% tabs items "Sections of the run" %}        [Tab(label, url, current, count_of)]

Tables (plain HTML inside; class="num" on figures' th and td; one <a class="row"> makes the whole row a link)
  {% table "Payslips of W05" filtered="Held only, 3 of 58" clear=url next=url previous=url shown="1 to 50" %}
    <thead><tr><th scope="col">Person<th scope="col" class="num">Net</tr></thead>
    <tbody><tr><td><a class="row" href="...">Asha Rao</a><small>NG-0001</small>
               <td class="num">{% money ... %}</tr></tbody>
  {% endtable %}                                wide=True: more columns than a screen holds

Answers
  {% trace steps title="Why 60.20" open=True %}  [TraceStep]; closed it is a <details>
  {% timeline events %}  [Event]     {% diff changes before="Run W04" after="Run W05" %}  [Change]
  {% chart chart caption="..." %}    a charts.Chart: drawing with the table behind it
  {% sparkline values "Net pay, 12 weeks" "GBP" %}
  {% thread thread %}                parts.Thread: lanes, nodes, edges as one picture
  {% diagram svg "Pay month" %}      a procedure's picture (sop.diagram) in a box that scrolls

Forms
  <form method="post">{% csrf_token %}<input type="hidden" name="form_key" value="{{ form_key }}">
    {% fields form %}
    {% buttons %}<button class="go">Save</button>{% endbuttons %}</form>
  {% field form.email %}  {% field form.file drop=True %}   label, control, help and error of one bound field
  {% group "When" %} {% field ... %} {% endgroup %}   fields side by side; a form of many fields is a
      fields.GroupedForm, whose {% fields form %} does it
  {% formrow "Label" for="id_x" help="..." error="..." %}
    <input id="id_x" aria-describedby="id_x_helptext id_x_error"> {% endformrow %}
  {% confirm "Approve run" action=url id="approve" title="Approve 2026-W05?" key="a" kind="go" %}
    what will happen, extra inputs {% endconfirm %}    a button, and the form in a dialog it opens (with csrf)
  <form data-confirm="Delete this draft?">     any form or button asks first (with JS; without, it submits)
  Buttons: <button>, <a class="button">; class "go" is the page's main action, "risk" loses something,
  "quiet" stands back

States
  {% empty "No invoices yet" "Bill a run and its invoices stand here." action="Bill a run" url=... %}
  {% failed "The statement could not be read" "Row 14: ..." remedy="Ask the bank for camt.053." retry=url %}
  {% refused "payroll.approve" who="A checker of this client can approve it." %}    no permission
  {% progress done total "Calculating payslips" url=poll_url %}  polls itself with htmx until url is empty
  {% toast "Saved" kind="done" %}               page.html shows Django's messages as these by itself

Keys: data-key="g t" on a link or button gives it keys and a line in the list that `?` opens (its text:
data-key-label, aria-label or its own). "a" is for the page's main action. j, k and Enter walk `a.row`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from functools import lru_cache
from itertools import groupby
from typing import Any, Literal

from django import template
from django.forms import BoundField
from django.forms.forms import BaseForm
from django.template import Context
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from engineroom.kernel.rates import format_ppm
from engineroom.ui import charts, display, parts
from engineroom.ui.picture import picture_of

register = template.Library()

Negative = Literal["minus", "parentheses"]


def _render(component: str, **values: Any) -> SafeString:
    return render_to_string(f"components/{component}.html", values)


class UnknownStatus(ValueError):
    """A status kind that no shape exists for."""


def _kind(kind: str) -> str:
    if kind not in parts.STATUS_KINDS:
        raise UnknownStatus(f"{kind!r} is not a status kind; take one of: {', '.join(parts.STATUS_KINDS)}")
    return kind


# --- Figures ----------------------------------------------------------------------------------------


@register.filter("money")
def money_filter(amount_minor: int | None, currency: str = "GBP") -> str:
    return "" if amount_minor is None else display.format_money(amount_minor, currency)


@register.filter("hours")
def hours_filter(minutes: int | None) -> str:
    return "" if minutes is None else display.format_hours(minutes)


@register.filter("day")
def day_filter(value: date | None) -> str:
    return "" if value is None else display.format_day(value)


@register.filter("moment")
def moment_filter(value: datetime | None) -> str:
    return "" if value is None else display.format_moment(value)


@register.filter
def count(number: int, noun: str) -> str:
    """{{ 2|count:"person,people" }}: 2 people."""
    one, _, many = noun.partition(",")
    return display.format_count(number, one, many)


@register.filter
def words(code: str) -> str:
    """A code as its words: relief_at_source is "relief at source"."""
    return code.replace("_", " ")


@register.filter
def percent(rate_ppm: int) -> str:
    """Parts per million as a percentage: 80000 is "8%"."""
    return format_ppm(rate_ppm)


@register.filter
def printable(text: object) -> str:
    return display.printable(str(text))


@register.simple_tag
def money(
    amount_minor: int | None,
    currency: str = "GBP",
    *,
    negative: Negative = "minus",
    symbol: bool = True,
    change: bool = False,
    risk: bool = False,
    trace: str = "",
) -> SafeString:
    """An amount. change: a difference, with its sign; risk: in danger; trace: where it answers "why"."""
    if amount_minor is None:
        return _number("", "", False)
    if change:
        text = display.format_change(amount_minor, currency, symbol=symbol)
    else:
        text = display.format_money(amount_minor, currency, negative=negative, symbol=symbol)
    return _number(text, trace, risk)


def _number(text: str, trace: str, risk: bool) -> SafeString:
    """The smallest components are made here and not in templates: a page has hundreds of them."""
    if not text:
        return mark_safe('<span class="money none" role="img" aria-label="none">-</span>')
    css = "money risk" if risk else "money"
    if trace:
        return format_html('<a class="{} why" href="{}" title="Why this figure">{}</a>', css, trace, text)
    return format_html('<span class="{}">{}</span>', css, text)


@register.simple_tag
def hours(minutes: int | None, *, trace: str = "") -> SafeString:
    text = "" if minutes is None else display.format_hours(minutes)
    return _number(text, trace, False)


def _time(text: str, value: date) -> SafeString:
    return format_html('<time datetime="{}">{}</time>', value.isoformat(), text)


@register.simple_tag
def day(value: date | None) -> SafeString:
    return mark_safe("") if value is None else _time(display.format_day(value), value)


@register.simple_tag
def weekday(value: date | None) -> SafeString:
    return mark_safe("") if value is None else _time(display.format_weekday(value), value)


@register.simple_tag(takes_context=True)
def moment(context: Context, value: datetime | None) -> SafeString:
    """On the clock of the page's `zone`, where its context has one; else of the zone it comes in."""
    zone = context.get("zone")
    return _moment(value.astimezone(zone) if value and zone else value)


def _moment(value: datetime | None) -> SafeString:
    return mark_safe("") if value is None else _time(display.format_moment(value), value)


@register.simple_tag
def period(first: date, last: date) -> str:
    return display.format_period(first, last)


@register.simple_tag
def status(kind: str, word: str) -> SafeString:
    """A word and a shape."""
    return format_html('<span class="status {}">{}</span>', _kind(kind), word)


@register.simple_tag
def chip(text: str, *, url: str = "") -> SafeString:
    """A small label; with a url, a link."""
    if url:
        return format_html('<a class="chip" href="{}">{}</a>', url, text)
    return format_html('<span class="chip">{}</span>', text)


@register.simple_tag
def key(keys: str) -> SafeString:
    """A keyboard key, or several one after another: "g t"."""
    return format_html_join(" ", "<kbd>{}</kbd>", ((k,) for k in keys.split()))


@register.simple_tag
def clock(used: int, allowed: int, words: str, *, late: bool = False) -> SafeString:
    """How much of a promise is used up, in the same unit, with the words that say so."""
    return _render("clock", svg=mark_safe(charts.clock(used, allowed, late=late)), words=words, late=late)


# --- Where one is -----------------------------------------------------------------------------------


@register.simple_tag
def rail(items: Sequence[parts.NavigationItem]) -> SafeString:
    """The entries of the navigation, in their groups. Made here: every page has thirty of them."""
    return mark_safe("".join(_group(name, list(of)) for name, of in groupby(items, _group_of)))


def _group_of(item: parts.NavigationItem) -> str:
    return item.group


def _group(name: str, items: Sequence[parts.NavigationItem]) -> SafeString:
    rows = mark_safe("".join(_entry(item) for item in items))
    if not name:
        return format_html("<ul>{}</ul>", rows)
    return format_html(
        '<p class="group-name" aria-hidden="true">{}</p><ul aria-label="{}">{}</ul>', name, name, rows
    )


@lru_cache(maxsize=20_000)
def _entry(item: parts.NavigationItem) -> SafeString:
    """What an item looks like follows from it alone, and the same ones stand on page after page."""
    current = mark_safe(' aria-current="page"') if item.current else ""
    keys = format_html(' data-key="{}" data-key-label="{}"', item.key, item.label) if item.key else ""
    shown = format_html('<kbd aria-hidden="true">{}</kbd>', item.key) if item.key else ""
    count = "" if item.count is None else format_html("<span>{}</span>", item.count)
    under = mark_safe(' class="under"') if item.under else ""
    return format_html(
        '<li{}><a href="{}"{}{}>{}{}{}</a></li>', under, item.url, current, keys, item.label, shown, count
    )


# --- Boxes ------------------------------------------------------------------------------------------


@register.simple_block_tag
def panel(
    content: SafeString,
    title: str = "",
    *,
    aside: str = "",
    id: str = "",
    level: int = 2,
    flush: bool = False,
    href: str = "",
) -> SafeString:
    """A titled box."""
    return _render("panel", **locals())


@register.simple_block_tag
def pulse(content: SafeString) -> SafeString:
    """A row of key figures."""
    return format_html('<dl class="pulse">{}</dl>', content)


@register.simple_block_tag
def figure(
    content: SafeString, label: str, *, note: str = "", kind: Literal["", "risk"] = "", url: str = ""
) -> SafeString:
    return _render("figure", **locals())


@register.simple_block_tag
def facts(content: SafeString) -> SafeString:
    """Names and values."""
    return format_html('<dl class="facts">{}</dl>', content)


@register.simple_block_tag
def fact(content: SafeString, label: str, *, note: str = "") -> SafeString:
    aside = format_html("<small>{}</small>", note) if note else ""
    return format_html("<div><dt>{}</dt><dd>{}{}</dd></div>", label, content, aside)


@register.simple_block_tag
def columns(content: SafeString, *, equal: bool = False) -> SafeString:
    return format_html('<div class="columns{}">{}</div>', " equal" if equal else "", content)


@register.simple_tag
def tabs(items: Sequence[parts.Tab], label: str) -> SafeString:
    """The pages beside this one; label names them for a screen reader."""
    return _render("tabs", items=items, label=label)


# --- Tables -----------------------------------------------------------------------------------------


@register.simple_block_tag
def table(
    content: SafeString,
    caption: str,
    *,
    show_caption: bool = False,
    filtered: str = "",
    clear: str = "",
    next: str = "",
    previous: str = "",
    shown: str = "",
    wide: bool = False,
) -> SafeString:
    """A table in a box of its own that scrolls sideways where the screen is narrow.

    wide: it has so many columns that it scrolls on any screen; its head then does not stay in view.

    filtered: what is left out, in words; clear: where all of it is. next, previous: the pager's links.
    """
    return _render("table", **locals())


@register.simple_tag
@lru_cache(maxsize=10_000)
def task(row: Any, *, show_client: bool = False) -> SafeString:
    """A row of a board: what waits, for which client, in which state, by when, and for how much.

    row: hashable; what it looks like follows from it alone, and of forty rows few are new the next time.
    """
    of = format_html(" <small>{}</small>", row.client) if show_client else ""
    client = (
        format_html('<td class="lesser"><a href="{}">{}</a></td>', row.client_url, row.client)
        if show_client
        else ""
    )
    shape = status(row.kind, row.status)
    due = day(row.due) if row.due else mark_safe('<span class="muted">no date</span>')
    amount = "" if row.amount_minor is None else money(row.amount_minor, row.currency)
    return format_html(
        '<tr><td><a class="row" href="{}">{}</a><br><small>{}</small><span class="narrow">{}{}</span></td>{}'
        '<td class="lesser">{}</td><td>{}</td><td class="num">{}</td></tr>',
        row.url, row.what, row.note, shape, of, client, shape, due, amount,
    )  # fmt: skip


# --- Answers ----------------------------------------------------------------------------------------


@register.simple_tag
def trace(
    steps: Sequence[parts.TraceStep], title: str = "Why this figure", *, open: bool = False
) -> SafeString:
    """Why a figure is what it is, step by step. open: as a part of the page; else behind its title."""
    return _render("trace", steps=steps, title=title, open=open)


@register.simple_tag
def timeline(events: Sequence[parts.Event], label: str = "What happened") -> SafeString:
    rows = [(event, _kind(event.kind), _when(event.at)) for event in events]
    return _render("timeline", rows=rows, label=label)


def _when(at: datetime | date | None) -> SafeString:
    if at is None:
        return mark_safe("")
    return _moment(at) if isinstance(at, datetime) else day(at)


@register.simple_tag
def diff(
    changes: Sequence[parts.Change], *, before: str = "Before", after: str = "After", caption: str = "Changes"
) -> SafeString:
    """What was and what is; rows that did not change stand back."""
    return _render("diff", changes=changes, before=before, after=after, caption=caption)


@register.simple_tag
def chart(chart: charts.Chart, *, caption: str = "", show_title: bool = True) -> SafeString:
    """A drawing, and the table behind it one click away."""
    return _render(
        "chart",
        chart=chart,
        svg=mark_safe(chart.svg),
        caption=caption,
        show_title=show_title,
    )


@register.simple_tag
def sparkline(values: Sequence[int], title: str, currency: str | None = None) -> SafeString:
    return mark_safe(charts.sparkline(values, title=title, currency=currency))


@register.simple_tag
def thread(thread: parts.Thread, label: str = "The thread") -> SafeString:
    """Where a figure came from and what it became, as one picture; on a narrow screen, one list."""
    for node in thread.nodes:
        if node.status:
            _kind(node.status_kind)
    return _render("thread", picture=picture_of(thread), label=label)


@register.simple_tag
def node(node: parts.Node) -> SafeString:
    """A thing on the thread. Made here and not in a template: a thread has dozens of them."""
    what = format_html('<a class="row" href="{}">{}</a>', node.url, node.what) if node.url else node.what
    return format_html(
        '<article class="node{}"{}>\n<p class="node-what">{}</p>{}{}{}{}\n</article>',
        " here" if node.here else "",
        mark_safe(' aria-current="true"') if node.here else "",
        what,
        _paragraph("node-figure", node.figure),
        _paragraph("node-note", node.note),
        status(node.status_kind, node.status) if node.status else "",
        _paragraph("node-by", _by(node)),
    )


def _paragraph(css: str, text: str) -> SafeString:
    return format_html('\n<p class="{}">{}</p>', css, text) if text else mark_safe("")


def _by(node: parts.Node) -> str:
    """For whom, who, when, and by which rule."""
    client = format_html('<span class="chip">{}</span> ', node.client) if node.client else ""
    rule = format_html('<span class="node-rule">{}</span>', node.rule) if node.rule else ""
    who_and_when = ", ".join(filter(None, (node.who, node.when)))
    return format_html("{}{}{}", client, who_and_when, rule) if client or who_and_when or rule else ""


@register.simple_tag
def diagram(svg: str, title: str) -> SafeString:
    """A procedure as a picture, in its natural size, in a box of its own that scrolls."""
    return _render("diagram", svg=mark_safe(svg), title=title)


# --- Forms ------------------------------------------------------------------------------------------


@register.simple_tag
def field(field: BoundField, *, drop: bool = False) -> SafeString:
    """A bound field with its label, help and error. drop: a file input as a place to drop a file."""
    if field.is_hidden:
        return field.as_hidden()
    input_type = getattr(field.field.widget, "input_type", "")
    return _render("field", field=field, drop=drop, beside=input_type == "checkbox")


@register.simple_tag
def fields(form: BaseForm) -> SafeString:
    """All of a form: what is wrong with it as a whole, then each field; side by side in a `GroupedForm`."""
    return _render("fields", form=form)


@register.simple_block_tag
def group(content: SafeString, title: str = "") -> SafeString:
    """Fields side by side, as many to a row as there is room for; under a title, if they have one."""
    rows = format_html('<div class="grid">{}</div>', content)
    return (
        format_html('<fieldset class="group"><legend>{}</legend>{}</fieldset>', title, rows)
        if title
        else rows
    )


@register.simple_tag
def form_errors(form: BaseForm) -> SafeString:
    """A summary above the form: each error, linked to its field."""
    return _render("form_errors", form=form, found=[f for f in form if f.errors])


@register.simple_block_tag
def formrow(content: SafeString, label: str, **options: str) -> SafeString:
    """A row whose control the page writes itself. options: for, help, error."""
    return _render(
        "form_row",
        content=content,
        label=label,
        control=options.get("for", ""),
        help=options.get("help", ""),
        error=options.get("error", ""),
    )


@register.simple_block_tag
def buttons(content: SafeString) -> SafeString:
    return format_html('<div class="buttons">{}</div>', content)


@register.simple_block_tag(takes_context=True)
def confirm(
    context: Context,
    content: SafeString,
    label: str,
    *,
    action: str,
    id: str,
    title: str = "",
    yes: str = "",
    kind: Literal["", "go", "risk", "quiet"] = "",
    key: str = "",
) -> SafeString:
    """A button that asks first: it opens a dialog with a form that posts to `action`.

    It stands open when the form in it was refused.
    """
    values = {**locals(), "title": title or f"{label}?"}
    values.pop("context")
    values["refused"] = parts.SAYS_WHAT_IS_WRONG in content
    values |= {name: context.get(name, "") for name in ("csrf_token", "form_key")}
    return _render("confirm", **values)


# --- States -----------------------------------------------------------------------------------------


@register.simple_tag
def empty(title: str, text: str = "", *, action: str = "", url: str = "") -> SafeString:
    """What will be here, and the first step."""
    return _render("state", kind="empty", title=title, text=text, action=action, url=url)


@register.simple_tag
def failed(title: str, text: str = "", *, remedy: str = "", retry: str = "") -> SafeString:
    """What went wrong, where, and what to do."""
    return _render(
        "state", kind="failed", title=title, text=text, remedy=remedy, action="Try again", url=retry
    )


@register.simple_tag
def refused(permission: str, *, who: str = "", action: str = "", url: str = "") -> SafeString:
    """The reader may not do or see this: which permission it takes, and who holds it."""
    return _render("state", kind="refused", permission=permission, who=who, action=action, url=url)


@register.simple_tag
def progress(
    done: int,
    total: int,
    label: str,
    *,
    url: str = "",
    every_s: int = 2,
    note: str = "",
    failed: bool = False,
) -> SafeString:
    """How far a long job is. url: what answers with this component anew; empty once the job is over."""
    percent = min(100, 100 * done // total) if total > 0 else None
    return _render("progress", **locals())


@register.simple_tag
def toast(text: str, *, kind: str = "done") -> SafeString:
    """A short message. kind: done, run, wait, risk."""
    return _render("toast", text=text, kind=_kind(kind))


MESSAGE_KINDS = {"debug": "open", "info": "run", "success": "done", "warning": "wait", "error": "risk"}


@register.filter
def message_kind(level_tag: str) -> str:
    """Django's message levels as status kinds."""
    return MESSAGE_KINDS.get(level_tag, "run")


# --- The page ---------------------------------------------------------------------------------------


@register.simple_tag
def crumbs(*labels_and_urls: str) -> SafeString:
    """{% crumbs "Northgate Temps" client_url "Runs" runs_url "2026-W05" %}: the last one is this page."""
    trail = [
        parts.Crumb(label, labels_and_urls[i + 1] if i + 1 < len(labels_and_urls) else "")
        for i, label in enumerate(labels_and_urls)
        if i % 2 == 0
    ]
    return _render("crumbs", trail=trail)


@register.simple_tag
@lru_cache(maxsize=1_000)
def asset(path: str) -> str:
    """The address of a style sheet, script or picture of ours: fixed for as long as a process runs."""
    return static(path)


@register.simple_tag(takes_context=True)
def theme(context: Context) -> str:
    """The reader's choice of theme, from its cookie: "light", "dark", or "" for the system's own."""
    request = context.get("request")
    chosen = request.COOKIES.get("theme", "") if request is not None else ""
    return chosen if chosen in ("light", "dark") else ""
