"""From net pay by law to what is handed over: deductions that must wait, debts paid back, whole coins.

Three rules, in this order, none of which knows a country:

1. *Guard.* Deductions are taken in their order while there is pay. Those that may wait are cut to what is
   left, and the rest is carried as arrears; one that may not wait (tax) and is more than the pay is a
   problem of its row, and the row has no number. So net pay is never below zero.
2. *Recovery.* Arrears and advances are paid back in their order, each at most its instalment and what is
   owed, and all together never so much that less than the protected net is left.
3. *Rounding.* What is paid is a whole number of `unit` (a pound, five pence); the rest is carried to the next
   payday and added there, so over any number of paydays what is paid and what is carried is exactly the net.
   The last payday pays the rest.

Everything is pence, int64, shape (n,), and below 10**11, so sums stay far inside 64 bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from engineroom.kernel.money import format_minor
from engineroom.kernel.rounding import Minor
from engineroom.payroll.engine.steps import Column, RowProblem, refuse, rows_without

MAX_PENCE = 10**11
ALL_OF_IT = MAX_PENCE
"""An instalment: as much as the protected net allows."""


@dataclass(frozen=True, eq=False)
class Deduction:
    """What should be taken. may_wait: it is cut to the pay that is left, and the rest becomes arrears."""

    code: str
    due: Minor
    may_wait: bool = False


@dataclass(frozen=True, eq=False)
class Debt:
    """What somebody owes and pays back from net pay: arrears, an advance, an overpayment.

    instalment: the most of one payday.
    """

    code: str
    owed: Minor
    instalment: Minor


class Guarded(NamedTuple):
    """net: nought or more. taken and waiting: by code; together they are what was due."""

    net: Minor
    taken: dict[str, Minor]
    waiting: dict[str, Minor]
    problems: list[RowProblem]


class Recovered(NamedTuple):
    """net: after it. taken and owed: by code; together they are what was owed before."""

    net: Minor
    taken: dict[str, Minor]
    owed: dict[str, Minor]
    problems: list[RowProblem]


class Paid(NamedTuple):
    """paid: handed over, whole units. carry: to the next payday. Together they are net and carry before."""

    paid: Minor
    carry: Minor
    problems: list[RowProblem]


def guard_net(pay: Minor, deductions: Sequence[Deduction]) -> Guarded:
    """Take the deductions in order; rows with problems have noughts. A refund, below zero, adds to pay."""
    problems = _below_zero("pay", pay)
    for deduction in deductions:
        problems += _below_zero(deduction.code, np.abs(deduction.due))
    left, taken, waiting = pay, {}, {}
    for deduction in deductions:
        due = deduction.due
        take = np.where(due > 0, np.minimum(due, np.maximum(left, 0)), due) if deduction.may_wait else due
        taken[deduction.code], waiting[deduction.code] = take, due - take
        left = left - take
        if not deduction.may_wait:
            problems += _too_much(deduction.code, due, left, take)
    problems = _first_of_each_row(problems)
    good = _without(problems, len(pay))
    return Guarded(good * left, _only(good, taken), _only(good, waiting), problems)


def _too_much(code: str, due: Minor, left: Minor, taken: Minor) -> list[RowProblem]:
    return [
        RowProblem(
            row,
            code,
            f"{_pounds(due[row])} is to be taken, {_pounds(left[row] + taken[row])} is left",
            "Correct the pay, or lower what is taken before it; it may not wait",
        )
        for row in np.flatnonzero((left < 0) & (due > 0)).tolist()
    ]


def _pounds(pence: np.int64) -> str:
    return format_minor(int(pence))


def recover(net: Minor, debts: Sequence[Debt], protected_net: Minor) -> Recovered:
    """Pay debts back in order, leaving the protected net; rows with problems have noughts."""
    problems = [*_below_zero("net", net), *_below_zero("protected_net", protected_net)]
    for debt in debts:
        problems += [*_below_zero(debt.code, debt.owed), *_below_zero(debt.code, debt.instalment)]
    room = np.maximum(net - protected_net, 0)
    taken, owed = {}, {}
    for debt in debts:
        take = np.minimum(np.minimum(debt.owed, debt.instalment), room)
        taken[debt.code], owed[debt.code] = take, debt.owed - take
        room, net = room - take, net - take
    problems = _first_of_each_row(problems)
    good = _without(problems, len(net))
    return Recovered(good * net, _only(good, taken), _only(good, owed), problems)


def whole_coins(net: Minor, carry_before: Minor, unit: Minor, last_payday: Column) -> Paid:
    """Pay whole units down, carrying the rest; on the last payday pay everything. unit: 1 pays to the penny.

    carry_before: nought or more, as this rule left it.
    """
    problems = [*_below_zero("net", net), *_below_zero("carry_before", carry_before)]
    problems += [
        RowProblem(row, "unit", f"{int(unit[row])} is no coin or note", "Give pence: 1, 5, 100, 500")
        for row in np.flatnonzero((unit < 1) | (unit > 100_00)).tolist()
    ]
    problems += [
        RowProblem(
            row, "last_payday", f"{int(last_payday[row])} is neither 0 nor 1", "Give 1 for yes and 0 for no"
        )
        for row in np.flatnonzero((last_payday != 0) & (last_payday != 1)).tolist()
    ]
    problems = _first_of_each_row(problems)
    good = _without(problems, len(net))
    due = net + carry_before
    kept = np.where(last_payday == 1, 0, due % np.maximum(unit, 1))
    return Paid(good * (due - kept), good * kept, problems)


def _below_zero(field: str, column: Minor) -> list[RowProblem]:
    """Rows below zero, or beyond what one person can have."""
    remedy = "Check the amount and its sign"
    below = refuse(column < 0, field, "it is below zero", remedy)
    return below + refuse(column > MAX_PENCE, field, "it is more than one person can have", remedy)


def _first_of_each_row(problems: list[RowProblem]) -> list[RowProblem]:
    """In order of rows; what follows from a row's first problem is not told."""
    first: dict[int, RowProblem] = {}
    for problem in problems:
        first.setdefault(problem.row, problem)
    return sorted(first.values())


def _without(problems: list[RowProblem], n: int) -> Column:
    """1 for rows without problems, 0 for the others."""
    good = np.zeros(n, dtype=np.int64)
    good[rows_without(problems, n)] = 1
    return good


def _only(good: Column, columns: dict[str, Minor]) -> dict[str, Minor]:
    return {code: good * column for code, column in columns.items()}
