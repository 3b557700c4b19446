"""Dated tables: values of law and of scheme, each with the day it starts, its source and how sure we are.

A rule file is YAML. Top level: `table` (its name), `jurisdiction`, `versions`: a list of mappings with `from`
(ISO date, inclusive), optional `until` (inclusive), `source`, `confidence` (verified | third_party |
unverified) and `values`. Decimals are written as strings and stay exact. A value known only from memory
stands in a version, or under `values.<name>: {value, source, confidence: unverified}`, and is shown as
unverified wherever it is used.

The hash of the resolved versions a calculation used is kept with the calculation, so an old run can prove
which law it applied.
"""

from __future__ import annotations

import hashlib
import json
import pkgutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from itertools import pairwise
from typing import Any

import yaml

from engineroom.kernel.errors import EngineroomError

SAFE_LOADER: type[yaml.SafeLoader | yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The parser in C, where PyYAML was built with it: it takes a tenth of the time."""

CONFIDENCES = ("verified", "third_party", "unverified")


class NoTableForDate(EngineroomError):
    """No version of the table covers the day; a value is never borrowed from another year."""

    status = 422

    def __init__(self, table: str, day: date) -> None:
        super().__init__(
            f"the table {table!r} has no version for {day}; add one to its rule file with its source"
        )


class BadTable(EngineroomError):
    """A rule file is not a dated table. Says which file and what is wrong."""


@dataclass(frozen=True)
class Version:
    """One dated version of a table, as used: its values, where they come from and how sure we are."""

    table: str
    starts: date
    ends: date | None
    source: str
    confidence: str
    values: Mapping[str, Any]

    @property
    def hash(self) -> str:
        """SHA-256 over the canonical JSON of what this version says."""
        content = [self.table, self.starts.isoformat(), self.ends and self.ends.isoformat(), self.values]
        return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()

    def unverified(self) -> list[str]:
        """Names of the values known only from memory."""
        if self.confidence == "unverified":
            return sorted(self.values)
        return sorted(
            k
            for k, v in self.values.items()
            if isinstance(v, Mapping) and v.get("confidence") == "unverified"
        )

    def __getitem__(self, name: str) -> Any:
        """The value, unwrapped when it carries its own source."""
        value = self.values[name]
        return value["value"] if isinstance(value, Mapping) and "value" in value else value


@dataclass(frozen=True)
class DatedTable:
    """All versions of one table, in order of their start, not overlapping."""

    name: str
    jurisdiction: str
    versions: tuple[Version, ...]

    def at(self, day: date) -> Version:
        """The version in force on the day. Raises NoTableForDate."""
        for version in reversed(self.versions):
            if version.starts <= day and (version.ends is None or day <= version.ends):
                return version
        raise NoTableForDate(self.name, day)


def parse_table(text: str, origin: str = "the rule file") -> DatedTable:
    """A table from YAML text. Raises BadTable, naming the origin."""
    raw = yaml.load(text, Loader=SAFE_LOADER)
    if not isinstance(raw, dict) or not {"table", "jurisdiction", "versions"} <= raw.keys():
        raise BadTable(f"{origin}: a dated table has `table`, `jurisdiction` and `versions`")
    versions = []
    for n, item in enumerate(raw["versions"], 1):
        missing = {"from", "source", "confidence", "values"} - item.keys()
        if missing:
            raise BadTable(f"{origin}: version {n} lacks {', '.join(sorted(missing))}")
        if item["confidence"] not in CONFIDENCES:
            raise BadTable(f"{origin}: version {n}: confidence is one of {', '.join(CONFIDENCES)}")
        _refuse_floats(item["values"], f"{origin}: version {n}")
        versions.append(
            Version(
                raw["table"],
                item["from"],
                item.get("until"),
                item["source"],
                item["confidence"],
                item["values"],
            )
        )
    versions.sort(key=lambda v: v.starts)
    for earlier, later in pairwise(versions):
        if earlier.ends is None or earlier.ends >= later.starts:
            raise BadTable(f"{origin}: the versions from {earlier.starts} and from {later.starts} overlap")
    return DatedTable(raw["table"], raw["jurisdiction"], tuple(versions))


def _refuse_floats(value: Any, where: str) -> None:
    if isinstance(value, float):
        raise BadTable(f"{where}: {value!r} is a float; write decimals as strings")
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _refuse_floats(item, where)


@cache
def load_table(package: str, name: str) -> DatedTable:
    """The table in `<package>/rules/<name>.yaml`, read once."""
    content = pkgutil.get_data(package, f"rules/{name}.yaml")  # lighter to load than importlib.resources
    assert content is not None, "packages are installed as files"
    return parse_table(content.decode(), f"{package.replace('.', '/')}/rules/{name}.yaml")


def rules_hash(versions: Iterable[Version]) -> str:
    """One hash for a set of versions, whatever their order."""
    lines = sorted(f"{v.table}@{v.starts.isoformat()}:{v.hash}" for v in versions)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
