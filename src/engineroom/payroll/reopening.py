"""A run taken back before its release: an approval that no longer holds, and why, kept in the trail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from engineroom.foundation.approvals import services as approvals
from engineroom.foundation.approvals.models import Approval, ApprovalVoid
from engineroom.foundation.commands import command
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.kernel.errors import Conflict, reason_given
from engineroom.payroll.models import PayRun
from engineroom.payroll.services import find_run


@dataclass(frozen=True)
class RunReopened:
    """approvals: how many no longer hold."""

    run_id: UUID
    approvals: int

    @property
    def subject(self) -> str:
        return f"pay_run:{self.run_id}"


@command("payroll.prepare")
def reopen_pay_run(run_id: UUID, *, reason: str) -> RunReopened:
    """Take every approval of a run that is not released back, to change what it pays. The trail says why."""
    return _void(run_id, f"reopened: {reason_given(reason, 400)}", lambda yes: True)


@command("payroll.approve")
def take_back_approval(run_id: UUID, *, reason: str) -> RunReopened:
    """Take one's own approval of a run back, as long as it is not released. Others' stand."""
    scope = current_scope()
    me = {scope.user.id} | ({scope.on_behalf.id} if scope.on_behalf else set())
    words = f"taken back: {reason_given(reason, 400)}"
    return _void(run_id, words, lambda yes: bool(me & {yes.user_id, yes.on_behalf_id}))


def _void(run_id: UUID, words: str, which: Callable[[Approval], bool]) -> RunReopened:
    run = _unreleased(run_id)
    found = [yes for yes in _standing(run) if which(yes)]
    if not found:
        raise Conflict(f"{run} has no approval that can be taken back; it may be changed as it is")
    return RunReopened(run.id, _void_each(run, found, words))


def _unreleased(run_id: UUID) -> PayRun:
    """The run, held until the end of the command."""
    run = PayRun.objects.select_for_update().get(client_id=current_scope().client_id, id=find_run(run_id).id)
    if approvals.released("pay_run", run.id):
        raise Conflict(f"{run} is released: what was issued is frozen; correct it in another run")
    return run


def _standing(run: PayRun) -> list[Approval]:
    given = Approval.objects.filter(client_id=run.client_id, subject_kind="pay_run", subject_id=run.id)
    void = ApprovalVoid.objects.filter(client_id=run.client_id).values("approval_id")
    return list(given.exclude(id__in=void).order_by("at", "id"))


def _void_each(run: PayRun, found: Sequence[Approval], words: str) -> int:
    for yes in found:
        ApprovalVoid.objects.create(client_id=run.client_id, approval=yes, reason=words)
    return len(found)
