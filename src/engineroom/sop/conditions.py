"""Conditions on a branch: comparisons of declared fields, joined by and, or, not. Nothing else can be said.

    amount > 1000 and (kind = "new" or not checked = yes)
    country in ("GB", "IE") and start_date is known

A condition is data. It reads the fields of a case and nothing besides, it always ends, and it can be checked
against the declared fields before anything runs. A field that has no value yet equals nothing: every
comparison of it is false, and `is unknown` is true.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from engineroom.kernel.errors import EngineroomError

FieldType = Literal["text", "number", "date", "yes_no", "choice"]
FIELD_TYPES: tuple[FieldType, ...] = ("text", "number", "date", "yes_no", "choice")
Value = str | Decimal | date | bool
Operator = Literal["=", "!=", "<", "<=", ">", ">="]

LONGEST_CONDITION = 500
"""Characters. A branch that needs more is two branches."""

ORDERED = ("<", "<=", ">", ">=")
NUMBER = re.compile(r"-?\d{1,15}(\.\d{1,6})?\Z")


class ConditionRefused(EngineroomError):
    """A condition that cannot be read; the message says at which word and what was expected."""

    status = 422


@dataclass(frozen=True, slots=True)
class Field:
    """A value a case carries. options: of a choice. key: a word of small letters, digits and underscores."""

    key: str
    title: str
    type: FieldType = "text"
    required: bool = True
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Compare:
    field: str
    operator: Operator
    value: Value


@dataclass(frozen=True, slots=True)
class OneOf:
    field: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Known:
    field: str


@dataclass(frozen=True, slots=True)
class Not:
    of: Condition


@dataclass(frozen=True, slots=True)
class AllOf:
    of: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    of: tuple[Condition, ...]


Condition = Compare | OneOf | Known | Not | AllOf | AnyOf

TOKEN = re.compile(
    r"""\s*(?:(?P<text>"[^"\n]*")|(?P<op><=|>=|!=|=|<|>)|(?P<mark>[(),])"""
    r"""|(?P<date>\d{4}-\d{2}-\d{2})|(?P<number>-?\d+(?:\.\d+)?)|(?P<word>[A-Za-z_][A-Za-z0-9_]*))"""
)
KEPT_WORDS = frozenset({"and", "or", "not", "in", "is", "known", "unknown", "yes", "no"})


def parse(text: str) -> Condition:
    """The condition a text says. Raises ConditionRefused."""
    if len(text) > LONGEST_CONDITION:
        raise ConditionRefused(f"a condition has at most {LONGEST_CONDITION} characters; split the branch")
    return _Reader(_tokens(text), text).whole()


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    at = 0
    while text[at:].strip():
        match = TOKEN.match(text, at)
        if match is None:
            raise ConditionRefused(f"{text[at:].strip()[:20]!r} cannot be read; texts stand in double quotes")
        found.append((match.lastgroup or "", match.group(match.lastgroup or 0)))
        at = match.end()
    return found


class _Reader:
    """Reads by descent: or, and, not, then one comparison or a bracket."""

    DEEPEST = 20

    def __init__(self, tokens: Sequence[tuple[str, str]], text: str) -> None:
        self.tokens, self.text, self.at, self.depth = tokens, text, 0, 0

    def whole(self) -> Condition:
        condition = self.any()
        if self.at < len(self.tokens):
            raise self.expected("and, or, or the end")
        return condition

    def any(self) -> Condition:
        parts = [self.all()]
        while self.take("word", "or"):
            parts.append(self.all())
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def all(self) -> Condition:
        parts = [self.one()]
        while self.take("word", "and"):
            parts.append(self.one())
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def one(self) -> Condition:
        self.depth += 1
        if self.depth > self.DEEPEST:
            raise ConditionRefused(f"brackets go {self.DEEPEST} deep at most; split the branch")
        try:
            if self.take("word", "not"):
                return Not(self.one())
            if self.take("mark", "("):
                inner = self.any()
                self.need("mark", ")")
                return inner
            return self.comparison()
        finally:
            self.depth -= 1

    def comparison(self) -> Condition:
        kind, field = self.peek()
        if kind != "word" or field in KEPT_WORDS:
            raise self.expected("the name of a field")
        self.at += 1
        if self.take("word", "is"):
            if self.take("word", "known"):
                return Known(field)
            self.need("word", "unknown")
            return Not(Known(field))
        if self.take("word", "in"):
            self.need("mark", "(")
            values = [self.value()]
            while self.take("mark", ","):
                values.append(self.value())
            self.need("mark", ")")
            return OneOf(field, tuple(values))
        kind, operator = self.peek()
        if kind != "op":
            raise self.expected("=, !=, <, <=, >, >=, in or is")
        self.at += 1
        return Compare(field, operator, self.value())  # type: ignore[arg-type]  # the token holds these alone

    def value(self) -> Value:
        kind, text = self.peek()
        self.at += 1
        if kind == "text":
            return text[1:-1]
        if kind == "number" and NUMBER.match(text):
            return Decimal(text)
        if kind == "date":
            try:
                return date.fromisoformat(text)
            except ValueError:
                raise ConditionRefused(f"{text} is no day of the calendar") from None
        if kind == "word" and text in ("yes", "no"):
            return text == "yes"
        self.at -= 1
        raise self.expected('a value: "text", a number, a date like 2026-04-06, yes or no')

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("", "")

    def take(self, kind: str, text: str) -> bool:
        if self.peek() == (kind, text):
            self.at += 1
            return True
        return False

    def need(self, kind: str, text: str) -> None:
        if not self.take(kind, text):
            raise self.expected(repr(text))

    def expected(self, what: str) -> ConditionRefused:
        found = self.peek()[1] or "the end"
        return ConditionRefused(f"in {self.text!r}: expected {what}, found {found!r}")


def fields_of(condition: Condition) -> Iterator[str]:
    """Every field a condition reads."""
    match condition:
        case Compare(field, _, _) | OneOf(field, _) | Known(field):
            yield field
        case Not(of):
            yield from fields_of(of)
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from fields_of(part)


TYPE_OF_VALUE: dict[type, str] = {str: "text", Decimal: "number", date: "date", bool: "yes_no"}


def faults(condition: Condition, fields: Mapping[str, Field]) -> list[str]:
    """What does not fit between a condition and the declared fields, in words."""
    match condition:
        case Not(of):
            return faults(of, fields)
        case AllOf(parts) | AnyOf(parts):
            return [fault for part in parts for fault in faults(part, fields)]
        case Known(name):
            return [] if name in fields else [_undeclared(name)]
        case Compare(name, operator, value):
            found = _value_faults(name, (value,), fields)
            ordered = name in fields and fields[name].type in ("number", "date")
            if not found and operator in ORDERED and not ordered:
                found = [f"{name} is {_spoken(fields[name].type)}, which has no order: use = or !="]
            return found
        case OneOf(name, values):
            return _value_faults(name, values, fields)
    raise AssertionError(condition)


def _undeclared(name: str) -> str:
    return f"the field {name} is not declared"


def _spoken(type_: str) -> str:
    return {"yes_no": "yes or no", "choice": "a choice"}.get(type_, f"a {type_}")


def _value_faults(name: str, values: Sequence[Value], fields: Mapping[str, Field]) -> list[str]:
    if name not in fields:
        return [_undeclared(name)]
    field = fields[name]
    wanted = "text" if field.type == "choice" else field.type
    found = []
    for value in values:
        if TYPE_OF_VALUE[type(value)] != wanted:
            found.append(f"{name} is {_spoken(field.type)} and is compared with {said(value)}")
        elif field.type == "choice" and value not in field.options:
            found.append(f"{name} has no option {said(value)}; it has {', '.join(field.options)}")
    return found


def evaluate(condition: Condition, values: Mapping[str, Value | None]) -> bool:
    """Whether a condition holds for a case's values. A value that is not known makes a comparison false."""
    match condition:
        case Known(name):
            return values.get(name) is not None
        case Not(of):
            return not evaluate(of, values)
        case AllOf(parts):
            return all(evaluate(part, values) for part in parts)
        case AnyOf(parts):
            return any(evaluate(part, values) for part in parts)
        case OneOf(name, options):
            return values.get(name) is not None and values[name] in options
        case Compare(name, operator, wanted):
            value = values.get(name)
            return value is not None and type(value) is type(wanted) and _holds(value, operator, wanted)
    raise AssertionError(condition)


def _holds(value: Value, operator: Operator, wanted: Value) -> bool:
    if operator == "=":
        return value == wanted
    if operator == "!=":
        return value != wanted
    if isinstance(value, (Decimal, date)) and isinstance(wanted, type(value)):
        compared = (value > wanted) - (value < wanted)  # type: ignore[operator]  # the same type, both
        return {"<": compared < 0, "<=": compared <= 0, ">": compared > 0, ">=": compared >= 0}[operator]
    return False


def said(value: Value) -> str:
    """A value as it is written in a condition."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return f'"{value}"'
    return value.isoformat() if isinstance(value, date) else f"{value:f}"


def write(condition: Condition, *, inside: bool = False) -> str:
    """A condition as text that parses to the same condition."""
    match condition:
        case Compare(name, operator, value):
            return f"{name} {operator} {said(value)}"
        case OneOf(name, values):
            return f"{name} in ({', '.join(said(v) for v in values)})"
        case Known(name):
            return f"{name} is known"
        case Not(Known(name)):
            return f"{name} is unknown"
        case Not(of):
            return f"not {write(of, inside=True)}"
        case AllOf(parts) | AnyOf(parts):
            joined = (" and " if isinstance(condition, AllOf) else " or ").join(
                write(p, inside=True) for p in parts
            )
            return f"({joined})" if inside else joined
    raise AssertionError(condition)


def read_value(field: Field, text: str) -> Value | None:
    """What a person typed for a field, as its value; None when nothing was typed.

    Raises ConditionRefused with what was expected.
    """
    text = text.strip()
    if not text:
        return None
    if field.type == "number":
        plain = text.replace(",", "")
        if not NUMBER.match(plain):
            raise ConditionRefused(f"{field.title}: {text[:30]!r} is no number; write it like 1250.00")
        return Decimal(plain)
    if field.type == "date":
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise ConditionRefused(
                f"{field.title}: {text[:30]!r} is no date; write it like 2026-04-06"
            ) from None
    if field.type == "yes_no":
        if text.lower() not in ("yes", "no"):
            raise ConditionRefused(f"{field.title}: answer yes or no, not {text[:30]!r}")
        return text.lower() == "yes"
    if field.type == "choice" and text not in field.options:
        raise ConditionRefused(f"{field.title}: {text[:30]!r} is none of {', '.join(field.options)}")
    if len(text) > 4000:
        raise ConditionRefused(f"{field.title}: at most 4,000 characters; put longer texts into a file")
    return text
