"""Making promises to a client, and saying when its work counts. Both recount every case that runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from engineroom.foundation.commands import command
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.kernel.errors import Conflict, InputRefused, NotFound, Problem, too_long
from engineroom.quality.models import Hours, Promise
from engineroom.sop.hours import HoursRefused, hours_from
from engineroom.sop.models import Procedure

LONGEST_BUDGET_S = 400 * 24 * 3600
LONGEST_NAME = 100
LONGEST_REASON = 300
PAUSE_REASONS = ("client",)
"""What a case's clock can stand still for: the states in which cases wait for somebody else."""


@dataclass(frozen=True)
class PromiseMade:
    promise_id: UUID
    procedure_key: str
    budget_s: int

    @property
    def subject(self) -> str:
        return f"promise:{self.promise_id}"


@command("quality.prepare")
def promise(
    name: str,
    budget_s: int,
    *,
    procedure_key: str = "",
    pauses_for_client: bool = True,
    warn_percent: int = 80,
    reason: str = "",
) -> PromiseMade:
    """Promise a client that a case is done within so much working time. Cases that run count by it too.

    procedure_key: whose cases; empty for all that have no promise of their own.
    """
    problems = [*too_long("name", name, LONGEST_NAME), *too_long("reason", reason, LONGEST_REASON)]
    if not name.strip():
        problems.append(Problem("a promise has a name", "Name it as the client knows it", field="name"))
    if not 1 <= budget_s <= LONGEST_BUDGET_S:
        problems.append(
            Problem("the time promised is a second to 400 days", "Correct it", field="working time")
        )
    if not 1 <= warn_percent <= 100:
        problems.append(Problem("warn at 1 to 100 percent", "Correct it", field="warn"))
    if procedure_key and not Procedure.objects.filter(key=procedure_key).exists():
        raise NotFound(f"there is no procedure {procedure_key!r}")
    if problems:
        raise InputRefused(problems)
    return _written(
        procedure_key,
        name.strip(),
        budget_s,
        list(PAUSE_REASONS) if pauses_for_client else [],
        warn_percent,
        reason,
    )


@command("quality.prepare")
def end_promise(*, procedure_key: str = "", reason: str) -> PromiseMade:
    """Promise no more. What was counted stays countable from the log.

    Raises Conflict where nothing is promised.
    """
    problems = too_long("reason", reason, LONGEST_REASON)
    if not reason.strip():
        problems.append(Problem("ending a promise needs a reason", "Say why", field="reason"))
    if problems:
        raise InputRefused(problems)
    rows = Promise.objects.filter(client_id=current_scope().client_id, procedure_key=procedure_key)
    latest = rows.order_by("at", "id").last()
    if latest is None or not latest.budget_s:
        raise Conflict("nothing is promised there that could end")
    return _written(procedure_key, "none", 0, [], 80, reason)


def _written(
    procedure_key: str, name: str, budget_s: int, pauses: list[str], warn_percent: int, reason: str
) -> PromiseMade:
    row = Promise.objects.create(
        client_id=current_scope().client_id,
        procedure_key=procedure_key,
        name=name,
        budget_s=budget_s,
        pause_reasons=pauses,
        warn_percent=warn_percent,
        reason=reason.strip(),
        by_user_id=current_scope().user.id,
    )
    return PromiseMade(row.id, procedure_key, budget_s)


@dataclass(frozen=True)
class HoursSet:
    hours_id: UUID
    words: str

    @property
    def subject(self) -> str:
        return f"hours:{self.hours_id}"


@command("quality.prepare")
def set_hours(definition: dict[str, Any], *, whole: bool = False, reason: str = "") -> HoursSet:
    """Say when the client's work counts, from now on; whole: a correction, also of all that was.

    definition: as `WorkingHours.as_dict` writes it: zone, week, division, closed, special.
    """
    try:
        hours = hours_from(definition)
    except HoursRefused as error:
        raise InputRefused([Problem(str(error), "Correct it", field="hours")]) from error
    except (KeyError, TypeError, ValueError) as error:
        raise InputRefused(
            [Problem("these are no working hours", "Give zone and week, Monday first", field="hours")]
        ) from error
    if problems := too_long("reason", reason, LONGEST_REASON):
        raise InputRefused(problems)
    row = Hours.objects.create(
        client_id=current_scope().client_id,
        definition=hours.as_dict(),
        whole=whole,
        reason=reason.strip(),
        by_user_id=current_scope().user.id,
    )
    return HoursSet(row.id, hours.in_words())
