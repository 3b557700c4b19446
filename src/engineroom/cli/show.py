"""Printing: tables, problems and trees, plain when nobody is looking at a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree as RichTree

from engineroom.kernel.errors import Problem
from engineroom.kernel.money import format_minor
from engineroom.ui.display import format_count

WIDTH_OF_FILES = 160
"""Into a file or another program nothing is wrapped at a terminal's eighty columns."""

console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH_OF_FILES)
SHOWN_PROBLEMS = 50


def table(
    title: str, headings: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[int] = ()
) -> None:
    """A table; `right` are the columns of numbers. Text from files is never read as markup."""
    made = Table(title=Text(title), title_justify="left", box=None, pad_edge=False, header_style="bold")
    for i, heading in enumerate(headings):
        made.add_column(Text(heading), justify="right" if i in right else "left", no_wrap=i in right)
    for row in rows:
        made.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    console.print(made)
    console.print()


def problems(found: Sequence[Problem]) -> None:
    """Errors and warnings as a table: where, what, what to do."""
    rows = [(p.severity, p.where(), p.problem, p.remedy) for p in found[:SHOWN_PROBLEMS]]
    table(format_count(len(found), "problem"), ("", "where", "what", "do"), rows)
    if len(found) > SHOWN_PROBLEMS:
        typer.echo(f"and {len(found) - SHOWN_PROBLEMS} more")


def money(minor: int | None, currency: str = "GBP") -> str:
    return "" if minor is None else format_minor(minor, currency)


def print_tree(tree: RichTree) -> None:
    console.print(tree)
    console.print()
