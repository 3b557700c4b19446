"""Net to gross in Great Britain: which amount of one pay element leaves exactly the wanted net pay.

    people = {"tax_code": ["1257L"], "frequency": "monthly", "tax_period": 1, "ni_category": ["A"]}
    found = net_to_gross(people, [200_000], tables)
    found.gross[0]      # 236996: 2,369.96 of basic pay leaves 2,000.00

The other columns of the chunk stand as they are: grossing up a bonus keeps the basic pay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engineroom.kernel.money import format_minor
from engineroom.kernel.rounding import Minor
from engineroom.payroll.engine.gb.gross_to_net import GbTables, run_steps
from engineroom.payroll.engine.gb.inputs import PAY, read_chunk
from engineroom.payroll.engine.gross_up import WINDOW_PENCE, gross_up
from engineroom.payroll.engine.inputs import MAX_PAY_PENCE, BadChunk, Values
from engineroom.payroll.engine.steps import Column, RowProblem, rows_without


class NetToGross(NamedTuple):
    """gross: of the element, pence, shape (m,), for the m rows with an exact answer. rows: which those are.

    problems: of the others: bad input, or that no amount leaves exactly the wanted net and which comes near.
    """

    gross: Minor
    rows: Column
    problems: list[RowProblem]


def net_to_gross(
    chunk: Mapping[str, Values],
    wanted_net: Sequence[int] | npt.NDArray[np.int64],
    tables: GbTables,
    *,
    element: str = "basic_pay",
) -> NetToGross:
    """The least amount of the element, in pence, that makes each payslip's net pay exactly what is wanted."""
    paid = tables.parameters["pay_elements"].counting("paid")
    if element not in paid or element in chunk:
        raise BadChunk(
            f"{element} is to be found: it is one of {', '.join(paid)}, and no column of the chunk"
        )
    wanted = np.asarray(wanted_net)
    if wanted.dtype.kind not in "i" or wanted.ndim != 1:
        raise BadChunk("the wanted net pay is a column of pence")
    nothing = np.zeros(len(wanted), dtype=np.int64)
    payslips = {**chunk, element: nothing}
    columns, problems = read_chunk(payslips, tables.inputs, tables.versions["pay_elements"])
    for row in np.flatnonzero((wanted < 0) | (wanted > MAX_PAY_PENCE)).tolist():
        problem = "it is below zero" if wanted[row] < 0 else "it is more than one person can have"
        problems.append(RowProblem(row, "wanted_net", problem, "Check the amount and its sign"))
    rows = rows_without(problems, len(wanted))

    def net_of(amounts: Minor, of: Column) -> Minor:
        payslips = {name: column[rows[of]] for name, column in columns.items()} | {element: amounts}
        run_steps(payslips, tables)
        return payslips["net_pay"]

    found = gross_up(net_of, wanted[rows].astype(np.int64), _most(columns, rows))
    exact = found.exact == 1
    others = (column[~exact].tolist() for column in (rows, wanted[rows], found.gross, found.net))
    more = [_not_exact(*figures) for figures in zip(*others, strict=True)]
    return NetToGross(found.gross[exact], rows[exact], sorted({*problems, *more}))


def _most(columns: Mapping[str, Column], rows: Column) -> int:
    """The bound of pay to date that the largest of the others leave."""
    others = sum(columns[name][rows] for name in (*PAY, "taxable_pay_to_date_before"))
    return MAX_PAY_PENCE - int(np.max(others, initial=0))


def _not_exact(row: int, wanted: int, gross: int, net: int) -> RowProblem:
    nearest = f"{format_minor(gross)} leaves {format_minor(net)}"
    if gross == 0 and net > wanted:
        problem = f"even nothing of it leaves {format_minor(net)}"
    elif net < wanted:
        problem = f"no amount leaves as much as {format_minor(wanted)}: {nearest}"
    else:
        within = f"no amount within {format_minor(WINDOW_PENCE)} leaves exactly {format_minor(wanted)}"
        problem = f"net pay jumps over it: {within}, {nearest}"
    return RowProblem(row, "wanted_net", problem, "Agree on another net, or on a gross")
