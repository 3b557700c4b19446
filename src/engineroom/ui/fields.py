"""Form fields as pages use them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from django import forms
from django.forms.utils import flatatt
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from engineroom.kernel.money import NotMoney, format_minor, parse_minor
from engineroom.kernel.rates import format_ppm, ppm


class Group(NamedTuple):
    """Fields of a form that belong together, under their title. An empty title is none."""

    title: str
    fields: Sequence[str]


class GroupedForm(forms.Form):
    """A form whose fields stand side by side, as many to a row as its box holds (`{% fields form %}`).

    groups: a field named there and not in the form is passed over, since forms leave fields out; one that no
    group names stands after them all. A group of one field gives it the row.
    """

    groups: Sequence[Group] = ()

    def in_groups(self) -> Iterator[tuple[str, list[forms.BoundField]]]:
        shown = {row.name: row for row in self.visible_fields()}
        for title, names in self.groups:
            if rows := [shown.pop(name) for name in names if name in shown]:
                yield title, rows
        if shown:
            yield "", list(shown.values())


class DayField(forms.DateField):
    """A day, picked or typed. Browsers give and take ISO days, whatever the locale shows."""

    def __init__(self, **options: Any) -> None:
        widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
        super().__init__(**{"widget": widget, "input_formats": ["%Y-%m-%d"], **options})


class LineField(forms.CharField):
    """A line of words; browsers are asked not to offer what was typed elsewhere."""

    def __init__(self, **options: Any) -> None:
        widget = forms.TextInput(attrs={"autocomplete": "off"})
        super().__init__(**{"widget": widget, **options})


class LongSelect(forms.SelectMultiple):
    """A list of hundreds. Django draws each of its options by a template, which takes longer than the rest of
    a page.
    """

    def render(
        self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None
    ) -> SafeString:
        chosen = {str(v) for v in value or ()}
        options = format_html_join(
            "",
            '<option value="{}"{}>{}</option>',
            ((v, SafeString(" selected" if str(v) in chosen else ""), words) for v, words in self.choices),
        )
        given = self.build_attrs({**self.attrs, **(attrs or {})}, {"name": name, "multiple": True})
        return format_html("<select{}>{}</select>", flatatt(given), options)


class MoneyField(forms.CharField):
    """An amount as people write it, "1,234.50"; its value is minor units of the currency."""

    def __init__(self, currency: str, **options: Any) -> None:
        self.currency = currency
        widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
        super().__init__(**{"widget": widget, **options})

    def prepare_value(self, value: Any) -> Any:
        return format_minor(value, self.currency) if isinstance(value, int) else value

    def clean(self, value: Any) -> int | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            return parse_minor(text, self.currency)
        except NotMoney as error:
            raise forms.ValidationError(f"{error}: write it as 1,234.50.") from None


class HoursField(forms.CharField):
    """Hours as people write them, "37.5" or "37:30"; its value is minutes."""

    def __init__(self, **options: Any) -> None:
        widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
        super().__init__(**{"widget": widget, "max_length": 10, **options})

    def prepare_value(self, value: Any) -> Any:
        return f"{value // 60}:{value % 60:02}" if isinstance(value, int) else value

    def clean(self, value: Any) -> int | None:
        text = super().clean(value)
        minutes = minutes_of(text) if text else None
        if text and minutes is None:
            raise forms.ValidationError(f"{text} is no number of hours: write it as 37.5 or 37:30.")
        return minutes


class PercentField(forms.CharField):
    """A percentage as people write it, "5%" or "5"; its value is parts per million."""

    def __init__(self, **options: Any) -> None:
        widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
        super().__init__(**{"widget": widget, "max_length": 12, **options})

    def prepare_value(self, value: Any) -> Any:
        return format_ppm(value) if isinstance(value, int) else value

    def clean(self, value: Any) -> int | None:
        text = super().clean(value)
        if not text:
            return None
        wrong = forms.ValidationError(f"{text} is no percentage from 0% to 100%: write it as 5% or 4.5%.")
        try:
            share = Decimal(text.removesuffix("%").strip())
        except InvalidOperation:
            raise wrong from None
        if not share.is_finite() or not 0 <= share <= 100 or (share * 10_000) % 1:
            raise wrong
        return ppm(share / 100)


MOST_HOURS = 1_000_000


def minutes_of(text: str) -> int | None:
    """Minutes of hours as written, or None where that is no whole number of them."""
    whole, colon, rest = text.strip().partition(":")
    try:
        hours = Decimal(whole)
        extra = int(rest) if colon else 0
    except (InvalidOperation, ValueError):
        return None
    if (
        not hours.is_finite()
        or not 0 <= hours <= MOST_HOURS
        or (colon and (len(rest) != 2 or not 0 <= extra < 60))
    ):
        return None
    minutes = hours * 60 + extra
    return int(minutes) if minutes == minutes.to_integral_value() else None
