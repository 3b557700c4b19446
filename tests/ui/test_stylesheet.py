"""The one stylesheet: up to date, small, and asking nobody for anything."""

import re
from pathlib import Path

from django.contrib.staticfiles import finders

from engineroom.ui import stylesheet
from engineroom.ui.picture import MAX_LANES, MAX_ROWS


def test_the_sheet_that_is_served_is_what_its_parts_make():
    found = finders.find(stylesheet.NAME)
    assert found and Path(found).read_text(encoding="utf-8") == stylesheet.stylesheet()
    listed = [path for finder in finders.get_finders() for path, _ in finder.list([])]
    assert listed.count(stylesheet.NAME) == 1, "collected once, and no second copy stands in the tree"


def test_the_stylesheet_is_small_and_whole():
    css = stylesheet.stylesheet()
    assert len(css.encode()) < 40_000
    assert css.count("{") == css.count("}")
    assert "url(" not in css and "@import" not in css


def test_spaces_that_say_nothing_are_left_out_and_those_that_mean_something_stay(tmp_path, monkeypatch):
    part = tmp_path / "part.css"
    rules = (
        '.a :is(b, i) + a:hover { margin: 0 auto; content: "by "; }\n@media (width < 9px) { p { top: 1px } }'
    )
    part.write_text(f"/* why */\n  {rules}\n")
    monkeypatch.setattr(stylesheet, "parts", lambda: [part])
    assert stylesheet.stylesheet() == (
        '/* part */\n.a :is(b,i) + a:hover{margin:0 auto;content:"by ";}\n@media (width < 9px){p{top:1px}}\n'
    )


def test_every_token_used_is_defined():
    css = stylesheet.stylesheet()
    used, defined = set(re.findall(r"var\((--[\w-]+)", css)), set(re.findall(r"(--[\w-]+):", css))
    assert used <= defined


def test_the_picture_has_a_class_for_every_place():
    css = stylesheet.stylesheet()
    for name in (f".at-{2 * MAX_ROWS - 1}{{", f".rows-{2 * MAX_ROWS}{{", f".lane-{MAX_LANES}{{"):
        assert name in css
