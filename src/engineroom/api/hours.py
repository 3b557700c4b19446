"""Customers asked about hours: who answers for them, what they were asked, and asking them by mail."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from ninja import Query, Schema

from engineroom.foundation.api import Asked, Page, PageAsked, ReasonAsked, Room, cut_list
from engineroom.foundation.commands import REGISTRY
from engineroom.foundation.tenancy.models import Client
from engineroom.timesheets import asking

router = Room("timesheets")


class AnswerPolicyOut(Schema):
    """Who answers for a customer's hours, who stands in, and after how many hours whom is told; 0: never."""

    id: UUID
    customer: str
    starts: date
    ends: date | None
    approver_name: str
    approver_email: str
    backup_name: str
    backup_email: str
    remind_hours: int
    backup_hours: int
    escalate_hours: int


class AnswerPolicyAsked(Asked):
    """Who answers for a customer from a day on."""

    customer: str
    starts: date
    approver_name: str
    approver_email: str
    backup_name: str = ""
    backup_email: str = ""
    remind_hours: int = 24
    backup_hours: int = 0
    escalate_hours: int = 72


class AnswerPolicySetOut(Schema):
    """Who answers, as it is kept, and from when."""

    policy_id: UUID
    starts: date


class RequestStepOut(Schema):
    """What was done: asked, reminded, backup, escalated, answered or withdrawn."""

    what: str
    whom: str
    at: datetime


class AnswerRequestOut(Schema):
    """What a customer was asked and has not answered yet."""

    id: UUID
    customer: str
    week_ending: date
    sheets: int
    steps: list[RequestStepOut]


class CustomerAskedAsked(Asked):
    """Which customer, and the Sunday that ends the week."""

    customer: str
    week_ending: date


class CustomerAskedOut(Schema):
    """sheets: of how many workers. asked: where the letter goes."""

    request_id: UUID
    sheets: int
    asked: str


class RequestWithdrawnOut(Schema):
    """A request that opens nothing any more, and how many weeks can be corrected again."""

    request_id: UUID
    weeks: int


@router.read("/answer-policies", Page[AnswerPolicyOut], "Who answers for customers' hours")
def answer_policies(client: Client, page: Query[PageAsked]) -> Page[AnswerPolicyOut]:
    """By day."""
    found, onward = cut_list(asking.policies(), page, by=lambda p: (p.starts.isoformat(), p.id))
    return Page(
        items=[
            AnswerPolicyOut(
                id=row.id,
                customer=row.customer.code,
                starts=row.starts,
                ends=row.ends,
                approver_name=row.approver_name,
                approver_email=row.approver_email,
                backup_name=row.backup_name,
                backup_email=row.backup_email,
                remind_hours=row.remind_hours,
                backup_hours=row.backup_hours,
                escalate_hours=row.escalate_hours,
            )
            for row in found
        ],
        next=onward,
    )


@router.command(
    "/answer-policies", AnswerPolicySetOut, "Say who answers for a customer", permission="timesheets.prepare"
)
def set_answer_policy(client: Client, asked: AnswerPolicyAsked) -> AnswerPolicySetOut:
    """From a day on; what held before ends the day before."""
    values = asked.dict()
    customer, starts = values.pop("customer"), values.pop("starts")
    done = asking.set_answer_policy(customer, asking.Answers(**values), starts=starts)
    return AnswerPolicySetOut(policy_id=done.policy_id, starts=done.starts)


@router.read("/answer-requests", Page[AnswerRequestOut], "What customers were asked and have not answered")
def answer_requests(client: Client, page: Query[PageAsked]) -> Page[AnswerRequestOut]:
    """The oldest first."""
    found, onward = cut_list(asking.open_requests(), page, by=lambda r: (r.at.isoformat(), r.id))
    return Page(
        items=[
            AnswerRequestOut(
                id=view.id,
                customer=view.customer,
                week_ending=view.week_ending,
                sheets=len(view.weeks),
                steps=[RequestStepOut(what=s.what, whom=s.whom, at=s.at) for s in view.steps],
            )
            for view in found
        ],
        next=onward,
    )


@router.command(
    "/answer-requests",
    CustomerAskedOut,
    "Ask a customer by mail about a week that its workers sent",
    permission="timesheets.prepare",
)
def ask_customer(client: Client, asked: CustomerAskedAsked) -> CustomerAskedOut:
    """Whoever answers for it gets a link that takes one answer."""
    # The letters are the web's, above this face: its command is found by name.
    done = REGISTRY["web.ask_customer"].run(asked.customer, asked.week_ending)
    return CustomerAskedOut(request_id=done.request_id, sheets=done.weeks, asked=done.asked)


@router.command(
    "/answer-requests/{request_id}/withdraw",
    RequestWithdrawnOut,
    "Take a request back",
    permission="timesheets.prepare",
)
def withdraw_request(client: Client, request_id: UUID, asked: ReasonAsked) -> RequestWithdrawnOut:
    """Its links open nothing any more, and its weeks can be corrected and asked again."""
    done = asking.withdraw_request(request_id, reason=asked.reason)
    return RequestWithdrawnOut(request_id=done.request_id, weeks=done.weeks)
