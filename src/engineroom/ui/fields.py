"""Form fields as pages use them."""

from __future__ import annotations

from typing import Any

from django import forms


class DayField(forms.DateField):
    """A day, picked or typed. Browsers give and take ISO days, whatever the locale shows."""

    def __init__(self, **options: Any) -> None:
        widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
        super().__init__(**{"widget": widget, "input_formats": ["%Y-%m-%d"], **options})
