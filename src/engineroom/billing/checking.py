"""An e-invoice checked by everything we have: its schema, our arithmetic, and the installed official
rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

from django.conf import settings
from lxml import etree

from engineroom.billing.formats import arithmetic, reading, schemas
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

    @property
    def all(self) -> list[Finding]:
        """Every finding once: what the arithmetic finds too is said with its figures, the official text
        first.
        """
        return [finding for part in self.findings for finding in part]

    @property
    def fatal(self) -> int:
        return sum(finding.severity == "fatal" for finding in self.all)

    @property
    def warnings(self) -> int:
        return len(self.all) - self.fatal


def store() -> RuleStore:
    return RuleStore(settings.EINVOICE_RULES_DIR)


def check(stream: BinaryIO | bytes, *, name: str) -> Verdict:
    """Raises InputRefused for what is no e-invoice, RulesNotApplied where rules are installed and cannot be
    applied.
    """
    received = reading.receive(stream, file_name=name)
    rules = tuple(store().for_document(received.syntax, received.invoice.customization))
    parts: list[tuple[str, tuple[Finding, ...]]] = [
        (f"{received.syntax} schema", tuple(schemas.check(received.root, received.syntax))),
        ("arithmetic", (*received.findings, *arithmetic.check(received.invoice))),
    ]
    content = etree.tostring(received.root, encoding="UTF-8")
    official = PROCESS.apply(content, [store().path(each) for each in rules])
    parts += [
        (f"{each.name} {each.version}".strip(), tuple(found))
        for each, found in zip(rules, official, strict=True)
    ]
    return Verdict(
        name,
        received.syntax,
        received.invoice,
        tuple(by for by, _ in parts),
        tuple(found for _, found in parts),
        rules,
    )
