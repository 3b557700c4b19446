"""Forms of what a country keeps of how people are taxed, from the fields that it declares."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from django import forms

from engineroom.payroll.tax_record import Said, TaxField, Value
from engineroom.ui.fields import DayField, Group, GroupedForm, LineField, MoneyField, PercentField


@lru_cache(maxsize=64)
def form_of_fields(base: type[GroupedForm], fields: tuple[TaxField, ...], currency: str) -> type[GroupedForm]:
    """The form with these fields after its own, in their groups: the same class for the same ones, so that a
    page knows a form that was refused."""
    made = {one.name: _field(one, currency) for one in fields}
    groups = [*base.groups]
    for title in dict.fromkeys(one.group for one in fields):
        groups.append(Group(title, [one.name for one in fields if one.group == title]))
    return type(base.__name__, (base,), {**made, "groups": tuple(groups)})


def said_in(fields: Sequence[TaxField], asked: dict[str, Any]) -> Said:
    """What a filled in form says."""
    found: dict[str, Value] = {}
    for one in fields:
        value = asked[one.name]
        if value is not None and value != "" and value is not False:
            found[one.name] = value
    return found


def _field(one: TaxField, currency: str) -> forms.Field:
    options: dict[str, Any] = {"label": one.label, "required": one.needed, "help_text": one.hint}
    if one.unit == "text":
        return LineField(max_length=one.max_length, **options)
    if one.unit == "choice":
        offered = [(code, one.in_words(code, currency)) for code in one.choices]
        none = [] if one.needed or one.default else [("", one.words.get("", "none"))]
        return forms.ChoiceField(choices=[*none, *offered], **options)
    if one.unit == "flag":
        return forms.BooleanField(**options | {"required": False})
    if one.unit == "money":
        return MoneyField(currency, **options)
    if one.unit == "percent":
        return PercentField(**options)
    return DayField(**options) if one.unit == "day" else forms.IntegerField(**options)
