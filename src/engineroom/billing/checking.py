"""An e-invoice checked by everything we have: its schema, our arithmetic, and the installed official
rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

from django.conf import settings
from lxml import etree

from engineroom.billing.formats import arithmetic, reading, schemas
from engineroom.billing.formats.binding import format_hundredths
from engineroom.billing.formats.einvoice import Finding, Invoice
from engineroom.billing.official import PROCESS
from engineroom.billing.rulesets import RuleSet, RuleStore


@dataclass(frozen=True)
class Verdict:
    """by: what was asked, in the order it was; findings of each beside it."""

    name: str
    syntax: str
    invoice: Invoice
    by: tuple[str, ...]
    findings: tuple[tuple[Finding, ...], ...]
    rules: tuple[RuleSet, ...]
    content: bytes

    @property
    def shown_total(self) -> str:
        """What is to be paid, as the e-invoice says it."""
        payable = self.invoice.totals.payable if self.invoice.totals else None
        return "nothing said" if payable is None else f"{format_hundredths(payable)} {self.invoice.currency}"

    @property
    def all(self) -> list[Finding]:
        """Every finding; what rules and arithmetic both find is said by both."""
        return [finding for part in self.findings for finding in part]

    @property
    def fatal(self) -> int:
        return sum(finding.severity == "fatal" for finding in self.all)

    @property
    def warnings(self) -> int:
        return len(self.all) - self.fatal


def store() -> RuleStore:
    return RuleStore(settings.EINVOICE_RULES_DIR)


def official(received: reading.Received) -> list[Finding]:
    """What the installed official rules say. Raises RulesNotApplied."""
    return [finding for _, found in _official(received) for finding in found]


def _official(received: reading.Received) -> list[tuple[RuleSet, list[Finding]]]:
    rules = store().for_document(received.syntax, received.invoice.customization)
    content = etree.tostring(received.root, encoding="UTF-8")
    found = PROCESS.apply(content, [store().path(each) for each in rules])
    return list(zip(rules, found, strict=True))


def check(stream: BinaryIO | bytes, *, name: str) -> Verdict:
    """Raises InputRefused for what is no e-invoice, RulesNotApplied where rules are installed and cannot be
    applied.
    """
    received = reading.receive(stream, file_name=name)
    parts: list[tuple[str, tuple[Finding, ...]]] = [
        (f"{received.syntax} schema", tuple(schemas.check(received.root, received.syntax))),
        ("arithmetic", (*received.findings, *arithmetic.check(received.invoice))),
    ]
    by_rules = _official(received)
    parts += [(f"{each.name} {each.version}".strip(), tuple(found)) for each, found in by_rules]
    return Verdict(
        name,
        received.syntax,
        received.invoice,
        tuple(by for by, _ in parts),
        tuple(found for _, found in parts),
        tuple(each for each, _ in by_rules),
        received.content,
    )
