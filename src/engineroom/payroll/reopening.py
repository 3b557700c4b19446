"""A run taken back before its release: an approval that no longer holds, or an approver's no, with comments.

Who returns a run says what is wrong with whom. Until that is answered, by a change or by words, nobody
approves the run (`returned`). Reasons and comments stay in the trail.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from engineroom.foundation.approvals import services as approvals
from engineroom.foundation.approvals.models import Approval, ApprovalVoid
from engineroom.foundation.commands import command
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.kernel.errors import Conflict, NotFound, NotPermitted, reason_given
from engineroom.payroll.models import CommentAnswer, PayRun, Payslip, ReturnedComment
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


@dataclass(frozen=True)
class RunReturned:
    """approvals: how many that stood no longer hold."""

    run_id: UUID
    comment_id: UUID
    approvals: int

    @property
    def subject(self) -> str:
        return f"pay_run:{self.run_id}"


@command("payroll.approve")
def return_pay_run(run_id: UUID, *, content_hash: str, comment: str, payroll_number: str = "") -> RunReturned:
    """Return the run with a comment on one of its people, or on the run: it waits until that is answered.

    content_hash: of what was looked at. An approval that stood no longer holds.
    """
    text = reason_given(comment, 1000)
    run = _unreleased(run_id)
    if run.published_id is None or bytes(run.content_hash or b"").hex() != content_hash:
        raise approvals.ContentChanged(f"{run} was calculated again since you looked; look again")
    person = None
    if payroll_number := payroll_number.replace("\0", "").strip():
        person = Payslip.objects.filter(
            client_id=run.client_id,
            attempt_id=run.published_id,
            person__payroll_number=payroll_number,
        ).first()
        if person is None:
            raise NotFound(f"{run} pays nobody with the payroll number {payroll_number!r}")
    made = ReturnedComment.objects.create(
        client_id=run.client_id,
        run=run,
        attempt_id=run.published_id,
        content_hash=run.content_hash,
        person_id=person.person_id if person else None,
        text=text,
        by_user_id=current_scope().user.id,
    )
    voided = _void_each(run, _standing(run), "returned with a comment")
    return RunReturned(run.id, made.id, voided)


@dataclass(frozen=True)
class CommentAnswered:
    run_id: UUID
    comment_id: UUID

    @property
    def subject(self) -> str:
        return f"pay_run:{self.run_id}"


@command("payroll.prepare")
def answer_comment(comment_id: UUID, *, words: str) -> CommentAnswered:
    """Say what there is to say to a comment; the run may then be approved as it is. Once."""
    words = reason_given(words, 1000)
    found = ReturnedComment.objects.filter(client_id=current_scope().client_id, id=comment_id).first()
    if found is None:
        raise NotFound(f"there is no comment {comment_id}")
    run = _unreleased(found.run_id)
    if CommentAnswer.objects.filter(client_id=run.client_id, comment_id=found.id).exists():
        raise Conflict("this comment is answered already; what was said stays")
    if found.by_user_id == current_scope().user.id:
        raise NotPermitted("a comment is answered by somebody else than who made it")
    CommentAnswer.objects.create(
        client_id=run.client_id, comment=found, words=words, by_user_id=current_scope().user.id
    )
    return CommentAnswered(run.id, found.id)


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
