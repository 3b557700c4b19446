"""How far a run is: one pure function from what stands, and what is to be done next, by whom.

Nothing of it is stored (decision 008), so it cannot disagree with what it follows from. The run board, the
run's page, the portal, the API, the command line and the list of duties all ask here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Code = Literal[
    "open",
    "calculated",
    "blocked",
    "checked",
    "waits-for-client",
    "client-approved",
    "released",
    "settled",
    "closed",
    "given-up",
]


@dataclass(frozen=True)
class Standing:
    """What stands of a run. blockers: how many keep it; the approvals are of exactly what is published.

    settled: the bank statement proves that the net pay went out. closed: the books are locked through its pay
    date besides. client_must: nothing is released without the client's approval; client_wants: they would
    rather see it first. owes_back: people have pay that this run, a reversal, took back. taken_back: every
    payslip of it was, by released reversals. takes_back: it is one. nothing_left: all of its net pay was set
    against what people had before.
    """

    calculated: bool = False
    calculating: bool = False
    given_up: bool = False
    blockers: int = 0
    checked: bool = False
    client_approved: bool = False
    client_wants: bool = False
    client_must: bool = False
    released: bool = False
    in_file: bool = False
    settled: bool = False
    closed: bool = False
    owes_back: bool = False
    taken_back: bool = False
    takes_back: bool = False
    nothing_left: bool = False


@dataclass(frozen=True)
class RunState:
    """code: for programs. shape, word: the status as people see it. next: what is to be done, `by` whom, who
    holds `permission`; empty where nothing is left to do."""

    code: Code
    shape: str
    word: str
    next: str = ""
    by: str = ""
    permission: str = ""


PREPARER = "a specialist or lead"
CHECKER = "a checker, lead, owner or the client's approver, who made no part of it"
CLIENTS = "an approver of the client's, who made no part of it"
RELEASER = "a checker, lead or owner, who did not approve it"
BOOKKEEPER = "a bookkeeper or lead"

CLOSED = RunState("closed", "done", "Closed")
SETTLED = RunState("settled", "done", "Paid", "Lock the books of its period", BOOKKEEPER, "ledger.prepare")
IN_FILE = RunState(
    "released", "run", "Released, in the payment file", "Clear the bank statement that proves it", BOOKKEEPER,
    "settlement.prepare",
)  # fmt: skip
TAKEN_BACK = RunState("closed", "void", "Taken back")
NOTHING_OWED = RunState(
    "settled", "done", "Nothing is owed back", "Lock the books of its period", BOOKKEEPER, "ledger.prepare"
)
NOTHING_LEFT = RunState(
    "settled", "done", "Nothing is left to pay", "Lock the books of its period", BOOKKEEPER, "ledger.prepare"
)
OWED_BACK = RunState(
    "released", "wait", "Released, pay is owed back", "Get back what is owed, or pay anew in its place",
    BOOKKEEPER, "settlement.prepare",
)  # fmt: skip
RELEASED = RunState("released", "run", "Released", "Write its payment file", RELEASER, "settlement.release")
BLOCKED = RunState(
    "blocked", "risk", "Blocked", "Solve what keeps it, then calculate again", PREPARER, "payroll.prepare"
)
CLIENT_APPROVED = RunState(
    "client-approved", "wait", "Approved by the client, waits for release", "Release it", RELEASER,
    "payroll.release",
)  # fmt: skip
CHECKED = RunState(
    "checked", "wait", "Checked, waits for release", "Release it, or ask the client first", RELEASER,
    "payroll.release",
)  # fmt: skip
CHECKED_WANTED = RunState(
    "checked", "wait", "Checked, the client wants to approve it", "Ask the client first, or release it",
    RELEASER, "payroll.release",
)  # fmt: skip
WAITS_FOR_CLIENT = RunState(
    "waits-for-client", "wait", "Checked, waits for the client", "Have the client approve it", CLIENTS,
    "payroll.approve",
)  # fmt: skip
CALCULATING = RunState("open", "run", "Calculating", "Wait until everybody is calculated", "nobody")
CALCULATED = RunState(
    "calculated",
    "wait",
    "Calculated, waits for approval",
    "Check it and approve it",
    CHECKER,
    "payroll.approve",
)
CALCULATED_MUST = RunState(
    "calculated", "wait", "Calculated, waits for approval", "Check it, and have the client approve it",
    CHECKER, "payroll.approve",
)  # fmt: skip
GIVEN_UP = RunState("given-up", "void", "Given up")
OPEN = RunState("open", "open", "Open", "Calculate it", PREPARER, "payroll.prepare")


def state_of(s: Standing) -> RunState:
    """The first that holds, from the end of a run to its beginning."""
    if s.released:
        return _released(s)
    if not s.calculated:
        return CALCULATING if s.calculating else GIVEN_UP if s.given_up else OPEN
    if s.calculating and not (s.checked or s.client_approved):
        return CALCULATING
    if s.blockers:
        return BLOCKED
    if s.client_approved:
        return CLIENT_APPROVED
    if s.client_must:
        return WAITS_FOR_CLIENT if s.checked else CALCULATED_MUST
    if s.checked:
        return CHECKED_WANTED if s.client_wants else CHECKED
    return CALCULATED


def _released(s: Standing) -> RunState:
    if s.taken_back:
        return TAKEN_BACK
    if s.owes_back:
        return OWED_BACK
    if s.settled and not s.closed and (s.takes_back or s.nothing_left):
        return NOTHING_OWED if s.takes_back else NOTHING_LEFT
    if s.settled:
        return CLOSED if s.closed else SETTLED
    return IN_FILE if s.in_file else RELEASED
