"""A record and its place in an XML syntax: one ordered table, walked both ways.

    LINE = (
        Field("cbc:ID", "id"),
        Field("cbc:InvoicedQuantity", "quantity", DECIMAL),
        Field("cbc:InvoicedQuantity/@unitCode", "unit"),
        Group("cac:AdditionalItemProperty", "attributes", ItemAttribute, ATTRIBUTE),
    )

The table's order is the schema's order. Reading takes what is there; writing makes an element for what is
said and nothing else, and neighbouring fields under one parent share it. A `Fixed` element is written and
not read: it holds what `only` asks for, or its own text.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

from lxml import etree

from engineroom.billing.formats.einvoice import Finding

MAX_AMOUNT_DIGITS = 15
"""Before the decimal point; the kernel's largest amount is of this size (kernel.money.MAX_MINOR)."""

_NUMBER = re.compile(r"([+-]?)([0-9]{0,30})(?:\.([0-9]{0,30}))?")


class NotReadable(ValueError):
    """The text is not of its kind. The message says what is wrong, rule the official rule, where there is
    one.
    """

    def __init__(self, problem: str, rule: str = "READ") -> None:
        self.rule = rule
        super().__init__(problem)


class Kind(NamedTuple):
    """How a value is read and written. currency: which of the document's the element names with it. verbatim:
    the space around it is part of it.
    """

    parse: Callable[[str], Any]
    format: Callable[[Any], str]
    currency: str = ""
    verbatim: bool = False


def _number(text: str) -> tuple[str, str, str]:
    found = _NUMBER.fullmatch(text)
    if found is None or not (found[2] or found[3]):
        raise NotReadable(f"{text[:40]!r} is not a decimal number")
    return found[1], found[2] or "0", found[3] or ""


def parse_hundredths(text: str) -> int:
    sign, units, decimals = _number(text)
    if len(decimals) > 2:
        raise NotReadable(f"the amount {text[:40]} has more than two decimals", "BR-DEC")
    if len(units.lstrip("0")) > MAX_AMOUNT_DIGITS:
        raise NotReadable(f"the amount {text[:40]} is larger than any we take")
    minor = int(units) * 100 + int(decimals.ljust(2, "0"))
    return -minor if sign == "-" else minor


def format_hundredths(amount: int) -> str:
    units, decimals = divmod(abs(amount), 100)
    return f"{'-' if amount < 0 else ''}{units}.{decimals:02d}"


def parse_decimal(text: str) -> Decimal:
    _number(text)
    return Decimal(text)


def _parse_day(text: str) -> date:
    try:
        return date.fromisoformat(text[:10])  # a zone may follow: the day is the sender's
    except ValueError:
        raise NotReadable(f"{text[:40]!r} is not a date, as in 2026-11-22") from None


def _parse_day_102(text: str) -> date:
    try:
        return date.fromisoformat(f"{text[:4]}-{text[4:6]}-{text[6:8]}" if len(text) == 8 else text)
    except ValueError:
        raise NotReadable(f"{text[:40]!r} is not a date, as in 20261122") from None


def _parse_bytes(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except binascii.Error:
        raise NotReadable("the attachment is not base64") from None


TEXT = Kind(str, str)
VERBATIM = Kind(str, str, verbatim=True)
DAY = Kind(_parse_day, lambda day: str(day.isoformat()))
DAY_102 = Kind(_parse_day_102, lambda day: f"{day:%Y%m%d}")
DECIMAL = Kind(parse_decimal, lambda number: f"{number:f}")
AMOUNT = Kind(parse_hundredths, format_hundredths, "currency")
PRICE_AMOUNT = Kind(parse_decimal, lambda number: f"{number:f}", "currency")
TAX_CURRENCY_AMOUNT = Kind(parse_hundredths, format_hundredths, "tax_currency")
CONTENT = Kind(_parse_bytes, lambda content: base64.b64encode(content).decode())


class Field(NamedTuple):
    """path: elements below the group's, the last may be an @attribute."""

    path: str
    name: str
    kind: Kind = TEXT


class Fixed(NamedTuple):
    path: str
    text: str = ""


Only = Sequence[tuple[str, str]]


class Group(NamedTuple):
    """only: paths below the element and what each says: which of the elements of that name are meant.

    A value beginning with "!" says what it must not be. many: the field is a tuple.
    """

    path: str
    name: str
    record: type[Any]
    table: Sequence[Part]
    only: Only = ()
    many: bool = True
    pick: Callable[[etree._Element, Context], bool] | None = None


class Flat(NamedTuple):
    """Like a group, of one element whose fields are those of the record itself."""

    path: str
    table: Sequence[Part]
    only: Only = ()


Part = Field | Fixed | Group | Flat


@dataclass
class Context:
    """What reading or writing one document carries along. currency: of its amounts."""

    prefixes: Mapping[str, str]
    currency: str = ""
    tax_currency: str = ""
    findings: list[Finding] = field(default_factory=list)


# --- reading ------------------------------------------------------------------------------------------------


@cache
def _steps(path: str) -> tuple[tuple[str, ...], str]:
    """The elements of a path, and the attribute at its end."""
    parts = tuple(part for part in path.split("/") if part not in ("", "."))
    return (parts[:-1], parts[-1][1:]) if parts and parts[-1].startswith("@") else (parts, "")


def _tag(step: str, prefixes: Mapping[str, str]) -> str:
    prefix, name = step.split(":")
    return f"{{{prefixes[prefix]}}}{name}"


def find_all(element: etree._Element, path: str, prefixes: Mapping[str, str]) -> Iterator[etree._Element]:
    """Elements at a path, in the document's order; several parents of one name are all looked into."""
    steps, _ = _steps(path)
    if not steps:
        yield element
        return
    found: Iterable[etree._Element] = element.iterchildren(_tag(steps[0], prefixes))
    for child in found:
        if len(steps) == 1:
            yield child
        else:
            yield from find_all(child, "/".join(steps[1:]), prefixes)


def text_at(
    element: etree._Element, path: str, prefixes: Mapping[str, str], *, verbatim: bool = False
) -> str:
    """The first that is there, without the space around it."""
    _, attribute = _steps(path)
    for found in find_all(element, path.rpartition("/@")[0] if attribute else path, prefixes):
        text = found.text if found.text and found.text.strip() else ""
        if text and attribute:  # of an element that says nothing, nothing is qualified
            text = found.get(attribute) or ""
        if text.strip():
            return text if verbatim else text.strip()
    return ""


def read(element: etree._Element, record: type[Any], table: Sequence[Part], context: Context) -> Any:
    values: dict[str, Any] = {}
    _read_into(values, element, table, context)
    return record(**values)


def _read_into(
    values: dict[str, Any], element: etree._Element, table: Sequence[Part], context: Context
) -> None:
    for part in table:
        if isinstance(part, Field):
            if part.name not in values and (value := _read_field(element, part, context)) is not None:
                values[part.name] = value
        elif isinstance(part, Flat):
            for child in _meant(element, part, context):
                _read_into(values, child, part.table, context)
        elif isinstance(part, Group):
            made = [read(child, part.record, part.table, context) for child in _meant(element, part, context)]
            if part.many:
                values[part.name] = values.get(part.name, ()) + tuple(made)
            elif made and part.name not in values:
                values[part.name] = made[0]
                if len(made) > 1:
                    text = f"said {len(made)} times; an invoice has one, and the first is read"
                    context.findings.append(Finding("READ", "fatal", text, place(element, part.path)))


def _meant(element: etree._Element, part: Group | Flat, context: Context) -> Iterator[etree._Element]:
    for child in find_all(element, part.path, context.prefixes):
        if all(_says(text_at(child, path, context.prefixes), wanted) for path, wanted in part.only) and (
            not isinstance(part, Group) or part.pick is None or part.pick(child, context)
        ):
            yield child


def _says(text: str, wanted: str) -> bool:
    if wanted in ("true", "false"):
        return text in ((wanted, "1") if wanted == "true" else (wanted, "0"))
    return text.upper() not in wanted[1:].split("|") if wanted[:1] == "!" else text.upper() == wanted.upper()


def _read_field(element: etree._Element, part: Field, context: Context) -> Any:
    text = text_at(element, part.path, context.prefixes, verbatim=part.kind.verbatim)
    if not text:
        return None
    try:
        value = part.kind.parse(text)
    except NotReadable as error:
        context.findings.append(Finding(error.rule, "fatal", str(error), place(element, part.path)))
        return None
    if part.kind.currency == "currency" and context.currency:
        said = text_at(element, f"{part.path}/@currencyID", context.prefixes)
        if said and said != context.currency:
            text = f"an amount is in {said}, and the invoice in {context.currency}"
            context.findings.append(
                Finding(
                    "PEPPOL-EN16931-R051", "fatal", text, place(element, part.path), said, context.currency
                )
            )
    return value


def place(element: etree._Element, path: str = "") -> str:
    """Where it stands, as a person follows it: /Invoice/InvoiceLine[3]/Price/PriceAmount."""
    steps = []
    at: etree._Element | None = element
    while at is not None:
        name = etree.QName(at).localname
        above = at.getparent()
        same = [] if above is None else list(above.iterchildren(at.tag))
        steps.append(f"{name}[{same.index(at) + 1}]" if len(same) > 1 else name)
        at = above
    below = [step.split(":")[-1] for step in path.split("/") if step != "."]
    return "/" + "/".join([*reversed(steps), *below])


# --- writing ------------------------------------------------------------------------------------------------


Made = set[etree._Element]
"""Elements that groups made: fields that come later do not go into them."""


def write(
    element: etree._Element, record: Any, table: Sequence[Part], context: Context, only: Only = ()
) -> None:
    """The record's fields below the element, in the table's order."""
    said, made = dict(only), Made()
    for part in table:
        if isinstance(part, Fixed):
            text = part.text or said.get(part.path, "")
            if text and not text.startswith("!"):
                _write_text(element, part.path, text, context, made)
        elif isinstance(part, Field):
            value = getattr(record, part.name)
            if value not in ("", None):
                at = _write_text(element, part.path, part.kind.format(value), context, made)
                if part.kind.currency and at is not None:
                    at.set("currencyID", getattr(context, part.kind.currency))
        elif isinstance(part, Flat):
            if any(getattr(record, name) not in ("", None) for name in _names(part.table)):
                write(_add(element, part.path, context, made), record, part.table, context, part.only)
        else:
            value = getattr(record, part.name)
            for item in value if part.many else [value]:
                if item is not None:
                    write(_add(element, part.path, context, made), item, part.table, context, part.only)


def _names(table: Sequence[Part]) -> Iterator[str]:
    for part in table:
        if isinstance(part, Field | Group):
            yield part.name
        elif isinstance(part, Flat):
            yield from _names(part.table)


def _add(element: etree._Element, path: str, context: Context, made: Made) -> etree._Element:
    """A new element at a path, its parents shared with what stands before."""
    steps, _ = _steps(path)
    parent = _walk(element, steps[:-1], context, made)
    child = etree.SubElement(parent, _tag(steps[-1], context.prefixes))
    made.add(child)
    return child


def _write_text(
    element: etree._Element, path: str, text: str, context: Context, made: Made
) -> etree._Element | None:
    steps, attribute = _steps(path)
    if attribute:
        # An attribute belongs to what was written just before; without that there is nothing to qualify.
        at: etree._Element | None = element
        for step in steps:
            at = _last(at, _tag(step, context.prefixes), made) if at is not None else None
        if at is not None:
            at.set(attribute, text)
        return at
    if not steps:
        element.text = text
        return element
    parent = _walk(element, steps[:-1], context, made)
    child = etree.SubElement(parent, _tag(steps[-1], context.prefixes))
    child.text = text
    return child


def _walk(element: etree._Element, steps: Sequence[str], context: Context, made: Made) -> etree._Element:
    for step in steps:
        tag = _tag(step, context.prefixes)
        child = _last(element, tag, made)
        element = etree.SubElement(element, tag) if child is None else child
    return element


def _last(element: etree._Element, tag: str, made: Made) -> etree._Element | None:
    if len(element) and element[-1].tag == tag and element[-1] not in made:
        return element[-1]
    return None
