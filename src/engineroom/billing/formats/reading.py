"""Opens an e-invoice that a stranger sent, or says why not.

Nothing in it makes us fetch or expand anything: a DOCTYPE is refused by name, entities are not resolved, the
network is off. Bytes are counted as they come, unpacked ones where the file is gzip, so that 200 MB are
refused after MAX_BYTES of them and a bomb does not go off. libxml2 refuses more than 256 levels and a
text over 10 MB.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal

from lxml import etree

from engineroom.billing.formats import cii, ubl
from engineroom.billing.formats.einvoice import Finding, Invoice
from engineroom.kernel.errors import InputRefused, Problem

MAX_BYTES = 20 * 1024 * 1024
"""The largest e-invoices seen carry some MB of attachments; a tree takes some ten times its bytes of
memory.
"""

CHUNK_BYTES = 64 * 1024
AGAIN = "Ask the sender for the e-invoice as it left their system"

_WRAPPED = {
    "StandardBusinessDocument": "a Peppol envelope (SBDH); take the invoice out of it",
    "CrossIndustryDocument": "ZUGFeRD 1.0, which is not EN 16931; ask for a newer one",
    "Order": "an order",
    "ApplicationResponse": "an answer to an invoice",
}

Syntax = Literal["UBL Invoice", "UBL CreditNote", "CII"]
SYNTAXES: dict[str, Syntax] = {
    f"{{{ubl.INVOICE}}}Invoice": "UBL Invoice",
    f"{{{ubl.CREDIT_NOTE}}}CreditNote": "UBL CreditNote",
    f"{{{cii.CII}}}CrossIndustryInvoice": "CII",
}


@dataclass(frozen=True)
class Received:
    """An e-invoice as read. findings: values that are not of their kind. content: its XML, unpacked."""

    invoice: Invoice
    syntax: Syntax
    findings: tuple[Finding, ...]
    content: bytes
    root: etree._Element


def receive(stream: BinaryIO | bytes, *, file_name: str) -> Received:
    """Read an e-invoice, UBL or CII. Raises InputRefused, saying why it cannot be read as one."""
    content = unpacked(io.BytesIO(stream) if isinstance(stream, bytes) else stream, file_name)
    root = parsed(content, file_name)
    syntax = SYNTAXES.get(str(root.tag))
    if syntax is None:
        name = etree.QName(root).localname
        raise _refused(
            f"this is {_WRAPPED.get(name, f'a document named {name[:60]}')}, not an e-invoice of EN 16931",
            "Give a UBL 2.1 Invoice or CreditNote, or a Cross Industry Invoice",
            file_name,
        )
    read = cii.read_document if syntax == "CII" else ubl.read_document
    invoice, findings = read(root)
    return Received(invoice, syntax, tuple(findings), content, root)


def unpacked(stream: BinaryIO, file_name: str) -> bytes:
    """The bytes of the XML. Raises InputRefused over MAX_BYTES, counted after unpacking."""
    parts, size = [], 0
    for part in _parts(stream, file_name):
        size += len(part)
        if size > MAX_BYTES:
            raise _refused(
                f"the e-invoice has more than {MAX_BYTES // 1024**2} MB",
                "Ask the sender to leave attachments out, or to split it",
                file_name,
            )
        parts.append(part)
    if not size:
        raise _refused("the file is empty", AGAIN, file_name)
    return b"".join(parts)


def _parts(stream: BinaryIO, file_name: str) -> Iterator[bytes]:
    first = stream.read(CHUNK_BYTES)
    if first[:2] == b"PK":
        raise _refused("this is a ZIP archive", "Unpack it and give the XML in it", file_name)
    if first[:4] == b"%PDF":
        raise _refused("this is a PDF", "Save the XML that is attached to it and give that", file_name)
    if first[:2] != b"\x1f\x8b":
        while first:
            yield first
            first = stream.read(CHUNK_BYTES)
        return
    unzip = zlib.decompressobj(wbits=31)
    try:
        while first:
            yield unzip.decompress(first, CHUNK_BYTES)
            first = unzip.unconsumed_tail or stream.read(CHUNK_BYTES)
        if not unzip.eof:
            raise _refused("the gzip file ends too early", AGAIN, file_name)
    except zlib.error as error:
        raise _refused(f"the gzip file is damaged ({error})", AGAIN, file_name) from None


def parsed(content: bytes, file_name: str) -> etree._Element:
    """The XML's root. Raises InputRefused where it is not well-formed, or has a DOCTYPE."""
    parser = etree.XMLPullParser(
        events=("start",),
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        for start in range(0, len(content), CHUNK_BYTES):
            parser.feed(content[start : start + CHUNK_BYTES])
            if not start:  # before what it declares can be used
                for _, element in parser.read_events():
                    _refuse_doctype(element, file_name)
                    break
        root: etree._Element = parser.close()
    except etree.XMLSyntaxError as error:
        line = error.lineno or None
        raise InputRefused(
            [Problem(f"not well-formed XML: {error.msg}", AGAIN, file=file_name, row=line)],
            "The e-invoice cannot be read; nothing was taken",
        ) from None
    _refuse_doctype(root, file_name)
    return root


def _refuse_doctype(element: Any, file_name: str) -> None:
    if element.getroottree().docinfo.doctype:
        raise _doctype(file_name)


def _doctype(file_name: str) -> InputRefused:
    return _refused(
        "the e-invoice has a DOCTYPE, which none may have: it can make a reader fetch or expand things",
        "Do not open it elsewhere; ask the sender what this is",
        file_name,
    )


def _refused(problem: str, remedy: str, file_name: str) -> InputRefused:
    return InputRefused(
        [Problem(problem, remedy, file=file_name)], "The e-invoice cannot be read; nothing was taken"
    )
