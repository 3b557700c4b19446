"""Columns into tables: binary COPY into a temporary table, then one INSERT .. SELECT under every guard.

A few rows go with the statement itself: making a temporary table, filling it and dropping it are five
statements, and dearer than what goes into it.

PostgreSQL refuses COPY into a table with row security, and Django's `bulk_create` manages 9,000 guarded rows
a second where this way manages 34,000 and more (facts/platform.md section 3). Rows are laid out by NumPy,
never one by one.

A column is one of: a (n, 16) uint8 array or list of UUID (uuid), an int64/int32/int16/bool array,
datetime64[D] (date), a list of str, bytes, date, int or bool (None is NULL), a (n, k) int64 array (bigint[]),
or a single value that all rows share.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
from django.db import connection

from engineroom.foundation.statistics import many_rows_written

Bytes = npt.NDArray[np.uint8]
HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER = b"\xff\xff"
POSTGRES_EPOCH = np.datetime64("2000-01-01", "D")
INT8_OID = 20
FEW_ROWS = 200
"""So many rows go with the statement."""


class Column:
    """One column ready for the wire: its SQL type, and per row either a fixed width or its own length."""

    def __init__(
        self, sql_type: str, fixed: Bytes | None = None, pieces: Sequence[bytes | None] | None = None
    ) -> None:
        self.sql_type = sql_type
        self.fixed = fixed
        self.pieces = pieces

    @property
    def rows(self) -> int:
        return len(self.fixed) if self.fixed is not None else len(self.pieces or ())

    def lengths(self, n: int) -> npt.NDArray[np.int64]:
        """Bytes of each row's field, its 4-byte length included."""
        if self.fixed is not None:
            return np.full(n, 4 + self.fixed.shape[1], dtype=np.int64)
        assert self.pieces is not None
        return np.fromiter(
            (4 + (len(p) if p is not None else 0) for p in self.pieces), dtype=np.int64, count=n
        )


def _big_endian(values: npt.NDArray[Any], dtype: str) -> Bytes:
    width = np.dtype(dtype).itemsize
    return np.ascontiguousarray(values.astype(dtype)).view(np.uint8).reshape(len(values), width)


def _array_column(values: npt.NDArray[np.int64]) -> Column:
    """(n, k) int64 as bigint[]: header (1 dimension, no nulls, oid, k, lower bound 1), k pairs."""
    n, k = values.shape
    head = np.array([1, 0, INT8_OID, k, 1], dtype=">i4").view(np.uint8)
    items = np.zeros((n, k, 12), dtype=np.uint8)
    items[:, :, 3] = 8
    items[:, :, 4:] = np.ascontiguousarray(values.astype(">i8")).view(np.uint8).reshape(n, k, 8)
    return Column("bigint[]", fixed=np.hstack([np.tile(head, (n, 1)), items.reshape(n, 12 * k)]))


def column_of(values: Any, n: int) -> Column:
    """The wire form of a column of n rows, or of one value repeated."""
    if isinstance(values, np.ndarray):
        return _numpy_column(values)
    if isinstance(values, list | tuple):
        return _list_column(values)
    if isinstance(values, bool):
        return column_of(np.full(n, values), n)
    if isinstance(values, int):
        return column_of(np.full(n, values, dtype=np.int64), n)
    if isinstance(values, date) and not isinstance(values, datetime):
        return column_of(np.full(n, np.datetime64(values, "D")), n)
    if isinstance(values, UUID):
        return Column("uuid", fixed=np.tile(np.frombuffer(values.bytes, dtype=np.uint8), (n, 1)))
    return _list_column([values] * n)


def _numpy_column(values: npt.NDArray[Any]) -> Column:
    kind, width = values.dtype.kind, values.dtype.itemsize
    if kind == "u" and values.ndim == 2 and values.shape[1] == 16:
        return Column("uuid", fixed=np.ascontiguousarray(values))
    if kind == "i" and values.ndim == 2:
        return _array_column(values)
    if kind == "b":
        return Column("boolean", fixed=_big_endian(values, "u1"))
    if kind == "M" and np.isnat(values).any():
        return Column(
            "date", pieces=[_date_bytes(v) if v else None for v in values.astype("datetime64[D]").astype("O")]
        )
    if kind == "M":
        days = (values.astype("datetime64[D]") - POSTGRES_EPOCH).astype(np.int64)
        return Column("date", fixed=_big_endian(days, ">i4"))
    if kind == "i":
        sql_type, dtype = {2: ("smallint", ">i2"), 4: ("integer", ">i4"), 8: ("bigint", ">i8")}[width]
        return Column(sql_type, fixed=_big_endian(values, dtype))
    raise TypeError(f"no column type for {values.dtype} of {values.ndim} dimensions")


def _list_column(values: Sequence[Any]) -> Column:
    sample = next((v for v in values if v is not None), None)
    if isinstance(sample, UUID):
        return Column("uuid", pieces=[v.bytes if v is not None else None for v in values])
    if isinstance(sample, bytes | memoryview):
        return Column("bytea", pieces=[bytes(v) if v is not None else None for v in values])
    if isinstance(sample, date) and not isinstance(sample, datetime):
        return Column("date", pieces=[_date_bytes(v) if v is not None else None for v in values])
    if isinstance(sample, dict):  # jsonb travels as its version and its text
        return Column(
            "jsonb", pieces=[b"\x01" + json.dumps(v).encode() if v is not None else None for v in values]
        )
    if isinstance(sample, bool):
        return Column("boolean", pieces=[bytes([v]) if v is not None else None for v in values])
    if isinstance(sample, int):
        return Column(
            "bigint", pieces=[v.to_bytes(8, "big", signed=True) if v is not None else None for v in values]
        )
    if sample is not None and not isinstance(sample, str):
        raise TypeError(f"no column type for {type(sample).__name__}")
    return Column("text", pieces=[v.encode() if v is not None else None for v in values])


def _date_bytes(day: date) -> bytes:
    return (day.toordinal() - date(2000, 1, 1).toordinal()).to_bytes(4, "big", signed=True)


def binary_rows(columns: Sequence[Column], n: int) -> bytes:
    """All rows in PostgreSQL's binary COPY format, each field at its computed place in one buffer."""
    lengths = [c.lengths(n) for c in columns]
    row_lengths = 2 + sum(lengths, start=np.zeros(n, dtype=np.int64))
    ends = np.cumsum(row_lengths)
    out = np.zeros(int(ends[-1]) if n else 0, dtype=np.uint8)
    at = ends - row_lengths
    count = np.frombuffer(len(columns).to_bytes(2, "big"), dtype=np.uint8)
    out[at[:, None] + np.arange(2)] = count
    at = at + 2
    for column, length in zip(columns, lengths, strict=True):
        if column.fixed is not None:
            width = column.fixed.shape[1]
            out[at[:, None] + np.arange(4)] = np.frombuffer(width.to_bytes(4, "big"), dtype=np.uint8)
            out[(at + 4)[:, None] + np.arange(width)] = column.fixed
        else:
            _scatter(out, at, column.pieces or (), length)
        at = at + length
    return HEADER + out.tobytes() + TRAILER


def _scatter(
    out: Bytes, at: npt.NDArray[np.int64], pieces: Sequence[bytes | None], length: npt.NDArray[np.int64]
) -> None:
    """Write fields of differing lengths; NULL is a length of -1 and no bytes."""
    sizes = np.fromiter((-1 if p is None else len(p) for p in pieces), dtype=np.int64, count=len(pieces))
    out[at[:, None] + np.arange(4)] = _big_endian(sizes, ">i4")
    flat = np.frombuffer(b"".join(p for p in pieces if p), dtype=np.uint8)
    data = length - 4
    starts = np.cumsum(data) - data
    within = np.arange(len(flat)) - np.repeat(starts, data)
    out[np.repeat(at + 4, data) + within] = flat


def stage(name: str, columns: Mapping[str, Any], n: int) -> None:
    """Put n rows into the empty temporary table `name`, made to measure; it is gone with the transaction."""
    ready = {key: column_of(values, n) for key, values in columns.items()}
    for key, column in ready.items():
        if column.rows != n:
            raise ValueError(f"{key} has {column.rows} rows, not {n}")
    declared = ", ".join(f"{key} {column.sql_type}" for key, column in ready.items())
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS pg_temp.{name}")
        cursor.execute(f"CREATE TEMPORARY TABLE {name} ({declared}) ON COMMIT DROP")
        with cursor.copy(f"COPY {name} ({', '.join(ready)}) FROM STDIN (FORMAT BINARY)") as copy:
            copy.write(binary_rows(list(ready.values()), n))


@dataclass(frozen=True)
class Rows:
    """n rows by column, as a statement reads them: `FROM {rows.source}`, asked with `rows.values`."""

    source: str
    values: Mapping[str, Any]


@contextmanager
def rows_of(name: str, columns: Mapping[str, Any], n: int) -> Iterator[Rows]:
    """n rows for one statement: with it, or of a temporary table of that name that is gone afterwards.

    name: the prefix of the parameters too, for a statement that reads several.
    """
    if n <= FEW_ROWS:
        yield _rows_in_statement(name, columns, n)
        return
    stage(name, columns, n)
    yield Rows(f"pg_temp.{name}", {})
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE pg_temp.{name}")


def _rows_in_statement(name: str, columns: Mapping[str, Any], n: int) -> Rows:
    """Each column as an array of texts, which PostgreSQL reads as the column's type; what all rows share is
    said once."""
    values: dict[str, Any] = {f"{name}_rows": n}
    selected, arrays = [], [f"generate_series(1, %({name}_rows)s)"]
    named = ["row_of_all"]  # of which there is one where all columns are shared
    for key, column in columns.items():
        sql_type, parameter = column_of(column, n).sql_type, f"{name}_{key}"
        is_shared = not isinstance(column, np.ndarray | list | tuple)
        given = _texts([column] if is_shared else column)
        if not is_shared and len(given) != n:
            raise ValueError(f"{key} has {len(given)} rows, not {n}")
        if is_shared:
            values[parameter] = given[0]
            selected.append(f"%({parameter})s::text::{sql_type} AS {key}")
        else:
            values[parameter] = given
            arrays.append(f"unnest(%({parameter})s::text[])")
            named.append(key)
            selected.append(f"r.{key}::{sql_type} AS {key}")
    rows = f"ROWS FROM ({', '.join(arrays)}) AS r ({', '.join(named)})"
    return Rows(f"(SELECT {', '.join(selected)} FROM {rows}) AS {name}", values)  # noqa: S608 names are ours


def _texts(values: Any) -> list[str | None]:
    """As PostgreSQL reads them."""
    if isinstance(values, np.ndarray):
        if values.dtype.kind == "u":
            return [row.tobytes().hex() for row in values]
        if values.dtype.kind == "M":
            values = values.astype("datetime64[D]").astype("O")
        elif values.ndim == 2:
            return ["{" + ",".join(map(str, row)) + "}" for row in values.tolist()]
        return [_text(value) for value in values.tolist()]
    return [_text(value) for value in values]


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, UUID):
        return value.hex
    if isinstance(value, bytes | memoryview):
        return f"\\x{value.hex()}"
    return json.dumps(value) if isinstance(value, dict) else str(value)


def insert_columns(
    model: Any, columns: Mapping[str, Any], n: int, casts: Mapping[str, str] | None = None
) -> int:
    """Insert n rows given by column; every guard of the table applies. Returns the number of rows.

    Column names are the database's (`client_id`). casts: the SQL type of a column whose values cannot say it
    (all NULL, or jsonb given as text). Raises what PostgreSQL raises.
    """
    if n == 0:
        return 0
    table = model._meta.db_table
    listed = ", ".join(columns)
    selected = ", ".join(f"{c}::{casts[c]}" if casts and c in casts else c for c in columns)
    with rows_of(f"stage_{table}", columns, n) as rows, connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {table} ({listed}) SELECT {selected} FROM {rows.source}", rows.values)  # noqa: S608 names are ours
    many_rows_written(table, n)
    return n


def insert_together(*parts: tuple[Any, Mapping[str, Any], int]) -> None:
    """Insert into several tables in one statement, for triggers that see them all: (model, columns, n)."""
    inserts: list[str] = []
    values: dict[str, Any] = {}
    with ExitStack() as staged:
        for model, columns, n in parts:
            table = model._meta.db_table
            rows = staged.enter_context(rows_of(f"stage_{table}", columns, n))
            listed = ", ".join(columns)
            inserts.append(f"INSERT INTO {table} ({listed}) SELECT {listed} FROM {rows.source}")  # noqa: S608 names are ours
            values |= rows.values
        *first, last = inserts
        named = ", ".join(f"part{i} AS ({sql})" for i, sql in enumerate(first))
        with connection.cursor() as cursor:
            cursor.execute(f"WITH {named} {last}" if first else last, values)
    for model, _, n in parts:
        many_rows_written(model._meta.db_table, n)
