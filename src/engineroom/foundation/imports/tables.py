"""Importers of ordinary tables: what most files are."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from engineroom.foundation.imports.services import Importer, Parsed
from engineroom.foundation.imports.sheets import Column, Sheet, read_sheet
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import current_client_id
from engineroom.kernel.errors import Problem


class TableImporter(Importer):
    """An importer of CSV and XLSX whose columns are declared. Amounts are in the client's currency."""

    columns: ClassVar[Sequence[Column]]

    def columns_here(self) -> Sequence[Column]:
        """The columns of a file of the client at hand, where not every client's are the same."""
        return self.columns

    def parse(self, path: Path, file_name: str) -> Parsed:
        columns = self.columns_here()
        if any(column.kind == "money" for column in columns):
            currency = Client.objects.values_list("currency", flat=True).get(id=current_client_id())
            columns = in_currency(columns, currency)
        sheet = read_sheet(path, file_name=file_name, columns=columns)
        # All rows of the file: one that could not be read is a row with errors, not a row less.
        return Parsed(sheet, len(sheet.row_numbers) + sheet.rows_refused, list(sheet.problems))


def in_currency(columns: Sequence[Column], currency: str) -> list[Column]:
    """The columns, with amounts in a currency."""
    return [replace(one, currency=currency) if one.kind == "money" else one for one in columns]


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
