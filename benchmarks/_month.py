"""A month of a bank's lines and a firm's open items, made from a seed, with what truly settles what.

15% of amounts equal to another's (half of them of one customer), 10% paid in parts, 10% with others in one
sum, 20% of references garbled or missing, charges, platforms' payouts net of fees, returns, foreign currency;
and what makes it hard: receipts for nothing that is open (paid twice, paid ahead, strangers), items that
nobody pays, names cut, spelt otherwise, missing or another's.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from engineroom.settlement.engine.columns import Items, Lines, currency_code

EQUAL, GARBLED, MISSING = 0.15, 0.10, 0.10
CASES = (
    ("plain", 0.58), ("split", 0.10), ("merged", 0.10), ("charge stated", 0.03), ("charge unsaid", 0.02),
    ("payout", 0.03), ("return", 0.03), ("foreign", 0.05), ("unpaid", 0.06),
)  # fmt: skip
"""Of a hundred items."""
GBP = currency_code("GBP")
FOREIGN = tuple(currency_code(c) for c in ("EUR", "USD", "CHF"))
RATE = {FOREIGN[0]: 0.86, FOREIGN[1]: 0.79, FOREIGN[2]: 0.91}
PLATFORM_BP, PLATFORM_FIXED = 140, 20
FIRST_DAY, DAYS = 20_600, 30
SYLLABLES = "al ber cor dan el fin gar hol in jas kel lor mon nor ol pen ros sal tor wes".split()  # noqa: SIM905
TRADES = "Foods Stores Care Logistics Hotels Building Motors Print Farms Energy".split()  # noqa: SIM905


@dataclass
class Month:
    """truth: for each line the rows of its items, empty where there are none; case: what made the line."""

    lines: Lines
    items: Items
    truth: list[tuple[int, ...]]
    case: list[str]


@dataclass
class _Made:
    random: random.Random
    customers: list[str]
    i_day: list[int] = field(default_factory=list)
    i_currency: list[int] = field(default_factory=list)
    i_amount: list[int] = field(default_factory=list)
    i_reference: list[str] = field(default_factory=list)
    i_payer: list[str] = field(default_factory=list)
    i_return: list[bool] = field(default_factory=list)
    rows: list[tuple[int, int, int, str, str, bool, int, int, int]] = field(default_factory=list)
    truth: list[tuple[int, ...]] = field(default_factory=list)
    case: list[str] = field(default_factory=list)

    def amount(self) -> int:
        """Like invoices: many of some hundreds, few of many thousands."""
        return max(1_000, int(self.random.lognormvariate(11.2, 1.1)))

    def item(self, customer: str, amount: int | None = None, reference: str = "", currency: int = GBP,
             is_return: bool = False, day: int | None = None) -> int:  # fmt: skip
        n, dice = len(self.i_day), self.random
        if amount is None:
            amount = self.amount()
            if n > 10 and dice.random() < EQUAL:
                other = self._of_customer(customer) if dice.random() < 0.5 else dice.randrange(n)
                amount = self.i_amount[other]
        self.i_day.append(FIRST_DAY + dice.randrange(DAYS) if day is None else day)
        self.i_currency.append(currency)
        self.i_amount.append(amount)
        self.i_reference.append(reference or f"INV-{n + 100_000:07d}")
        self.i_payer.append(customer)
        self.i_return.append(is_return)
        self._last[customer] = n
        return n

    _last: dict[str, int] = field(default_factory=dict)

    def _of_customer(self, customer: str) -> int:
        return self._last.get(customer, len(self.i_day) - 1)

    def line(self, case: str, items: Sequence[int], amount: int, text: str, customer: str,
             is_return: bool = False, charge: int = 0, whole: int = 0,
             currency: int = 0) -> None:  # fmt: skip
        due = self.i_day[items[0]] if items else FIRST_DAY + self.random.randrange(DAYS)
        day = due + min(40, max(-5, int(self.random.gauss(4, 6))))
        shown = self.shown(customer)
        self.rows.append((day, GBP, amount, text, shown, is_return, charge, whole, currency))
        self.truth.append(tuple(sorted(items)))
        self.case.append(case)

    def shown(self, name: str) -> str:
        """As banks show names: capitals, cut at 18, without the legal form; some none, or another's."""
        dice = self.random.random()
        if dice < 0.03:
            return ""
        if dice < 0.05:
            return self.random.choice(self.customers).upper()
        if dice < 0.20:
            return name.upper()[:18]
        if dice < 0.40:
            return name.upper().removesuffix(" LTD")
        return name.upper()

    def text(self, references: Sequence[str]) -> str:
        """What the payer writes: each reference as it is, garbled, or not at all."""
        dice = self.random
        said = []
        for reference in references:
            luck = dice.random()
            if luck < MISSING:
                continue
            said.append(self.garbled(reference) if luck < MISSING + GARBLED else self.typed(reference))
        before = dice.choice(("", "", "PAYMENT ", "FASTER PAYMENT ", "WK 47 ", "THANK YOU "))
        return before + dice.choice((" ", ", ", " / ")).join(said)

    def typed(self, reference: str) -> str:
        how = self.random.randrange(5)
        if how == 0:
            return reference.lower()
        if how == 1:
            return reference.replace("-", "")
        if how == 2:
            return reference.replace("-", " ")
        return reference

    def garbled(self, reference: str) -> str:
        """A digit wrong, two changed places, one lost, one twice, letters for digits, the end cut off."""
        dice = self.random
        at = dice.randrange(4, len(reference))
        how = dice.randrange(6)
        if how == 0:
            return reference[:at] + dice.choice("0123456789") + reference[at + 1 :]
        if how == 1 and at + 1 < len(reference):
            return reference[:at] + reference[at + 1] + reference[at] + reference[at + 2 :]
        if how == 2:
            return reference[:at] + reference[at + 1 :]
        if how == 3:
            return reference[:at] + reference[at] + reference[at:]
        if how == 4:
            return reference.replace("0", "O", 1).replace("1", "I", 1)
        return reference[:6]


def month(seed: int, size: int) -> Month:
    """As many lines as items, `size` of each."""
    dice = random.Random(seed)
    made = _Made(dice, _customers(dice, max(20, size // 12)))
    names, shares = zip(*CASES, strict=True)
    while len(made.i_day) < size - 8:
        EVENTS[dice.choices(names, shares)[0]](made, dice.choice(made.customers))
    while len(made.i_day) < size:
        _unpaid(made, dice.choice(made.customers))
    while len(made.rows) < size:
        _for_nothing(made, dice.choice(made.customers))
    return _columns(made, size)


def _customers(dice: random.Random, many: int) -> list[str]:
    found: dict[str, None] = {}
    while len(found) < many:
        word = "".join(dice.choices(SYLLABLES, k=dice.choice((2, 3, 3)))).capitalize()
        found[f"{word} {dice.choice(TRADES)} {dice.choice(('Ltd', 'Ltd', 'plc', 'LLP', 'Ltd'))}"] = None
    return list(found)


def _plain(made: _Made, customer: str) -> None:
    item = made.item(customer)
    made.line("plain", [item], made.i_amount[item], made.text([made.i_reference[item]]), customer)


def _split(made: _Made, customer: str) -> None:
    item = made.item(customer)
    left, parts = made.i_amount[item], made.random.choice((2, 2, 2, 3, 4))
    for n in range(parts):
        part = left if n == parts - 1 else max(1, int(left * made.random.uniform(0.2, 0.8)))
        left -= part
        if part:
            made.line("split", [item], part, made.text([made.i_reference[item]]), customer)


def _merged(made: _Made, customer: str) -> None:
    many = made.random.choice((2, 2, 2, 3, 3, 4, 5))
    day = FIRST_DAY + made.random.randrange(DAYS)
    items = [made.item(customer, day=day + n % 5) for n in range(many)]
    total = sum(made.i_amount[i] for i in items)
    made.line("merged", items, total, made.text([made.i_reference[i] for i in items]), customer)


def _charge_stated(made: _Made, customer: str) -> None:
    item = made.item(customer)
    charge = made.random.choice((500, 1_250, 50))
    words = made.text([made.i_reference[item]])
    made.line("charge stated", [item], made.i_amount[item] - charge, words, customer, charge=charge)


def _charge_unsaid(made: _Made, customer: str) -> None:
    item = made.item(customer)
    charge = min(made.random.choice((500, 1_250, 50)), made.i_amount[item] // 20)
    words = made.text([made.i_reference[item]])
    made.line("charge unsaid", [item], made.i_amount[item] - charge, words, customer)


def _payout(made: _Made, customer: str) -> None:
    reference = f"PAYOUT {len(made.i_day):08d}"
    items = [made.item(customer, made.amount() // 10, reference) for _ in range(made.random.randrange(1, 7))]
    gross = [made.i_amount[i] for i in items]
    net = sum(g - (g * PLATFORM_BP + 5_000) // 10_000 - PLATFORM_FIXED for g in gross)
    made.line("payout", items, net, made.text([reference]), "Cardway Payments plc")


def _return(made: _Made, customer: str) -> None:
    item = made.item(
        customer, reference=f"ER{made.random.randrange(10**6):06d} {len(made.i_day):07d}", is_return=True
    )
    marked = made.random.random() < 0.8
    made.line(
        "return", [item], made.i_amount[item], made.text([made.i_reference[item]]), customer, is_return=marked
    )


def _foreign(made: _Made, customer: str) -> None:
    currency = made.random.choice(FOREIGN)
    item = made.item(customer, currency=currency)
    amount = made.i_amount[item]
    booked = int(amount * RATE[currency] * made.random.uniform(0.99, 1.01))
    words = made.text([made.i_reference[item]])
    if made.random.random() < 0.75:
        made.line("foreign", [item], booked, words, customer, whole=amount, currency=currency)
    else:
        made.line("foreign", [item], booked, words, customer)


def _unpaid(made: _Made, customer: str) -> None:
    made.item(customer)


def _for_nothing(made: _Made, customer: str) -> None:
    """Paid twice under an old number, paid ahead, or nobody's: nothing that is open is meant."""
    amount = made.amount()
    words, luck = "", made.random.random()
    if luck < 0.5:
        if made.random.random() < 0.2:
            amount = made.i_amount[made._of_customer(customer)]
        old_or_to_come = made.random.choice((0, 100_000 + len(made.i_day)))
        words = made.typed(f"INV-{old_or_to_come + made.random.randrange(100_000):07d}")
    elif luck < 0.6:
        customer = "A Stranger"
    made.line("for nothing", [], amount, words or made.text([]), customer)


EVENTS = {
    "plain": _plain, "split": _split, "merged": _merged, "charge stated": _charge_stated,
    "charge unsaid": _charge_unsaid, "payout": _payout, "return": _return, "foreign": _foreign,
    "unpaid": _unpaid,
}  # fmt: skip


def _columns(made: _Made, size: int) -> Month:
    """As columns, in no order. Lines beyond the size go: the last ones made, with what they would settle."""
    order = list(range(min(size, len(made.rows))))
    made.random.shuffle(order)
    day, currency, amount, text, payer, is_return, charge, whole, whole_currency = zip(
        *(made.rows[n] for n in order), strict=True
    )
    count = len(order)
    lines = Lines(
        np.array(made.random.sample(range(10 * count), count)),
        np.array(day), np.array(currency), np.array(amount), text, payer, np.array(is_return),
        np.array(charge), np.array(whole), np.array(whole_currency),
    )  # fmt: skip
    many = len(made.i_day)
    items = Items(
        np.array(made.random.sample(range(10 * many), many)), np.array(made.i_day), np.array(made.i_currency),
        np.array(made.i_amount), made.i_reference, made.i_payer, np.array(made.i_return),
    )  # fmt: skip
    return Month(lines, items, [made.truth[n] for n in order], [made.case[n] for n in order])
