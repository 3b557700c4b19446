"""Importers of ordinary tables: what most files are."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from engineroom.foundation.imports.services import Importer, Parsed
from engineroom.foundation.imports.sheets import Column, Sheet, read_sheet
from engineroom.kernel.errors import Problem


class TableImporter(Importer):
    """An importer of CSV and XLSX whose columns are declared."""

    columns: ClassVar[Sequence[Column]]

    def parse(self, path: Path, file_name: str) -> Parsed:
        sheet = read_sheet(path, file_name=file_name, columns=self.columns)
        # All rows of the file: one that could not be read is a row with errors, not a row less.
        return Parsed(sheet, len(sheet.row_numbers) + sheet.rows_refused, list(sheet.problems))


class Findings:
    """Problems found in a sheet, by row: `at(i, field, problem, remedy)` knows file and row number."""

    def __init__(self, sheet: Sheet) -> None:
        self.sheet = sheet
        self.problems: list[Problem] = []

    def at(self, i: int, field: str, problem: str, remedy: str) -> None:
        self.problems.append(Problem(problem, remedy, self.sheet.file_name, self.sheet.row_numbers[i], field))

    def warn(self, i: int, field: str, problem: str, remedy: str) -> None:
        """What the file may be taken with, and somebody should know."""
        where = self.sheet.file_name, self.sheet.row_numbers[i], field
        self.problems.append(Problem(problem, remedy, *where, severity="warning"))

    def repeated(self, keys: Sequence[Hashable], field: str, name: Callable[[Any], str]) -> None:
        """A problem for every row whose key stands in an earlier row."""
        first: dict[Hashable, int] = {}
        for i, key in enumerate(keys):
            if key in first:
                row = self.sheet.row_numbers[first[key]]
                self.at(i, field, f"{name(key)} stands in row {row} already", "Remove one of the two rows")
            else:
                first[key] = i
