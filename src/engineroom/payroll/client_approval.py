"""The client's own approval as a condition of release: none, wanted, or a must.

Said from a pay date on, of all runs of the client, or of those of one schedule. Where it is a must,
PostgreSQL refuses to release a run until an approver of the client has approved exactly its content; and
whoever lifts that of a run that is open does not release it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from django.db import connection

from engineroom.foundation.access.models import User
from engineroom.foundation.commands import command
from engineroom.foundation.tenancy.scope import current_client_id, current_scope
from engineroom.kernel.errors import Conflict, InputRefused, NotPermitted, Problem, reason_given
from engineroom.payroll.handing_over import approvers_of_client
from engineroom.payroll.models import ClientApprovalPolicy, PayRun
from engineroom.payroll.schedules import find_schedule

Wanted = Literal["none", "wanted", "must"]

WORDS = {
    "none": "not asked for",
    "wanted": "wanted: a release is not kept by it",
    "must": "must: nothing is released without it",
    "as_client": "as all the client's runs",
}
"""What may be said, in words; `as_client` of a schedule alone."""


class ClientMustApprove(Conflict):
    """The run waits for an approver of the client."""


@dataclass(frozen=True)
class ClientApprovalSaid:
    policy_id: UUID
    wanted: str
    starts: date
    schedule: str

    @property
    def subject(self) -> str:
        return f"client_approval:{self.policy_id}"


@command("foundation.prepare")
def say_client_approval(wanted: str, *, starts: date, schedule: str = "", reason: str) -> ClientApprovalSaid:
    """Say whether runs paid from a day on wait for the client's own approval. schedule: its code; without one
    it is said of every run whose schedule has nothing of its own. What was agreed with the client, so it is a
    lead's to say."""
    reason = reason_given(reason)
    row = find_schedule(schedule) if schedule else None
    allowed = [word for word in WORDS if row or word != "as_client"]
    if wanted not in allowed:
        remedy = f"Say {', '.join(allowed[:-1])} or {allowed[-1]}"
        raise InputRefused([Problem(f"{wanted!r} is not a policy", remedy, field="wanted")])
    said = ClientApprovalPolicy.objects.create(
        client_id=current_scope().client_id,
        schedule=row,
        starts=starts,
        wanted=wanted,
        reason=reason,
        by_user_id=current_scope().user.id,
    )
    return ClientApprovalSaid(said.id, wanted, starts, row.code if row else "")


LACKS = "SELECT client_approval_lacks(%s, %s, %s)"


def refuse_without_client(run: PayRun, content_hash: bytes) -> None:
    """Where the client's approval is a must, and nobody of theirs has approved exactly this content.

    Raises ClientMustApprove, NotPermitted.
    """
    with connection.cursor() as cursor:
        cursor.execute(LACKS, [run.client_id, run.id, content_hash])
        lacks = cursor.fetchone()[0]
    if lacks == "must":
        names = ", ".join(one.name for one in approvers_of_client())
        who = f"they are {names}" if names else "there is none: grant somebody the role client_approver"
        raise ClientMustApprove(
            f"{run} is released once an approver of the client has approved exactly this content; {who}"
        )
    if lacks == "lifted":
        raise NotPermitted(
            f"you lifted the client's approval after {run} was opened: another person releases it"
        )


# --- questions --------------------------------------------------------------------------------------------

WANTED_OF_RUN = """coalesce(
    (SELECT nullif(p.wanted, 'as_client') FROM payroll_clientapprovalpolicy p
     WHERE p.client_id = r.client_id AND p.schedule_id = r.schedule_id AND p.starts <= r.pay_date
     ORDER BY p.starts DESC, p.at DESC, p.id DESC LIMIT 1),
    (SELECT p.wanted FROM payroll_clientapprovalpolicy p
     WHERE p.client_id = r.client_id AND p.schedule_id IS NULL AND p.starts <= r.pay_date
     ORDER BY p.starts DESC, p.at DESC, p.id DESC LIMIT 1), 'none')"""
"""What is wanted of run `r`, for a question about many."""


@dataclass(frozen=True)
class Said:
    """One policy as it was said. schedule: its code; empty: all runs. by: whose word it was, where the reader
    sees them. stands: it is the one that holds from its day on."""

    schedule: str
    starts: date
    wanted: str
    reason: str
    by: str
    at: datetime
    stands: bool

    @property
    def words(self) -> str:
        return WORDS[self.wanted]


def policies() -> list[Said]:
    """All that was said of the client, the latest day first."""
    rows = list(_rows([current_client_id()]))
    users = {row.by_user_id for row in rows}
    names = dict(User.objects.filter(id__in=users).values_list("id", "name"))
    found, seen = [], set()
    for row in rows:
        key = (row.schedule_id, row.starts)
        code = row.schedule.code if row.schedule else ""
        by = names.get(row.by_user_id, "")
        found.append(Said(code, row.starts, row.wanted, row.reason, by, row.at, key not in seen))
        seen.add(key)
    return found


def _rows(clients: Sequence[UUID]) -> list[ClientApprovalPolicy]:
    rows = ClientApprovalPolicy.objects.filter(client_id__in=clients).select_related("schedule")
    return list(rows.order_by("-starts", "-at", "-id"))


def wanted_of(run: PayRun) -> str:
    """What the client wants of a run: none, wanted or must."""
    return Wishes([run.client_id]).of(run.client_id, run.schedule_id, run.pay_date)


class Wishes:
    """What clients want of runs, asked once for many: also of runs that are not opened yet."""

    def __init__(self, clients: Sequence[UUID]) -> None:
        self._rows: dict[tuple[UUID, UUID | None], list[ClientApprovalPolicy]] = {}
        for row in _rows(clients):
            self._rows.setdefault((row.client_id, row.schedule_id), []).append(row)

    def of(self, client_id: UUID, schedule_id: UUID | None, pay_date: date) -> str:
        """none, wanted or must."""
        own = self._latest(client_id, schedule_id, pay_date) if schedule_id else ""
        if own and own != "as_client":
            return own
        return self._latest(client_id, None, pay_date) or "none"

    def _latest(self, client_id: UUID, schedule_id: UUID | None, pay_date: date) -> str:
        rows = self._rows.get((client_id, schedule_id), ())
        return next((row.wanted for row in rows if row.starts <= pay_date), "")
