"""The review of runs for programs: comments, changes from payslip to payslip, approvals handed over."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from ninja import Query, Schema
from pydantic import StringConstraints

from engineroom.foundation.api import (
    NO_NUL,
    Asked,
    ContentHash,
    Day,
    Page,
    PageAsked,
    ReasonAsked,
    Room,
    Text,
    log_read,
    one,
    refuse_masked,
)
from engineroom.foundation.tenancy.models import Client
from engineroom.payroll import (
    client_approval,
    explained,
    handing_over,
    reopening,
    returned,
)
from engineroom.payroll.models import PayRun

router = Room("payroll")


Comment = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=NO_NUL)]


class ReturnAsked(Asked):
    """What is wrong, and with whom; without a payroll number, with the whole run."""

    content_hash: ContentHash
    comment: Comment
    payroll_number: Text = ""


class CommentOut(Schema):
    """A comment with which the run was returned. state: `open` ones keep it from being approved."""

    id: UUID
    payroll_number: str
    text: str
    at: datetime
    by_user_id: UUID
    state: Literal["open", "answered", "changed"]
    answer: str | None


class AnswerAsked(Asked):
    """What there is to say to a comment."""

    words: Comment


@router.read("/pay-runs/{run_id}/comments", list[CommentOut], "The comments with which a run was returned")
def comments(client: Client, run_id: UUID) -> list[CommentOut]:
    """Every comment, oldest first, and how it was answered."""
    run = one(PayRun.objects.select_related("published"), "pay run", run_id)
    return [
        CommentOut(
            id=c.id,
            payroll_number=c.payroll_number,
            text=c.text,
            at=c.at,
            by_user_id=c.by_user_id,
            state=c.state,
            answer=c.answer,
        )
        for c in returned.comments(run)
    ]


@router.command(
    "/pay-runs/{run_id}/return", reopening.RunReturned, "Return a pay run", permission="payroll.approve"
)
def return_pay_run(client: Client, run_id: UUID, asked: ReturnAsked) -> reopening.RunReturned:
    """Nobody approves it until your comment is answered, by a change or by words."""
    return reopening.return_pay_run(
        run_id, content_hash=asked.content_hash, comment=asked.comment, payroll_number=asked.payroll_number
    )


@router.command(
    "/pay-run-comments/{comment_id}/answer",
    reopening.CommentAnswered,
    "Answer a comment",
    permission="payroll.prepare",
)
def answer_comment(client: Client, comment_id: UUID, asked: AnswerAsked) -> reopening.CommentAnswered:
    """Once, by words; a change to what it is about answers it too."""
    return reopening.answer_comment(comment_id, words=asked.words)


class VariancePartOut(Schema):
    """What one changed input did to a payslip: by element, in minor units or minutes."""

    label: str
    words: str
    is_explained: bool
    moved: dict[str, int]


class VarianceOut(Schema):
    """A person's payslip beside their last: the parts add up to the change, element by element."""

    payroll_number: str
    name: str
    before_run: int | None
    is_in_run: bool
    net_pay_before_minor: int
    net_pay_minor: int
    words: str
    parts: list[VariancePartOut]


@router.read("/pay-runs/{run_id}/variance", Page[VarianceOut], "Why payslips differ from the last")
def variance(client: Client, run_id: UUID, page: Query[PageAsked]) -> Page[VarianceOut]:
    """Everybody, the largest change of net pay first, told by the inputs that made it. The read is logged."""
    refuse_masked("pay", "a change of pay")
    run = one(PayRun.objects.select_related("published"), "pay run", run_id)
    part = explained.listed(run, page.cursor or "", rows=page.limit)
    people = [row.person_id for row in part.rows]
    told = {v.person_id: v for v in explained.explain_people(run, people, client.currency)}
    if people:
        log_read("pay_run", run.id, "changes of pay", len(people))
    items = [_variance(told[person], client.currency) for person in people]
    return Page(items=items, next=part.next or None)


def _variance(v: explained.PersonVariance, currency: str) -> VarianceOut:
    return VarianceOut(
        payroll_number=v.payroll_number,
        name=v.name,
        before_run=v.before_run,
        is_in_run=v.is_in_run,
        net_pay_before_minor=v.before.get("net_pay", 0),
        net_pay_minor=v.now.get("net_pay", 0),
        words=v.in_words("net_pay", currency),
        parts=[
            VariancePartOut(label=p.label, words=p.words, is_explained=p.is_explained, moved=dict(p.moved))
            for p in v.parts
        ],
    )


# --- an approval handed over ------------------------------------------------------------------------------


class ApprovalPolicyOut(Schema):
    """Whether runs paid from a day on wait for the client's approval. schedule: of its runs; null: of all.
    as_client: the schedule has nothing of its own any more. stands: nothing else was said of that day."""

    schedule: str | None
    starts: date
    wanted: Literal["none", "wanted", "must", "as_client"]
    reason: str
    stands: bool


class ApprovalPolicyAsked(ReasonAsked):
    """From a pay date on; schedule: its code, for its runs alone."""

    wanted: Literal["none", "wanted", "must", "as_client"]
    starts: Day
    schedule: Text = ""


@router.read(
    "/client-approval-policies", list[ApprovalPolicyOut], "Whether runs wait for the client's approval"
)
def client_approval_policies(client: Client) -> list[ApprovalPolicyOut]:
    """All that was said, the latest day first."""
    return [
        ApprovalPolicyOut(
            schedule=one.schedule or None,
            starts=one.starts,
            wanted=one.wanted,  # type: ignore[arg-type]  # by constraint
            reason=one.reason,
            stands=one.stands,
        )
        for one in client_approval.policies()
    ]


@router.command(
    "/client-approval-policies",
    client_approval.ClientApprovalSaid,
    "Say whether runs wait for the client's approval",
    permission="foundation.prepare",
)
def say_client_approval(client: Client, asked: ApprovalPolicyAsked) -> client_approval.ClientApprovalSaid:
    """`must`: no run paid from that day on is released before an approver of the client approved it."""
    return client_approval.say_client_approval(
        asked.wanted, starts=asked.starts, schedule=asked.schedule, reason=asked.reason
    )


class ApproverOut(Schema):
    """Somebody of the client's who may approve its runs."""

    id: UUID
    name: str


class HandoverOut(Schema):
    """Who approves instead of whom: a run, by its number, or whatever comes up on the days. taken_back: why
    it no longer holds, empty while it does."""

    id: UUID
    run: int | None
    giver: str
    taker: str
    starts: date
    ends: date
    reason: str
    taken_back: str


class HandOverAsked(ReasonAsked):
    """One run, or every run until a day."""

    to_user_id: UUID
    run_id: UUID | None = None
    until: Day | None = None


@router.read("/approvers", list[ApproverOut], "Who of the client may approve its runs")
def approvers(client: Client) -> list[ApproverOut]:
    """By name. To these an approver may hand their approval."""
    return [ApproverOut(id=one.id, name=one.name) for one in handing_over.approvers_of_client()]


@router.read("/approval-handovers", list[HandoverOut], "Approvals handed over, latest first")
def handovers(client: Client) -> list[HandoverOut]:
    """The latest hundred, those that were taken back among them."""
    return [
        HandoverOut(
            id=one.id, run=one.run, giver=one.giver, taker=one.taker, starts=one.starts, ends=one.ends,
            reason=one.reason, taken_back=one.taken_back,
        )
        for one in handing_over.handings()
    ]  # fmt: skip


@router.command(
    "/approval-handovers", handing_over.ApprovalHanded, "Hand an approval over", permission="payroll.approve"
)
def hand_over(client: Client, asked: HandOverAsked) -> handing_over.ApprovalHanded:
    """To a colleague of the client who may approve, and made no part of it."""
    return handing_over.hand_over(
        asked.to_user_id, run_id=asked.run_id, until=asked.until, reason=asked.reason
    )


@router.command(
    "/approval-handovers/{handover_id}/take-back",
    handing_over.HandoverEnded,
    "Take an approval back that was handed over",
    permission="payroll.approve",
)
def take_back_handover(client: Client, handover_id: UUID, asked: ReasonAsked) -> handing_over.HandoverEnded:
    """By whoever handed it over, or whoever has it."""
    return handing_over.take_back_handover(handover_id, reason=asked.reason)
