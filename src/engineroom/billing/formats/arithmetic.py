"""An e-invoice recomputed: its totals, lines and VAT, in whole numbers and exact fractions.

The rules are those of EN 16931-1 (BR-CO-*, BR-S-*, ..) and of Peppol BIS Billing 3 (PEPPOL-EN16931-R*)
that say how figures hang together; each finding names its rule, what was said and what it should be.
Where the official rule tolerates a difference, so do we, but say it as a warning: who writes an invoice
can do better than that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from engineroom.billing.formats.binding import format_hundredths
from engineroom.billing.formats.einvoice import AllowanceCharge, Finding, Invoice, Line, TaxBreakdown, Totals

TOLERATED = 100
"""Hundredths: BR-CO-17, BR-S-08, BR-S-09 and their like take less than one unit of the currency."""

LINE_TOLERATED = 2
"""Hundredths: PEPPOL-EN16931-R120 and R040 take 0.02."""

FAMILIES = {
    "S": "S",
    "Z": "Z",
    "E": "E",
    "AE": "AE",
    "K": "IC",
    "G": "G",
    "O": "O",
    "L": "AF",
    "M": "AG",
}
"""VAT category (UNTDID 5305) to the rules' family: standard, zero, exempt, reverse charge, intra-community,
export, outside scope, Canary Islands, Ceuta and Melilla.
"""

RATED = ("S", "L", "M")
"""Categories whose VAT is computed, rate by rate; in the others it is nothing."""

Taxed = Line | AllowanceCharge

GIVES_REASON = ("E", "AE", "K", "G", "O")

PEPPOL = "PEPPOL-EN16931-R"
OF_PEPPOL = (PEPPOL, "BR-CO-25")
"""BR-CO-25 stands in Peppol's copy of CEN's rules; CEN's own have let it go (1.3.16)."""


def check(invoice: Invoice, *, peppol: bool | None = None) -> list[Finding]:
    """What does not add up. peppol: its own rules are fatal; None: where the invoice says it follows them."""
    if peppol is None:
        peppol = any(name in invoice.customization for name in ("peppol", "xrechnung"))
    found = [finding for rule in RULES for finding in rule(invoice)]
    if not peppol:
        found = [f._replace(severity="warning") if f.rule.startswith(OF_PEPPOL) else f for f in found]
    return found


def _differs(
    rule: str, what: str, where: str, said: int | None, should: int, tolerated: int = 1
) -> Iterator[Finding]:
    """said and should in hundredths. tolerated: a difference of so much is too much."""
    if said == should:
        return
    severity: Literal["fatal", "warning"] = "fatal"
    if said is not None and abs(said - should) < tolerated:
        severity = "warning"
    shown = "nothing" if said is None else format_hundredths(said)
    text = f"{what} says {shown} and makes {format_hundredths(should)}"
    yield Finding(rule, severity, text, where, shown, format_hundredths(should))


def _known(*amounts: int | None) -> int:
    return sum(amount for amount in amounts if amount is not None)


# --- totals (BG-22) -----------------------------------------------------------------------------------------


def _totals(invoice: Invoice) -> Iterator[Finding]:
    said, where = invoice.totals, "totals (BG-22)"
    if said is None:
        return
    yield from _differs(
        "BR-CO-10", "Sum of line net amounts (BT-106)", where, said.lines, _net_of(invoice.lines)
    )
    for rule, what, total, parts in (
        ("BR-CO-11", "Sum of allowances (BT-107)", said.allowances, invoice.allowances),
        ("BR-CO-12", "Sum of charges (BT-108)", said.charges, invoice.charges),
    ):
        if parts or total is not None:
            yield from _differs(rule, what, where, total, _known(*(part.amount for part in parts)))
    if said.lines is None:
        yield Finding("BR-CO-13", "fatal", "the sum of line net amounts (BT-106) is not said", where)
    else:
        net = _known(said.lines, said.charges) - _known(said.allowances)
        yield from _differs("BR-CO-13", "Total without VAT (BT-109)", where, said.net, net)
    if said.gross is None:
        yield Finding("BR-CO-16", "fatal", "the total with VAT (BT-112) is not said", where)
    else:
        payable = _known(said.gross, said.rounding) - _known(said.paid)
        yield from _differs("BR-CO-16", "Amount due for payment (BT-115)", where, said.payable, payable)


def _net_of(lines: tuple[Line, ...]) -> int:
    return _known(*(line.net for line in lines))


def _gross(invoice: Invoice) -> Iterator[Finding]:
    if not invoice.currency:
        return
    totals, where = invoice.totals or Totals(), "totals (BG-22)"
    tax = invoice.tax.tax if invoice.tax else None
    if tax is None:
        yield Finding("BR-CO-15", "fatal", "the total VAT amount (BT-110) is not said", where)
    elif totals.net is None:
        yield Finding("BR-CO-15", "fatal", "the total without VAT (BT-109) is not said", where)
    else:
        yield from _differs("BR-CO-15", "Total with VAT (BT-112)", where, totals.gross, totals.net + tax)


def _paid_by_when(invoice: Invoice) -> Iterator[Finding]:
    payable = invoice.totals.payable if invoice.totals else None
    if payable is None or payable <= 0 or invoice.is_credit_note:
        return
    if invoice.due is None and not invoice.payment_terms:
        text = (
            "something is due for payment, and neither a due date (BT-9) nor payment terms (BT-20) are said"
        )
        yield Finding("BR-CO-25", "fatal", text, "invoice")


# --- VAT (BG-23) --------------------------------------------------------------------------------------------


def _tax_total(invoice: Invoice) -> Iterator[Finding]:
    if invoice.tax is None or not invoice.tax.breakdown:
        yield Finding("BR-CO-18", "fatal", "there is no VAT breakdown (BG-23)", "invoice")
        return
    total = _known(*(part.tax for part in invoice.tax.breakdown))
    yield from _differs(
        "BR-CO-14", "Total VAT amount (BT-110)", "VAT breakdown (BG-23)", invoice.tax.tax, total
    )


def _breakdown(invoice: Invoice) -> Iterator[Finding]:
    for part in invoice.tax.breakdown if invoice.tax else ():
        rate = "" if part.rate is None else f" {part.rate.normalize():f}%"
        where = f"VAT breakdown {part.category}{rate}"
        yield from _rate_times_taxable(part, where)
        if family := FAMILIES.get(part.category):
            yield from _taxable(invoice, part, family, where)
            yield from _tax(part, family, where)
            yield from _reason(part, family, where)


def _rate_times_taxable(part: TaxBreakdown, where: str) -> Iterator[Finding]:
    what = "VAT amount (BT-117)"
    if part.rate is None or _whole(part.rate) == 0:
        if part.tax is None or _whole(Decimal(part.tax) / 100) != 0:
            yield from _differs("BR-CO-17", what, where, part.tax, 0)
    elif part.taxable is None or part.tax is None:
        yield Finding("BR-CO-17", "fatal", "the taxable amount or the VAT amount is not said", where)
    else:
        yield from _differs(
            "BR-CO-17", what, where, abs(part.tax), _tax_on(abs(part.taxable), part.rate), TOLERATED
        )


def _whole(number: Decimal) -> int:
    """As XPath rounds: the nearest, a half upwards."""
    return int((number + Decimal("0.5")).__floor__())


def _tax_on(taxable: int, rate: Decimal) -> int:
    """Hundredths, of what is not negative: the nearest, a half upwards."""
    return int((Fraction(taxable) * Fraction(rate) / 100 + Fraction(1, 2)).__floor__())


def _taxable(invoice: Invoice, part: TaxBreakdown, family: str, where: str) -> Iterator[Finding]:
    rule, rated = f"BR-{family}-08", part.category in RATED
    if rated and part.rate is None:
        return

    def meant(category: str, rate: Decimal | None) -> bool:
        return category == part.category and (not rated or rate == part.rate)

    lines = [line for line in invoice.lines if meant(line.category, line.rate)]
    charges = [each for each in invoice.charges if meant(each.category, each.rate)]
    allowances = [each for each in invoice.allowances if meant(each.category, each.rate)]
    there = lines or charges or allowances if part.category == "S" else invoice.lines
    if not there:
        yield Finding(rule, "fatal", "no line, allowance or charge has this category and rate", where)
        return
    should = _known(*(line.net for line in lines), *(each.amount for each in charges)) - _known(
        *(each.amount for each in allowances)
    )
    what = "Taxable amount (BT-116)"
    yield from _differs(rule, what, where, part.taxable, should, TOLERATED if rated else 1)


def _tax(part: TaxBreakdown, family: str, where: str) -> Iterator[Finding]:
    rule, what = f"BR-{family}-09", "VAT amount (BT-117)"
    if part.category not in RATED:
        yield from _differs(rule, what, where, part.tax, 0)
    elif part.rate is None or part.taxable is None or part.tax is None:
        yield Finding(rule, "fatal", "the rate, the taxable amount or the VAT amount is not said", where)
    else:
        yield from _differs(
            rule, what, where, abs(part.tax), _tax_on(abs(part.taxable), part.rate), TOLERATED
        )


def _reason(part: TaxBreakdown, family: str, where: str) -> Iterator[Finding]:
    said = bool(part.reason or part.reason_code)
    if part.category in GIVES_REASON and not said:
        text = "no VAT is charged and no reason is said (BT-120 or BT-121)"
        yield Finding(f"BR-{family}-10", "fatal", text, where)
    if part.category not in GIVES_REASON and said:
        text = "a reason for exemption is said (BT-120 or BT-121), and this category has none"
        yield Finding(f"BR-{family}-10", "fatal", text, where)


def _categories(invoice: Invoice) -> Iterator[Finding]:
    """Each category that is used has its breakdown (BR-*-01)."""
    parts: tuple[Taxed, ...] = (*invoice.lines, *invoice.allowances, *invoice.charges)
    used = {each.category for each in parts}
    broken_down = [part.category for part in (invoice.tax.breakdown if invoice.tax else ())]
    for category, family in FAMILIES.items():
        count = broken_down.count(category)
        wrong = (category in used) != (count > 0) if category in RATED else category in used and count != 1
        if wrong or (category not in RATED and count > 1):
            where_used = "used" if category in used else "used nowhere"
            text = f"category {category} is {where_used} and broken down {count} times"
            yield Finding(f"BR-{family}-01", "fatal", text, "VAT breakdown (BG-23)")


def _rates(invoice: Invoice) -> Iterator[Finding]:
    """The rate that goes with a category: above nothing, nothing, or none (BR-*-05 to BR-*-07)."""
    kinds: tuple[tuple[str, str, tuple[Taxed, ...]], ...] = (
        ("05", "line", invoice.lines),
        ("06", "allowance", invoice.allowances),
        ("07", "charge", invoice.charges),
    )
    for number, what, parts in kinds:
        for at, each in enumerate(parts, start=1):
            if each.category in FAMILIES and (problem := _wrong_rate(each.category, each.rate)):
                rule = f"BR-{FAMILIES[each.category]}-{number}"
                yield Finding(rule, "fatal", problem, f"{what} {getattr(each, 'id', '') or at}")


def _wrong_rate(category: str, rate: Decimal | None) -> str:
    if category == "O":
        return "" if rate is None else f"a rate of {rate} is said, and what is outside of VAT has none"
    if rate is None:
        return "the rate of VAT is not said"
    if category == "S":
        return "" if rate > 0 else "the standard category needs a rate above 0"
    if category in RATED:
        return "" if rate >= 0 else "the rate is negative"
    return "" if rate == 0 else f"the rate is {rate}, and this category's is 0"


# --- lines (BG-25) ------------------------------------------------------------------------------------------


def _lines(invoice: Invoice) -> Iterator[Finding]:
    for at, line in enumerate(invoice.lines, start=1):
        where = f"line {line.id or at}"
        if not line.category:
            yield Finding("BR-CO-04", "fatal", "the VAT category (BT-151) is not said", where)
        if line.price is not None and line.price < 0:
            yield Finding("BR-27", "fatal", f"the net price (BT-146) is negative: {line.price}", where)
        if line.gross_price is not None and line.gross_price < 0:
            yield Finding(
                "BR-28", "fatal", f"the gross price (BT-148) is negative: {line.gross_price}", where
            )
        yield from _price(line, where)
        yield from _line_net(line, where)


def _line_net(line: Line, where: str) -> Iterator[Finding]:
    if line.base_quantity is not None and line.base_quantity <= 0:
        yield Finding(f"{PEPPOL}121", "fatal", "the price base quantity (BT-149) is not above 0", where)
    if line.price is None:
        return
    quantity = Fraction(1 if line.quantity is None else line.quantity)
    exact = quantity * Fraction(line.price) / Fraction(line.base_quantity or 1) * 100
    exact += _known(*(each.amount for each in line.charges))
    exact -= _known(*(each.amount for each in line.allowances))
    said = line.net or 0
    if abs(said - exact) > LINE_TOLERATED:
        should = nearest(exact)
        yield from _differs(f"{PEPPOL}120", "Line net amount (BT-131)", where, said, should)
    elif said != nearest(exact) and abs(said - exact) > Fraction(1, 2):
        yield from _differs(
            f"{PEPPOL}120", "Line net amount (BT-131)", where, said, nearest(exact), LINE_TOLERATED + 1
        )


def nearest(number: Fraction) -> int:
    """A half away from zero, as accountants round."""
    size = int((abs(number) + Fraction(1, 2)).__floor__())
    return -size if number < 0 else size


def _price(line: Line, where: str) -> Iterator[Finding]:
    if line.gross_price is None or line.price_discount is None or line.price is None:
        return
    should = line.gross_price - line.price_discount
    if line.price != should:
        text = f"Net price (BT-146) says {line.price} and makes {should}"
        yield Finding(f"{PEPPOL}046", "fatal", text, where, str(line.price), str(should))


def _allowances(invoice: Invoice) -> Iterator[Finding]:
    yield from _percentages(invoice.allowances, "allowance")
    yield from _percentages(invoice.charges, "charge")
    for at, line in enumerate(invoice.lines, start=1):
        yield from _percentages(line.allowances, f"line {line.id or at}, allowance")
        yield from _percentages(line.charges, f"line {line.id or at}, charge")


def _percentages(parts: tuple[AllowanceCharge, ...], name: str) -> Iterator[Finding]:
    for at, each in enumerate(parts, start=1):
        where = f"{name} {at}"
        if each.percent is not None and each.base is None:
            yield Finding(f"{PEPPOL}041", "fatal", "a percentage is said without its base amount", where)
        elif each.base is not None and each.percent is None:
            yield Finding(f"{PEPPOL}042", "fatal", "a base amount is said without its percentage", where)
        elif each.base is not None and each.percent is not None:
            exact = Fraction(each.base) * Fraction(each.percent) / 100
            said = each.amount or 0
            if abs(said - exact) > LINE_TOLERATED:
                yield from _differs(f"{PEPPOL}040", "Amount", where, said, nearest(exact))


def _tax_point(invoice: Invoice) -> Iterator[Finding]:
    if invoice.tax_point is not None and invoice.tax_point_code:
        text = "the tax point is said as a date (BT-7) and as a code (BT-8); one of them is enough"
        yield Finding("BR-CO-03", "fatal", text, "invoice")


RULES: tuple[Callable[[Invoice], Iterator[Finding]], ...] = (
    _totals,
    _gross,
    _paid_by_when,
    _tax_point,
    _tax_total,
    _breakdown,
    _categories,
    _rates,
    _lines,
    _allowances,
)

COVERED = frozenset(
    [
        *(f"BR-CO-{number}" for number in ("03", "04", *range(10, 19), "25")),
        *(f"BR-{family}-{number}" for family in FAMILIES.values() for number in ("01", "05", "06", "07")),
        *(f"BR-{family}-{number}" for family in FAMILIES.values() for number in ("08", "09", "10")),
        "BR-27",
        "BR-28",
        *(f"{PEPPOL}{number}" for number in ("040", "041", "042", "046", "120", "121")),
    ]
)
"""The official rules that are computed here too."""
