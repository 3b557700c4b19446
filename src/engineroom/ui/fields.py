"""Form fields as pages use them."""

from __future__ import annotations

from typing import Any

from django import forms

from engineroom.kernel.money import NotMoney, format_minor, parse_minor


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
