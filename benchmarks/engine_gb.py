"""engine-gb: payslips a second through the GB engine, PAYE, National Insurance, loans and pension, in one
process without a database. Claims: at least 1,000,000 payslips/s; nanoseconds a payslip flat from 1k to 10M
people; memory bounded by the chunk; one person under 1 ms; imported, without Django, under 0.3 s.

The ratio is to copying, in memory and chunk by chunk, the columns that the calculation reads and leaves.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import numpy as np

from benchmarks.ground import bench

PEOPLE = 1_000_000
SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
FEW_AND_MANY = (1_000, 100_000)
TURNS = 3
RATIO_TURNS = 21
ONE_PERSON_TIMES = 300
ALL_INPUTS_OF = 100_000

CODES = ("1257L", "S1257L", "C1257L", "1100L", "K475", "BR", "0T", "1257L M1", "D0", "NT")
CODE_SHARES = (0.70, 0.08, 0.04, 0.03, 0.03, 0.05, 0.02, 0.03, 0.01, 0.01)
LETTERS, LETTER_SHARES = ("A", "M", "C", "H", "J"), (0.85, 0.06, 0.04, 0.03, 0.02)
PLANS, PLAN_SHARES = ("", "1", "2", "4", "5"), (0.70, 0.08, 0.12, 0.04, 0.06)
RELIEFS, RELIEF_SHARES = ("relief_at_source", "net_pay", "salary_sacrifice"), (0.5, 0.3, 0.2)


def main() -> None:
    from engineroom.payroll.engine.chunks import CHUNK
    from engineroom.payroll.engine.gb.gross_to_net import resolve_tables

    _import_time()
    tables = resolve_tables(date(2026, 6, 26))
    people = everybody(PEOPLE)
    _one_person(tables)
    _flatness(people, tables)
    for threads in (1, 2):
        _a_million(people, tables, threads)
    _copying(people, tables)
    _memory(people, tables)
    print(f"# chunks of {CHUNK:,} people; texts as lists of str, amounts as int64 arrays")


def everybody(n: int) -> dict[str, Any]:
    """Employees paid monthly in their third month: codes, letters, plans and schemes mixed as they fall."""
    r = np.random.default_rng(2026)

    def drawn(values: tuple[str, ...], shares: tuple[float, ...]) -> list[str]:
        return [values[i] for i in r.choice(len(values), n, p=shares).tolist()]

    return {
        "tax_code": drawn(CODES, CODE_SHARES),
        "frequency": "monthly",
        "tax_period": 3,
        "ni_category": drawn(LETTERS, LETTER_SHARES),
        "student_loan_plan": drawn(PLANS, PLAN_SHARES),
        "has_postgraduate_loan": (r.random(n) < 0.03).astype(np.int64),
        "pension_member": (r.random(n) < 0.8).astype(np.int64),
        "pension_relief": drawn(RELIEFS, RELIEF_SHARES),
        "pension_employee_ppm": 50_000,
        "pension_employer_ppm": 30_000,
        "basic_pay": r.integers(80_000, 800_000, n),
        "overtime_pay": r.integers(0, 50_000, n),
        "taxable_pay_to_date_before": r.integers(160_000, 1_600_000, n),
        "tax_to_date_before": r.integers(0, 200_000, n),
    }


def _import_time() -> None:
    program = "import sys, engineroom.payroll.engine.gb.gross_to_net; sys.exit('django' in sys.modules)"
    took = []
    for _ in range(TURNS + 2):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", program], check=True)
        whole = time.perf_counter() - began
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", "pass"], check=True)
        took.append(whole - (time.perf_counter() - began))
    bench("engine_import_s", statistics.median(took), "s (without Django, beyond an empty Python)")


def _one_person(tables: Any) -> None:
    from engineroom.payroll.engine.gb.gross_to_net import calculate

    person = {name: value[:1] if _is_column(value) else value for name, value in everybody(1).items()}
    took = []
    for _ in range(ONE_PERSON_TIMES):
        began = time.perf_counter()
        calculate(person, tables)
        took.append(time.perf_counter() - began)
    bench("one_person_us", statistics.median(took) * 1e6, "us (median)")


def _is_column(value: object) -> bool:
    return isinstance(value, list | np.ndarray)


def _run(
    people: Mapping[str, Any],
    tables: Any,
    n: int,
    threads: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Seconds for n people; beyond the length of the columns they come again."""
    from engineroom.payroll.engine.chunks import in_chunks
    from engineroom.payroll.engine.gb.gross_to_net import calculate

    rounds, left = divmod(n, PEOPLE)
    parts = [people] * rounds
    if left:
        parts.append({name: v[:left] if _is_column(v) else v for name, v in people.items()})
    began, net = clock(), 0
    for part in parts:
        for _, done in in_chunks(lambda chunk: calculate(chunk, tables), part, threads=threads):
            assert not done.problems
            net += int(done.columns["net_pay"].sum())
    assert net > 0
    return clock() - began


def _flatness(people: Mapping[str, Any], tables: Any) -> None:
    _run(people, tables, PEOPLE // 10)  # memory that chunks take again and again is taken once
    for n in SIZES:
        turns = 1 if n > PEOPLE else max(TURNS, PEOPLE // (10 * n))
        took = statistics.median(_run(people, tables, n) for _ in range(turns))
        bench(f"ns_a_payslip_of_{n}", took / n * 1e9, "ns/payslip")
    _small_beside_large(people, tables)


def _small_beside_large(people: Mapping[str, Any], tables: Any) -> None:
    """A payslip among 1,000 beside one among 100,000: processor time, in turns, as many payslips of each."""
    few, many = FEW_AND_MANY

    def processor(n: int) -> float:
        return sum(_run(people, tables, n, clock=time.process_time) for _ in range(many // n))

    ratio = statistics.median(processor(few) / processor(many) for _ in range(RATIO_TURNS))
    bench(f"payslip_of_{few}_to_{many}", ratio, f"times the processor time of a payslip among {many:,}")


def _a_million(people: Mapping[str, Any], tables: Any, threads: int) -> None:
    took = statistics.median(_run(people, tables, PEOPLE, threads) for _ in range(TURNS))
    of = f"{threads} thread" + ("s" if threads > 1 else "")
    bench(f"payslips_per_s_{threads}", PEOPLE / took, f"payslips/s ({of})")


def _copying(people: Mapping[str, Any], tables: Any) -> None:
    """In turn, and the ratio of each turn: the machine's speed drifts from one second to the next."""
    from engineroom.payroll.engine.chunks import in_chunks
    from engineroom.payroll.engine.gb.gross_to_net import calculate

    part = {name: v[:ALL_INPUTS_OF] if _is_column(v) else v for name, v in people.items()}
    chunks = [done.columns for _, done in in_chunks(lambda chunk: calculate(chunk, tables), part)]
    turns = [(_run(part, tables, ALL_INPUTS_OF), _seconds(lambda: _copy(chunks))) for _ in range(4 * TURNS)]
    ratio = statistics.median(theirs / ours for ours, theirs in turns)
    copied = statistics.median(theirs for _, theirs in turns)
    of = f"copying the {len(chunks[0])} columns read and left"
    bench("copy_ns_a_payslip", copied / ALL_INPUTS_OF * 1e9, "ns/payslip", ratio=ratio, vs=of)


def _copy(chunks: list[dict[str, Any]]) -> None:
    for columns in chunks:
        for column in columns.values():
            column.copy()


def _seconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def _memory(people: Mapping[str, Any], tables: Any) -> None:
    """The most that NumPy and Python held at once while it ran, beyond the people themselves."""
    from engineroom.payroll.engine.chunks import CHUNK

    for n in (2 * CHUNK, PEOPLE):
        tracemalloc.start()
        _run(people, tables, n)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        bench(f"memory_of_{n}", most / 2**20, "MiB at most")
