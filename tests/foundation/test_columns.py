"""Columns into tables: every kind of column arrives as it left, NULLs and all."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from engineroom.foundation import columns
from engineroom.foundation.columns import column_of, insert_columns, insert_together

TABLE = "pg_temp.arrivals"
ARRIVALS = SimpleNamespace(_meta=SimpleNamespace(db_table=TABLE))
LEDGER = SimpleNamespace(_meta=SimpleNamespace(db_table="departures"))
days = st.dates(dt.date(1, 1, 1), dt.date(9999, 12, 31))
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=30)
large = st.integers(-(2**63), 2**63 - 1)

lists = {
    "text": st.none() | texts,
    "bytea": st.none() | st.binary(max_size=300),
    "date": st.none() | days,
    "uuid": st.none() | st.uuids(),
    "bigint": st.none() | large,
    "boolean": st.none() | st.booleans(),
}


@pytest.fixture(scope="module")
def database(firm) -> Iterator[None]:
    yield


def there_and_back(sql_type: str, values: Any, n: int) -> list[Any]:
    """Insert one column into a table of that type and read it again, in order: the same by either way.

    A table of each type, because PostgreSQL refuses a prepared statement whose answer became another type.
    """
    staged = _there_and_back(sql_type, values, n, few_rows=0)
    assert _there_and_back(sql_type, values, n, few_rows=n) == staged
    return staged


def _there_and_back(sql_type: str, values: Any, n: int, *, few_rows: int) -> list[Any]:
    table = "arrivals_" + "".join(c for c in sql_type if c.isalnum())
    with patch.object(columns, "FEW_ROWS", few_rows), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE TEMPORARY TABLE {table} (at serial, value {sql_type}) ON COMMIT DROP")
        model = SimpleNamespace(_meta=SimpleNamespace(db_table=table))
        assert insert_columns(model, {"value": values}, n, casts={"value": sql_type}) == n
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT value FROM {table} ORDER BY at")
            found = [bytes(v) if isinstance(v, memoryview) else v for (v,) in cursor.fetchall()]
            cursor.execute(f"DROP TABLE {table}")
    return found


several = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@several
@given(data=st.data(), kind=st.sampled_from(sorted(lists)))
def test_a_list_arrives_as_it_left(database, kind, data):
    values = data.draw(st.lists(lists[kind], min_size=1, max_size=20))
    assert there_and_back(kind, values, len(values)) == values


@several
@given(
    data=st.data(),
    kind=st.sampled_from(
        [("bigint", np.int64), ("integer", np.int32), ("smallint", np.int16), ("boolean", np.bool_)]
    ),
)
def test_an_array_arrives_as_it_left(database, kind, data):
    sql_type, dtype = kind
    values = data.draw(hnp.arrays(dtype, st.integers(1, 30)))
    assert there_and_back(sql_type, values, len(values)) == values.tolist()


@several
@given(values=st.lists(st.none() | days, min_size=1, max_size=20))
def test_an_array_of_days_arrives_as_it_left_and_no_day_is_null(database, values):
    array = np.array(
        [np.datetime64("NaT") if v is None else np.datetime64(v, "D") for v in values], dtype="datetime64[D]"
    )
    assert there_and_back("date", array, len(values)) == values


@several
@given(values=st.lists(st.uuids(), min_size=1, max_size=20))
def test_an_array_of_uuids_arrives_as_it_left(database, values):
    array = np.frombuffer(b"".join(u.bytes for u in values), dtype=np.uint8).reshape(-1, 16)
    assert there_and_back("uuid", array, len(values)) == values


@several
@given(values=hnp.arrays(np.int64, st.tuples(st.integers(1, 10), st.integers(0, 12))))
def test_rows_of_integers_arrive_as_arrays(database, values):
    assert there_and_back("bigint[]", values, len(values)) == values.tolist()


@several
@given(
    kind_and_value=st.one_of(
        st.tuples(st.just("text"), texts),
        st.tuples(st.just("bigint"), large),
        st.tuples(st.just("boolean"), st.booleans()),
        st.tuples(st.just("date"), days),
        st.tuples(st.just("uuid"), st.uuids()),
        st.tuples(st.just("bytea"), st.binary(max_size=50)),
        st.tuples(st.sampled_from(["text", "date", "uuid", "bigint"]), st.none()),
    ),
    n=st.integers(1, 5),
)
def test_a_single_value_is_every_rows(database, kind_and_value, n):
    kind, value = kind_and_value
    assert there_and_back(kind, value, n) == [value] * n


@several
@given(
    rows=st.lists(
        st.tuples(st.none() | texts, large, st.none() | st.uuids(), st.none() | days, st.booleans()),
        min_size=1,
        max_size=20,
    )
)
def test_columns_of_all_kinds_stay_together_in_their_rows(database, rows):
    text, number, ident, day, flag = (list(column) for column in zip(*rows, strict=True))
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                "CREATE TEMPORARY TABLE arrivals "
                "(at serial, a text, b bigint, c uuid, d date, e boolean, f text)"
            )
        model = SimpleNamespace(_meta=SimpleNamespace(db_table="arrivals"))
        given_columns = {
            "a": text,
            "b": np.array(number, dtype=np.int64),
            "c": ident,
            "d": day,
            "e": np.array(flag),
            "f": "same",
        }
        insert_columns(model, given_columns, len(rows), casts={"c": "uuid", "d": "date"})
        with connection.cursor() as cursor:
            cursor.execute("SELECT a, b, c, d, e, f FROM arrivals ORDER BY at")
            assert cursor.fetchall() == [(*row, "same") for row in rows]
            cursor.execute("DROP TABLE arrivals")


def test_no_rows_are_no_statement(firm):
    assert insert_columns(ARRIVALS, {"value": []}, 0) == 0


@pytest.mark.parametrize(
    ("values", "n"),
    [
        (np.array([1]), 5),
        (np.array([1, 2, 3]), 2),
        (["a"], 2),
        (["a", "b", "c"], 2),
        (np.zeros((1, 16), dtype=np.uint8), 3),
    ],
)
@pytest.mark.parametrize("few_rows", [0, 200])
def test_a_column_of_another_length_is_refused_and_not_repeated(firm, monkeypatch, values, n, few_rows):
    monkeypatch.setattr(columns, "FEW_ROWS", few_rows)
    with pytest.raises(ValueError, match=f"not {n}"), transaction.atomic():
        insert_columns(ARRIVALS, {"value": values}, n)


@pytest.mark.parametrize(
    "values",
    [
        [1.5],
        1.5,
        np.array([1.5]),
        [dt.datetime(2026, 1, 1, tzinfo=dt.UTC)],
        dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        np.array(["a"]),
        np.zeros((2, 15), dtype=np.uint8),
    ],
)
def test_what_has_no_column_type_is_refused_and_not_rounded(values):
    with pytest.raises(TypeError, match="no column type"):
        column_of(values, 1)


@pytest.mark.parametrize("values", [[2**63], [1, "a"], ["a", 1]])
def test_values_that_do_not_fit_their_column_are_refused(values):
    with pytest.raises((OverflowError, AttributeError)):
        column_of(values, len(values))


def test_every_guard_of_the_table_applies(client, other_client):
    from engineroom.kernel.ids import uuid7
    from engineroom.ledger.models import Book

    row = {
        "id": [uuid7()],
        "client_id": other_client.id,
        "code": ["x"],
        "name": ["x"],
        "currency": ["GBP"],
    }
    with pytest.raises(Exception, match="row-level security"), client.acting():
        insert_columns(Book, row, 1)


def test_several_tables_are_written_in_one_statement(firm):
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("CREATE TEMPORARY TABLE arrivals (at bigint)")
            cursor.execute("CREATE TEMPORARY TABLE departures (at bigint)")
        one = SimpleNamespace(_meta=SimpleNamespace(db_table="arrivals"))
        insert_together((one, {"at": np.arange(3)}, 3), (LEDGER, {"at": np.arange(2)}, 2))
        with connection.cursor() as cursor:
            cursor.execute("SELECT (SELECT count(*) FROM arrivals), (SELECT count(*) FROM departures)")
            assert cursor.fetchone() == (3, 2)
            cursor.execute("DROP TABLE arrivals, departures")
