"""Parts of pages that are drawn once, and stand until a command changes the client."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from engineroom.foundation import kept


def kept_part(template: str, question: Hashable, context: Callable[[], Mapping[str, Any]]) -> SafeString:
    """A part that says what the rows of the client say, and nothing of who looks at it.

    It is drawn without the request, so that nothing of one reader comes before another. question: whatever
    else the part depends on, what is masked among it. context: what it is drawn from, asked when it is drawn.
    """
    return kept.of_client(("part", template, question), lambda: render_to_string(template, dict(context())))
