"""What a calculation came to, as payslips: amounts by element, less what the period has paid already."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from engineroom.kernel.money import format_minor
from engineroom.payroll.engine.steps import Calculation, RowProblem
from engineroom.payroll.inputs import ChunkInputs
from engineroom.payroll.jurisdictions import Jurisdiction

Amounts = npt.NDArray[np.int64]
"""Minor units or minutes, int64, shape (payslips, elements)."""

NET = "net_pay"


def amounts_of(
    law: Jurisdiction, codes: Sequence[str], done: Calculation, earlier: Amounts | None
) -> tuple[list[int], Amounts, list[RowProblem]]:
    """The rows that get a payslip, their amounts, and the problems of the others.

    The law takes everything that is paid in one period as one payment (SSCBA 1992 s.6 and sch. 1 para. 1 in
    Great Britain), so a further run of the period is calculated with what was paid in it before, and pays the
    difference. earlier: shape (rows of the chunk, elements).
    """
    amounts = np.stack([done.columns[code] for code in codes], axis=1)
    if earlier is None:
        return done.rows.tolist(), amounts, done.problems
    before = earlier[done.rows]
    before[:, [place for place, code in enumerate(codes) if code in law.stands]] = 0
    amounts = amounts - before
    short = amounts[:, codes.index(NET)] < 0
    more = [
        RowProblem(
            row,
            NET,
            f"it comes to {format_minor(net)}: more is taken back than this run pays",
            "Take it back in a run that pays enough, or as a debt by instalments",
        )
        for row, net in zip(done.rows[short].tolist(), amounts[short, codes.index(NET)].tolist(), strict=True)
    ]
    return done.rows[~short].tolist(), amounts[~short], sorted([*done.problems, *more])


def stated_amounts(codes: Sequence[str], inputs: ChunkInputs) -> Amounts:
    """Figures to date as they were stated: nothing is calculated, and net pay is nought."""
    nothing = np.zeros(len(inputs.person_id), dtype=np.int64)
    return np.stack([inputs.columns.get(code, nothing) for code in codes], axis=1)
