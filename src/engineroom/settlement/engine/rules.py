"""The rules by which lines and items are paired, in their order, as data.

Only a rule that `confirms` may settle anything without a person, and only where its answer is the only one,
seen from the line and from the item. The others suggest, with a score. docs/clearing.md says why each is
safe.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

By = Literal[
    "reference and amount",
    "references and sum",
    "parts by reference",
    "payer and amount",
    "near reference and amount",
    "some of those named",
    "those named and others",
    "sum of a payer's items",
    "sum of a payer's lines",
    "reference",
    "near reference and payer",
    "payer, less a charge",
    "amount",
]


@dataclass(frozen=True)
class Fee:
    """What a platform or a card's bank keeps of each gross amount: basis points, then so many minor units."""

    basis_points: int = 0
    fixed: int = 0


@dataclass(frozen=True)
class Rule:
    """score: of a suggestion by it, of 100. days: a line is booked so many days before and after it is due,
    at most. fee: what is kept of each item's amount. tolerance_bp: a line may be so much less than its item.
    """

    name: str
    by: By
    score: int
    confirms: bool = False
    days: tuple[int, int] = (60, 120)
    fee: Fee = Fee()
    tolerance_bp: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.score <= 100:
            raise ValueError(f"rule {self.name}: a score is of 1 to 100")
        if self.confirms and self.by not in CAN_CONFIRM:
            raise ValueError(f"rule {self.name}: what goes by {self.by!r} can only suggest")


CAN_CONFIRM: tuple[By, ...] = (
    "reference and amount",
    "references and sum",
    "parts by reference",
    "payer and amount",
)

RULES: tuple[Rule, ...] = (
    Rule("reference and amount", "reference and amount", 95, confirms=True),
    Rule("all that it names", "references and sum", 90, confirms=True),
    Rule("parts that name it", "parts by reference", 85, confirms=True),
    Rule("near reference and amount", "near reference and amount", 88),
    Rule("payer and amount", "payer and amount", 80, confirms=True, days=(30, 60)),
    Rule("some of those it names", "some of those named", 75),
    Rule("those it names and others", "those named and others", 72),
    Rule("several items of its payer", "sum of a payer's items", 70),
    Rule("several lines of one payer", "sum of a payer's lines", 65),
    Rule("reference alone", "reference", 60),
    Rule("near reference and payer", "near reference and payer", 50),
    Rule("payer, less a charge", "payer, less a charge", 45, tolerance_bp=500),
    Rule("amount alone", "amount", 30),
)


def with_fees(*fees: tuple[str, Fee], rules: tuple[Rule, ...] = RULES) -> tuple[Rule, ...]:
    """The rules with those of platforms that keep a fee of what they pay out, after what is surer."""
    sure = [
        Rule(f"{name}, net of fees", by, 82, confirms=True, fee=fee)
        for name, fee in fees
        for by in CAN_CONFIRM[:2]
    ]
    likely: list[Rule] = []
    for name, fee in fees:
        likely.append(
            Rule(f"near a {name}'s reference, net of fees", "near reference and amount", 70, fee=fee)
        )
        likely.append(Rule(f"amount of a {name}, net of fees", "amount", 30, fee=fee))
    first_guess = next((n for n, rule in enumerate(rules) if not rule.confirms), len(rules))
    return (*rules[:first_guess], *sure, *rules[first_guess:], *likely)
