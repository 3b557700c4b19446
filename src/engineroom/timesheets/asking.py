"""Customers asked about their hours: who answers, what they were asked, and what becomes of no answer.

The letters and their links are the web's; here stands what was asked and how far it went.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from engineroom.foundation import duties
from engineroom.foundation.commands import command
from engineroom.foundation.dated import lives_on
from engineroom.foundation.tenancy.scope import current_client_id, current_scope
from engineroom.kernel.errors import Conflict, InputRefused, NotFound, Problem, reason_given
from engineroom.openitems.models import Counterparty
from engineroom.timesheets import entered, entering
from engineroom.timesheets.entered import WeekView
from engineroom.timesheets.models import (
    AnswerPolicy,
    AnswerRequest,
    EnteredWeek,
    RequestedWeek,
    RequestStep,
)
from engineroom.ui.display import format_day

LONGEST_WAIT_HOURS = 24 * 30
CHASES = ("reminded", "backup", "escalated")


# --- who answers ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answers:
    """Who answers for a customer, who stands in, and after how many hours whom is told; 0: never."""

    approver_name: str
    approver_email: str
    backup_name: str = ""
    backup_email: str = ""
    remind_hours: int = 24
    backup_hours: int = 48
    escalate_hours: int = 72


@dataclass(frozen=True)
class PolicySet:
    policy_id: UUID
    customer_id: UUID
    starts: date

    @property
    def subject(self) -> str:
        return f"customer:{self.customer_id}"


@command("timesheets.prepare")
def set_answer_policy(customer: str, answers: Answers, *, starts: date) -> PolicySet:
    """Say who answers for a customer's hours from a day on; what held before ends the day before."""
    found = customer_named(customer)
    _refuse_wrong(answers)
    rows = AnswerPolicy.objects.select_for_update().filter(client_id=found.client_id, customer=found)
    if later := rows.filter(starts__gte=starts).order_by("starts").first():
        raise Conflict(
            f"who answers for {found.name} from {format_day(later.starts)} on is said already; "
            "choose a later day"
        )
    rows.filter(ends=None).update(ends=starts - timedelta(days=1))
    values = {
        name: value.strip() if isinstance(value, str) else value for name, value in vars(answers).items()
    }
    made = AnswerPolicy.objects.create(client_id=found.client_id, customer=found, starts=starts, **values)
    return PolicySet(made.id, found.id, starts)


def customer_named(code: str) -> Counterparty:
    found = Counterparty.objects.filter(client_id=current_client_id(), kind="customer", code=code).first()
    if found is None:
        raise NotFound(f"there is no customer {code!r}")
    return found


def _refuse_wrong(answers: Answers) -> None:
    problems = []
    if not answers.approver_name.strip():
        problems.append(Problem("nobody is named", "Say who answers", field="approver_name"))
    if bool(answers.backup_name.strip()) != bool(answers.backup_email.strip()):
        remedy = "Say both, or neither"
        problems.append(Problem("a stand-in has a name and an address", remedy, field="backup_email"))
    for name in ("approver_email", "backup_email"):
        address = getattr(answers, name).strip()
        if name == "backup_email" and not address:
            continue
        try:
            validate_email(address)
        except ValidationError:
            remedy = "Write it as ann@customer.example"
            problems.append(Problem(f"{address!r} is no address for mail", remedy, field=name))
    steps = [("remind_hours", answers.remind_hours), ("backup_hours", answers.backup_hours)]
    before = 0
    for name, hours in [*steps, ("escalate_hours", answers.escalate_hours)]:
        if not 0 <= hours <= LONGEST_WAIT_HOURS:
            remedy = f"Say 0 for never, up to {LONGEST_WAIT_HOURS}"
            problems.append(Problem(f"{hours} hours is no wait", remedy, field=name))
        elif hours and hours < before:
            problems.append(Problem("this comes before the step before it", "Say a longer wait", field=name))
        before = max(before, hours)
    if answers.backup_hours and not answers.backup_email.strip():
        remedy = "Name a stand-in, or say 0"
        problems.append(Problem("there is no stand-in to turn to", remedy, field="backup_hours"))
    if problems:
        raise InputRefused(problems)


def policies() -> list[AnswerPolicy]:
    """Who answers for whom, by customer, the newest first."""
    rows = AnswerPolicy.objects.filter(client_id=current_client_id()).select_related("customer")
    return list(rows.order_by("customer__name", "-starts"))


def policy_on(customer_id: UUID, day: date) -> AnswerPolicy | None:
    rows = AnswerPolicy.objects.filter(lives_on(day), client_id=current_client_id(), customer_id=customer_id)
    return rows.select_related("customer").first()


# --- asking -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RequestView:
    """A request with its weeks and what was done about it."""

    id: UUID
    customer_id: UUID
    customer: str
    week_ending: date
    policy: AnswerPolicy
    by_user_id: UUID
    at: datetime
    weeks: tuple[WeekView, ...]
    steps: tuple[RequestStep, ...]

    @property
    def is_open(self) -> bool:
        return not any(step.what in ("answered", "withdrawn") for step in self.steps)

    @property
    def done(self) -> frozenset[str]:
        return frozenset(step.what for step in self.steps)

    def due(self, now: datetime) -> str:
        """The next thing to do about no answer yet, if its time has come; empty where there is none."""
        waits = {
            "reminded": self.policy.remind_hours,
            "backup": self.policy.backup_hours,
            "escalated": self.policy.escalate_hours,
        }
        for what in CHASES:
            late = waits[what] and now >= self.at + timedelta(hours=waits[what])
            if late and what not in self.done and self.is_open:
                return what
        return ""


def find_request(request_id: UUID) -> RequestView:
    client_id = current_client_id()
    rows = AnswerRequest.objects.filter(client_id=client_id, id=request_id)
    row = rows.select_related("customer", "policy").first()
    if row is None:
        raise NotFound(f"there is no request {request_id}")
    weeks = RequestedWeek.objects.filter(client_id=client_id, request_id=row.id)
    steps = RequestStep.objects.filter(client_id=client_id, request_id=row.id).order_by("at", "id")
    return RequestView(
        row.id, row.customer_id, row.customer.name, row.week_ending, row.policy, row.by_user_id, row.at,
        tuple(entered.weeks_with(weeks.values_list("week_id", flat=True))), tuple(steps),
    )  # fmt: skip


def open_request(customer_id: UUID, week_ending: date) -> AnswerPolicy:
    """The policy by which a customer is asked today. Raises Conflict where nobody answers."""
    policy = policy_on(customer_id, duties.today())
    if policy is None:
        raise Conflict("nobody is named who answers for this customer; say who, under Time, Who answers")
    return policy


def write_request(customer: Counterparty, week_ending: date, policy: AnswerPolicy) -> RequestView:
    """All weeks of the customer that workers sent for a week, put to it. Raises Conflict where none is."""
    client_id = customer.client_id
    rows = EnteredWeek.objects.select_for_update().filter(
        client_id=client_id, state="sent", week_ending=week_ending, assignment__customer=customer
    )
    week_ids = list(rows.values_list("id", flat=True))
    if not week_ids:
        raise Conflict(
            f"no hours at {customer.name} for the week ending {format_day(week_ending)} wait to be put to it"
        )
    made = AnswerRequest.objects.create(
        client_id=client_id,
        customer=customer,
        policy=policy,
        week_ending=week_ending,
        by_user_id=current_scope().user.id,
    )
    RequestedWeek.objects.bulk_create(
        RequestedWeek(client_id=client_id, request=made, week_id=week_id) for week_id in week_ids
    )
    EnteredWeek.objects.filter(client_id=client_id, id__in=week_ids).update(state="asked")
    note(made.id, "asked", f"{policy.approver_name} <{policy.approver_email}>")
    return find_request(made.id)


def note(request_id: UUID, what: str, whom: str = "") -> None:
    """What was done about a request. Raises Conflict where that was done before."""
    try:
        with transaction.atomic():
            RequestStep.objects.create(
                client_id=current_client_id(), request_id=request_id, what=what, whom=whom[:300]
            )
    except IntegrityError:
        raise Conflict(f"this request was {what} before") from None


@dataclass(frozen=True)
class Withdrawn:
    request_id: UUID
    weeks: int

    @property
    def subject(self) -> str:
        return f"answer_request:{self.request_id}"


@command("timesheets.prepare")
def withdraw_request(request_id: UUID, *, reason: str) -> Withdrawn:
    """Take a request back: its links open nothing any more, and its weeks are their workers' again."""
    view = open_one(request_id)
    why = reason_given(reason)
    note(view.id, "withdrawn", why)
    for week in view.weeks:
        entering.move(week.id, "sent")
    return Withdrawn(view.id, len(view.weeks))


def open_one(request_id: UUID) -> RequestView:
    """A request that waits, held. Raises Conflict."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"request:{request_id}"])
    view = find_request(request_id)
    if not view.is_open:
        raise Conflict("this request is answered or withdrawn")
    return view


@command("timesheets.prepare")
def answer_request(
    request_id: UUID, *, said_by: str, disputed: dict[UUID, list[entering.Disputed]]
) -> entering.AnswerTaken:
    """Take in what the customer answered through its link: every day approved, but those disputed."""
    view = open_one(request_id)
    contents = {week.id: week.content for week in view.weeks}
    done = entering.take_answer(view.weeks, contents, disputed, said_by)
    note(view.id, "answered", said_by)
    return done


# --- what is open -----------------------------------------------------------------------------------------

OPEN = """
SELECT r.id FROM timesheets_answerrequest r
WHERE r.client_id = %s AND NOT EXISTS (
  SELECT FROM timesheets_requeststep s WHERE s.client_id = r.client_id AND s.request_id = r.id
    AND s.what IN ('answered', 'withdrawn'))
ORDER BY r.at
"""


def open_requests() -> list[RequestView]:
    """Requests without an answer, the oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(OPEN, [current_client_id()])
        ids = [row[0] for row in cursor.fetchall()]
    return [find_request(one) for one in ids]


def due_now(now: datetime | None = None) -> Sequence[tuple[RequestView, str]]:
    """Requests at which the next step is due, and which."""
    moment = now or timezone.now()
    return [(view, what) for view in open_requests() if (what := view.due(moment))]


@dataclass(frozen=True)
class ToAsk:
    """Hours at a customer that were sent for a week and not put to it yet."""

    customer_code: str
    customer: str
    week_ending: date
    weeks: int
    minutes: int
    answers: str
    """Who would be asked; empty where nobody is named."""


def to_ask() -> list[ToAsk]:
    found: dict[tuple[str, date], list[WeekView]] = {}
    for view in entered.waiting():
        if view.state == "sent":
            found.setdefault((view.customer_code, view.week_ending), []).append(view)
    today = duties.today()
    out = []
    for (code, ending), views in found.items():
        policy = policy_on(customer_named(code).id, today)
        who = f"{policy.approver_name}, {policy.approver_email}" if policy else ""
        minutes = sum(v.minutes for v in views)
        out.append(ToAsk(code, views[0].customer, ending, len(views), minutes, who))
    return out
