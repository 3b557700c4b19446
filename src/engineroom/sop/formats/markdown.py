"""Procedures as documents: Markdown with one heading per step and a short YAML head on each. Pure.

    ---
    procedure: document_request
    title: Document request
    fields:
      due_on: {title: Needed by, type: date}
    ---
    What this is for, in words.

    ## Ask for the documents
    ```yaml
    ask:
      - file: The document
    sla: 2 working days
    ```
    What the client reads.

    ## Is it the right one?
    ```yaml
    who: specialist
    evidence:
      - yes_no: Right document
        key: right
    next:
      - when: right = no
        go: ask_for_the_documents
      - otherwise: end
    ```

A step leads to the heading after it, unless `next` says otherwise; before the first stands the start, after
the last the end. docs/procedures.md has every word of a head.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import yaml

from engineroom.kernel.errors import Problem
from engineroom.sop.conditions import FIELD_TYPES, Condition, ConditionRefused, Field, parse
from engineroom.sop.graph import Evidence, Flow, Graph, Kind, Span, SpanRefused, Step, span
from engineroom.sop.problems import Report

LARGEST_TEXT = 200_000
"""Characters: a hundred printed pages."""

HEADING = re.compile(r"(##{1,3})\s+(.+?)\s*#*\s*\Z")
FENCE = re.compile(r"```+|~~~+")

KIND_WORDS: dict[str, Kind] = {
    "ask": "client_request",
    "command": "command",
    "wait": "wait",
    "timer": "timer",
    "procedure": "procedure",
    "choice": "choice",
    "inclusive": "inclusive",
    "parallel": "fork",
    "end": "end",
}
"""The word of a head that says what a step is; a head with none of them is a task."""

ALLOWED: dict[Kind, frozenset[str]] = {
    "task": frozenset({"evidence", "checks", "four_eyes", "checker"}),
    "client_request": frozenset({"ask", "four_eyes", "checker"}),
    "command": frozenset({"command", "with", "keep", "evidence", "checks"}),
    "wait": frozenset({"wait"}),
    "timer": frozenset({"timer"}),
    "procedure": frozenset({"procedure"}),
    "choice": frozenset({"choice", "then"}),
    "inclusive": frozenset({"inclusive", "then"}),
    "fork": frozenset({"parallel", "then"}),
    "end": frozenset({"end"}),
}
COMMON = frozenset({"key", "next"})
WORKED_WORDS = frozenset({"who", "sla", "apart_from", "may_skip", "escalate", "late"})
FRONT_WORDS = frozenset({"procedure", "title", "fields"})

T = TypeVar("T")


@dataclass(frozen=True)
class Reading:
    """graph: None where the text holds none. problems: of the text; those of the graph are asked of it."""

    graph: Graph | None
    problems: tuple[Problem, ...]


@dataclass
class Section:
    """One heading: its title, its head, the words below, and on which line each stands."""

    title: str
    line: int
    head: dict[str, Any] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    text: str = ""
    key: str = ""

    @property
    def kind(self) -> Kind:
        return next((kind for word, kind in KIND_WORDS.items() if word in self.head), "task")

    def line_of(self, word: str) -> int:
        return self.lines.get(word, self.line)


def read(text: str, *, file: str | None = None) -> Reading:
    """The graph that a text says, and what of the text cannot be understood."""
    report = Report(file)
    if len(text) > LARGEST_TEXT:
        report.error(1, f"{len(text):,} characters", f"at most {LARGEST_TEXT:,}: split the procedure")
        return Reading(None, tuple(report.found))
    lines = text.replace("\r\n", "\n").split("\n")
    front, at = front_of(lines, report, FRONT_WORDS, ("procedure", "title"))
    intro, sections = sections_of(lines, at, report)
    if not sections:
        report.error(at + 1, "no step", "write each step below a heading: ## What is done")
    if report.found or front is None:
        return Reading(None, tuple(report.found))
    return _Builder(front, intro, sections, report).build()


def title_key(title: str) -> str:
    """A step's key from its title: small letters and digits, joined by underscores."""
    key = re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")[:60].strip("_")
    return key if key and key[0].isalpha() else f"step_{key}"[:60].strip("_")


# --- reading the text -----------------------------------------------------------------------------------


def front_of(
    lines: list[str], report: Report, words: frozenset[str], needed: Sequence[str]
) -> tuple[Section | None, int]:
    """What stands between the first two lines of dashes, of the document as a whole, and the line after it.

    words: which it may have; needed: those that it cannot do without."""
    if not lines or lines[0].strip() != "---":
        named = " and ".join(f"{word}:" for word in needed)
        report.error(1, "the front is missing", f"begin with a line ---, then {named}, then ---")
        return None, 0
    end = next((i for i, line in enumerate(lines[1:], 1) if line.strip() == "---"), None)
    if end is None:
        report.error(1, "the front never ends", "close it with a line ---")
        return None, 0
    front = Section("", 1)
    front.head, front.lines = _yaml(lines[1:end], 2, report)
    for word in sorted(set(front.head) - words):
        report.error(
            front.line_of(word), f"the front knows no {word!r}", f"it has: {', '.join(sorted(words))}"
        )
    for word in needed:
        if not isinstance(front.head.get(word), str) or not front.head[word].strip():
            report.error(front.line_of(word), f"the front has no {word}", f"add a line {word}: ...", word)
    return front, end + 1


def sections_of(lines: list[str], at: int, report: Report) -> tuple[str, list[Section]]:
    """The words before the first heading, and each heading with its head and words."""
    sections: list[Section] = []
    intro: list[str] = []
    body = intro
    fence = ""
    bodies: list[list[str]] = []
    for number, line in enumerate(lines[at:], at + 1):
        mark = FENCE.match(line.strip())
        if mark:
            fence = "" if fence and line.strip().startswith(fence) else fence or mark[0]
        heading = None if fence else HEADING.match(line)
        if heading:
            sections.append(Section(heading[2], number))
            body = []
            bodies.append(body)
        else:
            body.append(line)
    for section, body in zip(sections, bodies, strict=True):
        _take_head(section, body, report)
    return "\n".join(intro).strip(), sections


def _take_head(section: Section, body: list[str], report: Report) -> None:
    """The fenced YAML that begins a section's body is its head; the rest are its words."""
    start = next((i for i, line in enumerate(body) if line.strip()), None)
    if start is not None and body[start].strip() in ("```yaml", "~~~yaml"):
        fence = body[start].strip()[:3]
        end = next((i for i in range(start + 1, len(body)) if body[i].strip() == fence), None)
        if end is None:
            report.error(section.line + start + 1, "the head never ends", f"close it with a line {fence}")
            return
        first = section.line + start + 2
        section.head, section.lines = _yaml(body[start + 1 : end], first, report)
        body = body[end + 1 :]
    section.text = "\n".join(body).strip()


def _yaml(lines: list[str], first: int, report: Report) -> tuple[dict[str, Any], dict[str, int]]:
    """A mapping of texts, lists and mappings, and the line of each of its words. Nothing is guessed from how
    a text looks: no becomes no truth value, and 2026-04-06 no date."""
    text = "\n".join(lines)
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.BaseLoader)):
            report.error(first, "the head points at another part of itself (*)", "write it out")
            return {}, {}
        node = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        said = getattr(error, "problem", None) or "it is no YAML"
        report.error(
            first + (mark.line if mark else 0),
            f"the head cannot be read: {said}",
            "write word: value, one a line; texts with : or # in quotes",
        )
        return {}, {}
    if node is None:
        return {}, {}
    if not isinstance(node, yaml.MappingNode):
        report.error(first, "the head is no list of words with values", "write word: value, one a line")
        return {}, {}
    values: dict[str, Any] = {}
    where: dict[str, int] = {}
    for key, value in node.value:
        word = str(key.value)
        where[word] = first + key.start_mark.line
        if word in values:
            report.error(where[word], f"{word!r} stands here twice", "keep one of them", word)
        values[word] = _plain(value)
    return values, where


def _plain(node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return {str(key.value): _plain(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item) for item in node.value]
    return str(node.value)


# --- building the graph ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Way:
    """One line of next, choice or inclusive: where to, and when."""

    target: str
    condition: Condition | None
    is_default: bool
    line: int


class _Builder:
    def __init__(self, front: Section, intro: str, sections: list[Section], report: Report) -> None:
        self.front, self.intro, self.sections, self.report = front, intro, sections, report
        self.steps: list[Step] = []
        self.flows: list[Flow] = []

    def build(self) -> Reading:
        for section in self.sections:
            given = section.head.get("key")
            section.key = str(given) if given else title_key(section.title)
        self.order = [s.key for s in self.sections]
        self.branch_ends = self._branch_ends()
        fields = self._fields()
        first = self.order[0]
        self.steps.append(Step("start", "Start", "start", line=self.sections[0].line))
        self.flows.append(Flow("start", first, line=self.sections[0].line))
        for section in self.sections:
            self._section(section)
        self.steps.append(Step("end", "End", "end", line=self.sections[-1].line))
        self._join_forks()
        if self.report.found:
            return Reading(None, tuple(sorted(self.report.found, key=lambda p: p.row or 0)))
        head = self.front.head
        graph = Graph(
            head["procedure"].strip(),
            head["title"].strip(),
            tuple(self.steps),
            tuple(self.flows),
            fields,
            self.intro,
        )
        return Reading(graph, ())

    def _branch_ends(self) -> dict[str, str]:
        """For each first step of a branch, where its neighbour before it goes on: where the branches meet."""
        found: dict[str, str] = {}
        for section in self.sections:
            then = section.head.get("then")
            if isinstance(then, str):
                for target in self._targets(section):
                    found[target] = then
        return found

    def _targets(self, section: Section) -> list[str]:
        listed = section.head.get("parallel") or section.head.get("choice") or section.head.get("inclusive")
        if not isinstance(listed, list):
            return []
        return [
            t
            for item in listed
            if (t := item if isinstance(item, str) else item.get("go") or item.get("otherwise"))
        ]

    def _following(self, section: Section) -> str:
        """The step after this one when nothing else is said."""
        at = self.sections.index(section) + 1
        if at == len(self.sections):
            return "end"
        following = self.sections[at].key
        return self.branch_ends.get(following, following)

    def _section(self, section: Section) -> None:
        kind = section.kind
        allowed = ALLOWED[kind] | COMMON
        if kind in ("task", "client_request", "command", "wait", "procedure"):
            allowed |= WORKED_WORDS
        for word in section.head:
            if word not in allowed:
                self.report.error(
                    section.line_of(word),
                    f"a {kind.replace('_', ' ')} has no {word!r}",
                    f"it has: {', '.join(sorted(allowed))}",
                    word,
                )
        self.steps.append(self._step(section, kind))
        if kind == "fork":
            self._fork(section)
        elif kind in ("choice", "inclusive"):
            self._decide(section, section.key, kind)
        elif kind != "end":
            self._next(section)
        self._beside(section)

    def _step(self, section: Section, kind: Kind) -> Step:
        head = section.head
        after, until = self._when(section) if kind == "timer" else (None, "")
        four_eyes = head.get("four_eyes", "no")
        evidence = self._evidence(section, "ask" if kind == "client_request" else "evidence")
        return Step(
            key=section.key,
            title=section.title,
            kind=kind,
            role=self._text(section, "who") if "who" in head else "",
            text=section.text,
            evidence=evidence,
            checks=tuple(self._texts(section, "checks")),
            sla=self._span(section, "sla"),
            four_eyes=self._yes(section, "four_eyes") if four_eyes in ("yes", "no") else True,
            checker=self._checker(section),
            apart_from=tuple(self._texts(section, "apart_from")),
            may_skip=self._yes(section, "may_skip"),
            command=self._text(section, "command") if kind == "command" else "",
            arguments=tuple(self._pairs(section, "with")),
            keeps=tuple(self._pairs(section, "keep")),
            message=self._text(section, "wait") if kind == "wait" else "",
            after=after,
            until=until,
            procedure=self._text(section, "procedure") if kind == "procedure" else "",
            terminates=head.get("end") == "all",
            line=section.line,
        )

    def _checker(self, section: Section) -> str:
        """`checker: lead`, or shorter `four_eyes: lead`."""
        if "checker" in section.head:
            return self._text(section, "checker")
        given = section.head.get("four_eyes", "no")
        return "" if given in ("yes", "no") or not isinstance(given, str) else given

    def _fork(self, section: Section) -> None:
        for target in self._texts(section, "parallel"):
            self.flows.append(
                Flow(section.key, self._known(section, target, "parallel"), line=section.line_of("parallel"))
            )
        then = section.head.get("then")
        if not isinstance(then, str):
            self.report.error(
                section.line,
                "it is not said where the branches meet",
                "then: the step that begins when all of them are done",
                "then",
            )
        else:
            self._known(section, then, "then")

    def _next(self, section: Section) -> None:
        given = section.head.get("next")
        if given is None:
            self.flows.append(Flow(section.key, self._following(section), line=section.line))
        elif isinstance(given, str):
            self.flows.append(
                Flow(section.key, self._known(section, given, "next"), line=section.line_of("next"))
            )
        else:
            choice = f"{section.key[:50]}_decides"
            self.steps.append(Step(choice, f"After: {section.title}", "choice", line=section.line))
            self.flows.append(Flow(section.key, choice, line=section.line))
            self._decide(section, choice, "next")

    def _decide(self, section: Section, source: str, word: str) -> None:
        for way in self._ways(section, word):
            self.flows.append(Flow(source, way.target, way.condition, way.is_default, line=way.line))

    def _ways(self, section: Section, word: str) -> Iterator[_Way]:
        line = section.line_of(word)
        given = section.head.get(word)
        if not isinstance(given, list):
            self.report.error(
                line, f"{word} is no list of branches", "write - when: ... and go: ..., a line each", word
            )
            return
        for item in given:
            if isinstance(item, dict) and set(item) == {"otherwise"}:
                yield _Way(self._known(section, str(item["otherwise"]), word), None, True, line)
            elif isinstance(item, dict) and set(item) == {"when", "go"}:
                condition = self._read(section, word, lambda item=item: parse(str(item["when"])))  # type: ignore[misc]
                yield _Way(self._known(section, str(item["go"]), word), condition, False, line)
            else:
                self.report.error(line, "a branch cannot be read", "write when: and go:, or otherwise:", word)

    def _known(self, section: Section, target: str, word: str) -> str:
        if target != "end" and target not in self.order:
            self.report.error(
                section.line_of(word),
                f"there is no step {target!r}",
                f"name one of: {', '.join([*self.order[:15], 'end'])}",
                word,
            )
        return target

    def _beside(self, section: Section) -> None:
        """What stands beside a step: a call when it takes too long, or another way on."""
        for word in ("escalate", "late"):
            given = section.head.get(word)
            if given is None:
                continue
            wanted = {"after", "to"} if word == "escalate" else {"after", "go"}
            extra = {"until", "instead"} if word == "late" else {"until"}
            if (
                not isinstance(given, dict)
                or set(given) - wanted - extra
                or not wanted - {"after"} <= set(given)
            ):
                self.report.error(
                    section.line_of(word),
                    f"{word} cannot be read",
                    f"write {word}: {{{', '.join(f'{w}: ...' for w in sorted(wanted))}}}",
                    word,
                )
                continue
            key = f"{section.key[:50]}_{word}"
            after = self._read(section, word, lambda g=given: span(str(g["after"])) if "after" in g else None)  # type: ignore[misc]
            self.steps.append(
                Step(
                    key,
                    f"{'Call' if word == 'escalate' else 'Late'}: {section.title}",
                    "escalation" if word == "escalate" else "timer",
                    role=str(given.get("to", "")),
                    after=after,
                    until=str(given.get("until", "")),
                    attached_to=section.key,
                    interrupting=word == "late" and str(given.get("instead", "no")) == "yes",
                    line=section.line_of(word),
                )
            )
            if word == "late":
                target = self._known(section, str(given["go"]), word)
                self.flows.append(Flow(key, target, line=section.line_of(word)))

    def _join_forks(self) -> None:
        """Before the step where branches meet, a join takes the flows that come out of the branches."""
        for section in self.sections:
            then = section.head.get("then")
            if section.kind != "fork" or not isinstance(then, str):
                continue
            inside = self._inside(section.key, then)
            join = f"{section.key[:50]}_joins"
            self.steps.append(Step(join, f"Join: {section.title}", "join", line=section.line))
            self.flows = [
                Flow(f.source, join, f.condition, f.is_default, f.title, f.line)
                if f.target == then and f.source in inside
                else f
                for f in self.flows
            ]
            self.flows.append(Flow(join, then, line=section.line))

    def _inside(self, fork: str, then: str) -> set[str]:
        """Steps of a fork's branches: what it leads to before the place where they meet."""
        beside = {s.key: s.attached_to for s in self.steps if s.attached_to}
        seen: set[str] = set()
        waiting = [f.target for f in self.flows if f.source == fork]
        while waiting:
            at = waiting.pop()
            if at in (then, fork) or at in seen:
                continue
            seen.add(at)
            waiting += [f.target for f in self.flows if f.source == at]
            waiting += [key for key, host in beside.items() if host == at]
        return seen

    # --- words of a head ---

    def _fields(self) -> tuple[Field, ...]:
        given = self.front.head.get("fields", {})
        line = self.front.line_of("fields")
        if not isinstance(given, dict):
            self.report.error(
                line, "fields are no list of names", "write name: {title: ..., type: date}", "fields"
            )
            return ()
        return tuple(f for key, told in given.items() if (f := self._field(key, told, line)))

    def _field(self, key: str, told: Any, line: int) -> Field | None:
        told = {"title": told} if isinstance(told, str) else told
        known = {"title", "type", "required", "options"}
        if not isinstance(told, dict) or set(told) - known:
            self.report.error(
                line, f"the field {key} cannot be read", f"it has: {', '.join(sorted(known))}", key
            )
            return None
        kind = told.get("type", "choice" if "options" in told else "text")
        if kind not in FIELD_TYPES:
            self.report.error(
                line,
                f"the field {key} is of no known type {kind!r}",
                f"one of: {', '.join(FIELD_TYPES)}",
                key,
            )
            return None
        options = told.get("options", [])
        if (kind == "choice") != bool(options) or not isinstance(options, list):
            self.report.error(
                line, f"the field {key} and its options do not fit", "options: [a, b] for a choice", key
            )
            return None
        return Field(
            key,
            str(told.get("title") or key.replace("_", " ").capitalize()),
            kind,
            told.get("required", "yes") != "no",
            tuple(map(str, options)),
        )

    def _evidence(self, section: Section, word: str) -> tuple[Evidence, ...]:
        given = section.head.get(word, [])
        line = section.line_of(word)
        if not isinstance(given, list):
            self.report.error(line, f"{word} is no list", "write - file: Title, a line each", word)
            return ()
        return tuple(e for item in given if (e := self._item(item, line, word)))

    def _item(self, item: Any, line: int, word: str) -> Evidence | None:
        kinds = ("file", "link", "hash", *FIELD_TYPES)
        told = [k for k in kinds if isinstance(item, dict) and k in item]
        if len(told) != 1 or set(item) - {told[0], "key", "options", "optional"}:
            self.report.error(
                line,
                "a piece of evidence cannot be read",
                f"write - one of {', '.join(kinds)}: its title; beside it key, options, optional",
                word,
            )
            return None
        kind, title = told[0], str(item[told[0]])
        key = str(item.get("key") or title_key(title))
        required = item.get("optional", "no") != "yes"
        if kind in FIELD_TYPES:
            made = self._field(key, {"title": title, "type": kind, "options": item.get("options", [])}, line)
            return Evidence(key, "field", title, required, made) if made else None
        return Evidence(key, kind, title, required)  # type: ignore[arg-type]  # told holds these alone

    def _text(self, section: Section, word: str) -> str:
        value = section.head.get(word)
        if not isinstance(value, str) or not value.strip():
            self.report.error(
                section.line_of(word), f"{word} says nothing", f"write {word}: and a word", word
            )
            return ""
        return value.strip()

    def _texts(self, section: Section, word: str) -> list[str]:
        value = section.head.get(word, [])
        listed = [value] if isinstance(value, str) else value
        if not isinstance(listed, list) or not all(isinstance(v, str) for v in listed):
            self.report.error(
                section.line_of(word), f"{word} is no list of texts", "write - text, a line each", word
            )
            return []
        return listed

    def _pairs(self, section: Section, word: str) -> list[tuple[str, str]]:
        value = section.head.get(word, {})
        if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
            self.report.error(
                section.line_of(word),
                f"{word} is no list of names with values",
                "write name: $field, a line each",
                word,
            )
            return []
        return sorted(value.items())

    def _yes(self, section: Section, word: str) -> bool:
        value = section.head.get(word, "no")
        if value not in ("yes", "no"):
            self.report.error(
                section.line_of(word), f"{word} is neither yes nor no", f"write {word}: yes", word
            )
        return bool(value == "yes")

    def _span(self, section: Section, word: str) -> Span | None:
        if word not in section.head:
            return None
        return self._read(section, word, lambda: span(str(section.head[word])))

    def _when(self, section: Section) -> tuple[Span | None, str]:
        given = section.head["timer"]
        if isinstance(given, dict):
            if set(given) == {"until"}:
                return None, str(given["until"])
            self.report.error(
                section.line_of("timer"),
                "the timer cannot be read",
                "write timer: 2 days, or timer: {until: a_date_field}",
                "timer",
            )
            return None, ""
        return self._read(section, "timer", lambda: span(str(given))), ""

    def _read(self, section: Section, word: str, reader: Callable[[], T]) -> T | None:
        try:
            return reader()
        except (ConditionRefused, SpanRefused) as error:
            self.report.error(section.line_of(word), str(error), "correct it", word)
            return None
