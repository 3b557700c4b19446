"""On a telephone the figures that matter are seen without scrolling a table sideways."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.slow

FIGURES = [
    ("lena", "/today", "Due"),
    ("lena", "/today", "Money"),
    ("aoife", "/me", "Earned"),
    ("aoife", "/me", "Net"),
]


@pytest.mark.parametrize(("who", "path", "column"), FIGURES)
def test_a_column_of_figures_is_in_sight_on_a_telephone(visit, who: str, path: str, column: str) -> None:
    visitor = visit(who, width=360)
    visitor.go(path)
    headings = visitor.page.get_by_role("columnheader", name=column, exact=True)
    box = headings.first.bounding_box()
    assert box and box["x"] >= 0 and box["x"] + box["width"] <= 360, box
    assert not visitor.scrolls_sideways()
    visitor.shot(f"small {path}")
