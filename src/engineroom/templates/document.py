"""Templates as documents: Markdown with one heading per part, and below it a short YAML table of its items.

    ---
    template: uk_usual
    title: United Kingdom, the usual
    country: gb
    ---
    What clients that follow this have alike, in words.

    ## Pay schedules
    ```yaml
    MONTHLY:
      name: Monthly
      frequency: monthly
      anchor: 2026-04-01
      pay_rule: last_banking_day
      cut_off_days: 5
    ```
    Why it is so, for whoever reads it.

What a field leaves out stays each client's own business. docs/templates.md has every part with its fields.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engineroom.foundation.templated import PARTS, Field, NotAValue, Part, parts
from engineroom.kernel.errors import Problem, errors_of
from engineroom.payroll.jurisdictions import NoJurisdiction, jurisdiction
from engineroom.sop.formats.markdown import LARGEST_TEXT, Section, front_of, sections_of, title_key
from engineroom.sop.graph import KEY
from engineroom.sop.problems import Report
from engineroom.templates.engine import Items

FRONT_WORDS = frozenset({"template", "title", "country"})
NEEDED = ("template", "title", "country")
MOST_ITEMS = 500
LONGEST_KEY = 60
LONGEST_TITLE = 200


@dataclass(frozen=True)
class Template:
    """What a document says. parts: items by part, in the order in which parts are applied; notes: the words
    below a part's table."""

    key: str
    title: str
    country: str
    parts: Mapping[str, Items] = field(default_factory=dict)
    text: str = ""
    notes: Mapping[str, str] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many values it says."""
        return sum(len(fields) for items in self.parts.values() for fields in items.values())


def canonical(template: Template) -> str:
    """The one way to write a template down, so that what says the same has the same hash."""
    kept = {
        "key": template.key, "title": template.title, "country": template.country, "text": template.text,
        "parts": template.parts, "notes": template.notes,
    }  # fmt: skip
    return json.dumps(kept, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def hash_of(template: Template) -> str:
    """SHA-256 of the canonical form, in hex."""
    return hashlib.sha256(canonical(template).encode()).hexdigest()


def read_canonical(content: str) -> Template:
    """A frozen version, its parts and fields in the order in which they are shown and applied."""
    kept = json.loads(content)
    return Template(
        kept["key"], kept["title"], kept["country"], _ordered(kept["parts"]), kept["text"], kept["notes"]
    )


def _ordered(kept: Mapping[str, Items]) -> dict[str, dict[str, dict[str, str]]]:
    return {
        part.key: {item: _in_order(part, kept[part.key][item]) for item in sorted(kept[part.key])}
        for part in parts()
        if part.key in kept
    }


def _in_order(part: Part, fields: Mapping[str, str]) -> dict[str, str]:
    return {f.name: fields[f.name] for f in part.fields if f.name in fields}


@dataclass(frozen=True)
class Checked:
    """A text as it was understood. template: None while it says none."""

    template: Template | None
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> list[Problem]:
        return errors_of(self.problems)

    @property
    def sha256(self) -> str:
        return hash_of(self.template) if self.template else ""


def check(text: str, *, file: str | None = None) -> Checked:
    """Read a text and find everything that is wrong with it, by line."""
    report = Report(file)
    if len(text) > LARGEST_TEXT:
        report.error(1, f"{len(text):,} characters", f"at most {LARGEST_TEXT:,}: say it in two templates")
        return Checked(None, tuple(report.found))
    lines = text.replace("\r\n", "\n").split("\n")
    front, at = front_of(lines, report, FRONT_WORDS, NEEDED)
    if front is None or report.found:
        return Checked(None, tuple(report.found))
    intro, sections = sections_of(lines, at, report)
    key, title, country = (front.head[word].strip() for word in NEEDED)
    _check_front(front, key, title, country, report)
    said, notes = {}, {}
    for section in sections:
        part = _part_of(section, report)
        if part and part.key in said:
            report.error(section.line, f"{part.title} stands twice", "say all of it below one heading")
        elif part:
            said[part.key] = _items(part, section, country, report)
            if section.text:
                notes[part.key] = section.text
    if not sections:
        report.error(at + 1, "nothing is said", f"add a heading, such as ## {parts()[0].title}")
    template = Template(key, title, country, _ordered(said), intro, notes)
    return Checked(template, tuple(sorted(report.found, key=lambda p: p.row or 0)))


def _check_front(front: Section, key: str, title: str, country: str, report: Report) -> None:
    if not KEY.match(key):
        report.error(
            front.line_of("template"),
            f"{key!r} cannot be a template's name",
            "use small letters, digits and underscores, a letter first",
            "template",
        )
    if len(title) > LONGEST_TITLE:
        report.error(front.line_of("title"), "the title is too long", f"use up to {LONGEST_TITLE} letters")
    try:
        jurisdiction(country)
    except NoJurisdiction as error:
        report.error(front.line_of("country"), str(error), "use a country whose law is here", "country")


def _part_of(section: Section, report: Report) -> Part | None:
    key = title_key(section.title)
    found = PARTS.get(key) or next((part for part in parts() if title_key(part.title) == key), None)
    if found is None:
        known = ", ".join(part.title for part in parts())
        report.error(section.line, f"a template says nothing of {section.title!r}", f"it may say: {known}")
    return found


def _items(part: Part, section: Section, country: str, report: Report) -> dict[str, dict[str, str]]:
    if not section.head:
        report.error(section.line, f"{part.title} has no items", "add a table of them below it, in ```yaml")
    if len(section.head) > MOST_ITEMS:
        report.error(section.line, f"{len(section.head):,} items", f"at most {MOST_ITEMS} of one part")
        return {}
    found: dict[str, dict[str, str]] = {}
    for key, given in section.head.items():
        at = section.line_of(key)
        if not key.strip() or len(key) > LONGEST_KEY or not key.isprintable() or "/" in key:
            remedy = f"use up to {LONGEST_KEY} letters, and no /"
            report.error(at, f"{key!r} cannot name a {part.item}", remedy)
        elif not isinstance(given, dict) or not given:
            remedy = f"give its fields below it: {', '.join(f.name for f in part.fields)}"
            report.error(at, f"nothing is said of {key}", remedy, key)
        else:
            found[key] = _fields(part, key, given, at, report)
    for problem in [*needed(part, found), *part.check(country, found)]:
        item = (problem.field or "").split("/")[0]
        report.error(section.line_of(item), problem.problem, problem.remedy, problem.field)
    return found


def _fields(part: Part, item: str, given: Mapping[str, Any], at: int, report: Report) -> dict[str, str]:
    known = part.by_name
    found: dict[str, str] = {}
    for name, text in given.items():
        field_ = known.get(name)
        if field_ is None:
            report.error(
                at, f"a {part.item} has no {name!r}", f"it has: {', '.join(known)}", f"{item}/{name}"
            )
        elif not isinstance(text, str):
            report.error(at, f"{name} is no single value", "write it on one line", f"{item}/{name}")
        else:
            found |= _value(field_, item, text, at, report)
    return found


def _value(field_: Field, item: str, text: str, at: int, report: Report) -> dict[str, str]:
    try:
        return {field_.name: field_.canonical(text)}
    except NotAValue as error:
        report.error(at, f"{field_.name}: {error}", "correct it", f"{item}/{field_.name}")
        return {}


def needed(part: Part, items: Items) -> list[Problem]:
    """Fields that a part's items cannot do without."""
    return [
        Problem(f"{item} has no {f.name}", f"add {f.name}: {f.label.lower()}", field=f"{item}/{f.name}")
        for item, fields in items.items()
        for f in part.fields
        if f.needed and f.name not in fields
    ]
