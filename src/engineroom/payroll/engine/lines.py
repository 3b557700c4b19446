"""An explanation, line by line: a figure, the sum it comes from, how it is rounded, the rule and its table.

    1257L month 1: free pay 1,048.26 = 2 x 416.67 + 214.92 (PAYE routines, period 1) [income_tax from ...]

The words of a line are made of the numbers that a calculation left, and the sum in it is whole: whoever works
out what stands right of the equals sign and rounds as the line says gets the figure on the left. Country
modules write the lines; nothing here knows a country.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from engineroom.kernel.money import format_minor
from engineroom.kernel.rates import format_ppm
from engineroom.kernel.tables import Version
from engineroom.payroll.engine.steps import Unit, four_decimals

EXACT = ""
NEAREST_PENNY = "to the nearest penny"
CUT_TO_PENNY = "cut to a penny"
UP_TO_PENNY = "up to a penny"
DOWN_TO_POUND = "down to a pound"
NEAREST_MINUTE = "to the nearest minute"


@dataclass(frozen=True, slots=True)
class Line:
    """One line. group: what it helps to answer (tax, net). figure: minor units or minutes; None: words only.

    expression: the sum as written. rounding: one of the names above, or a country's. note: what else to know.
    rule: the law in short. law: the version of the table the line's parameters stand in. unverified: those of
    its values that are known only from memory and played a part in this line.
    """

    group: str
    about: str
    figure: int | None = None
    expression: str = ""
    rounding: str = EXACT
    note: str = ""
    rule: str = ""
    law: Version | None = None
    unverified: tuple[str, ...] = ()
    unit: Unit = "pence"

    @property
    def written(self) -> str:
        """The figure as it stands in the line."""
        if self.figure is None:
            return ""
        return format_minor(self.figure) if self.unit == "pence" else f"{self.figure:,} {self.unit}"

    @property
    def how(self) -> str:
        """The sum, its rounding and the note, without the figure."""
        parts = [", ".join(part for part in (self.expression, self.rounding) if part), self.note]
        return "; ".join(part for part in parts if part)

    @property
    def version(self) -> str:
        """The table's version, and what of it is unverified."""
        if self.law is None:
            return ""
        memory = f", unverified: {', '.join(self.unverified)}" if self.unverified else ""
        return f"{self.law.table} from {self.law.starts}{memory}"

    def __str__(self) -> str:
        equals = f" {self.written} = {self.how}" if self.expression else _after(self.written, self.note)
        rule = f" ({self.rule})" if self.rule else ""
        law = f" [{self.version}]" if self.law else ""
        return f"{self.about}{equals}{rule}{law}"


def _after(written: str, note: str) -> str:
    return (f" {written}" if written else "") + (f"; {note}" if note else "")


def law_in_words(version: Version) -> str:
    """A version of a table, where it comes from, and what of it is known only from memory."""
    until = f" until {version.ends}" if version.ends else ""
    memory = f"; unverified: {', '.join(version.unverified())}" if version.unverified() else ""
    return (
        f"Under {version.table} from {version.starts}{until}: {version.source} ({version.confidence}{memory})"
    )


def money(minor: int, words: str = "") -> str:
    """ "1,048.26", or "1,048.26 free pay"."""
    return f"{format_minor(minor)} {words}".rstrip()


def fine(ten_thousandths: int, words: str = "") -> str:
    """Pounds to four decimals."""
    return f"{four_decimals(ten_thousandths)} {words}".rstrip()


def share(of: str, *rates_ppm: int) -> str:
    """ "20% of 1,951.00"; several rates are taken one of the other."""
    return "".join(f"{format_ppm(rate)} of " for rate in rates_ppm) + of


def total(parts: Iterable[tuple[int, str]]) -> str:
    """Amounts with their words, added or taken off by their sign; those of nought are left out."""
    text = ""
    for minor, words in parts:
        if minor:
            sign = (" - " if text else "-") if minor < 0 else (" + " if text else "")
            text += sign + money(abs(minor), words)
    return text or money(0)
