"""A calculation over many people is the same in chunks of any size, on one thread or several."""

import platform
import subprocess
import sys
from datetime import date

import numpy as np
import pytest

from engineroom.payroll.engine.chunks import in_chunks, slices
from engineroom.payroll.engine.gb.gross_to_net import calculate, resolve_tables

TABLES = resolve_tables(date(2026, 6, 26))
N = 1_000
CHUNK = {
    "tax_code": ["1257L", "K475", "nonsense", "BR"] * (N // 4),
    "frequency": "monthly",
    "tax_period": 2,
    "ni_category": ["A", "C"] * (N // 2),
    "basic_pay": np.arange(N) * 700,
}


def whole():
    return calculate(CHUNK, TABLES)


@pytest.mark.parametrize(("size", "threads"), [(1, 1), (7, 1), (128, 2), (300, 3), (5_000, 2)])
def test_chunks_of_any_size_on_any_threads_give_the_same_in_order(size, threads):
    parts = list(in_chunks(lambda chunk: calculate(chunk, TABLES), CHUNK, size=size, threads=threads))
    assert [first for first, _ in parts] == list(range(0, N, size))
    expected = whole()
    for name, column in expected.columns.items():
        assert np.concatenate([done.columns[name] for _, done in parts]).tolist() == column.tolist(), name
    rows = [first + row for first, done in parts for row in done.rows.tolist()]
    assert rows == expected.rows.tolist()
    refused = [first + problem.row for first, done in parts for problem in done.problems]
    assert refused == [problem.row for problem in expected.problems] == list(range(2, N, 4))


def test_one_value_for_all_stays_one_value():
    parts = dict(slices({"a": [1, 2, 3], "b": "text", "c": 7}, 2))
    assert parts == {0: {"a": [1, 2], "b": "text", "c": 7}, 2: {"a": [3], "b": "text", "c": 7}}
    assert list(slices({"b": "text"}, 2)) == [(0, {"b": "text"})]


@pytest.mark.parametrize("threads", [1, 2])
def test_no_more_chunks_are_worked_on_than_there_are_threads_and_one(threads):
    begun = []
    results = in_chunks(
        lambda chunk: begun.append(len(chunk["a"])), {"a": list(range(100))}, size=1, threads=threads
    )
    next(results)
    assert len(begun) <= threads + 1
    for _ in results:
        pass
    assert len(begun) == 100


def test_an_error_in_a_chunk_comes_out():
    def fails(chunk):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(in_chunks(fails, {"a": [1, 2]}, size=1, threads=2))


@pytest.mark.parametrize("different", [1, 255, 256, 257, 900])
def test_any_number_of_different_codes_is_read(different):
    codes = [f"{1 + i % different}L" for i in range(1_000)]
    person = {"frequency": "monthly", "tax_period": 1, "ni_category": "A", "basic_pay": 100_000}
    done = calculate(person | {"tax_code": codes}, TABLES)
    assert done.columns["tax_code_number"].tolist() == [1 + i % different for i in range(1_000)]


PAGE_FAULTS = """
import resource
import numpy as np
from datetime import date
from engineroom.payroll.engine.gb.gross_to_net import calculate, resolve_tables

chunk = {
    "tax_code": ["1257L"] * 8192, "frequency": "monthly", "tax_period": 1, "ni_category": "A",
    "basic_pay": np.full(8192, 300_000),
}
tables = resolve_tables(date(2026, 6, 26))
for turn in range(30):
    if turn == 10:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    calculate(chunk, tables)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="only glibc gives memory back and is told not to"
)
def test_a_chunk_takes_the_memory_of_the_one_before():
    """Without it every chunk of this size takes 800 pages anew, 16,000 here."""
    run = subprocess.run([sys.executable, "-c", PAGE_FAULTS], capture_output=True, text=True, check=True)
    assert int(run.stdout) < 1_000
