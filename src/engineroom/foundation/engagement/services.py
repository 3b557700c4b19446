"""Agreeing on terms, and ending them. What stood before stays as it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from engineroom.foundation import numbering
from engineroom.foundation.commands import command
from engineroom.foundation.engagement.models import BASES, SERVICES, Engagement
from engineroom.foundation.engagement.selectors import ServiceLine, all_terms, in_force
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.kernel.errors import Conflict, InputRefused, Problem, too_long
from engineroom.kernel.money import MAX_MINOR

LONGEST_LEVEL = 300
LONGEST_TERMS = 20_000
LONGEST_REASON = 300


@dataclass(frozen=True)
class TermsAgreed:
    engagement_id: UUID
    number: int
    starts: date

    @property
    def subject(self) -> str:
        return f"engagement:{self.engagement_id}"


@command("foundation.prepare")
def agree_terms(
    starts: date,
    *,
    agreed_on: date,
    agreed_with: str,
    services: list[ServiceLine],
    data_processing: str = "",
    reason: str = "",
) -> TermsAgreed:
    """Keep what was agreed with the client from a day on. Raises InputRefused with everything wrong.

    Terms of the same day as earlier ones take their place, those stay to be seen; so a slip is corrected.
    """
    _refuse([*_problems(agreed_with, services, data_processing), *too_long("reason", reason, LONGEST_REASON)])
    return _keep(starts, agreed_on, agreed_with.strip(), services, data_processing.strip(), reason.strip())


@command("foundation.prepare")
def end_engagement(from_day: date, *, agreed_on: date, agreed_with: str, reason: str) -> TermsAgreed:
    """From that day on the firm does nothing for the client. The data-processing terms go on being said.

    Raises Conflict where terms of a later day would bring it back: those are ended first.
    """
    before = in_force(from_day)
    if before is None or not before.lines:
        raise Conflict(f"nothing is agreed on {from_day} that could end")
    wrong = [] if reason.strip() else [Problem("the reason is empty", "Say why it ends", field="reason")]
    _refuse([*_who(agreed_with), *wrong, *too_long("reason", reason, LONGEST_REASON)])
    later = [t for t in all_terms() if t.starts > from_day and t.lines and not t.superseded]
    if later:
        named = " and ".join(f"terms {t.number} from {t.starts}" for t in later)
        raise Conflict(f"{named} would bring the engagement back; end it from their own day first")
    return _keep(from_day, agreed_on, agreed_with.strip(), [], before.data_processing, reason.strip())


def _keep(
    starts: date,
    agreed_on: date,
    agreed_with: str,
    services: Sequence[ServiceLine],
    data_processing: str,
    reason: str,
) -> TermsAgreed:
    scope = current_scope()
    row = Engagement(
        client_id=scope.client_id,
        starts=starts,
        agreed_on=agreed_on,
        agreed_with=agreed_with,
        services=[s.service for s in services],
        bases=[s.basis for s in services],
        prices_minor=[s.price_minor for s in services],
        levels=[s.level.strip() for s in services],
        data_processing=data_processing,
        reason=reason,
        by_user_id=scope.user.id,
        number=numbering.take("engagement"),
    )
    row.save(force_insert=True)
    return TermsAgreed(row.id, row.number, starts)


def _refuse(problems: list[Problem]) -> None:
    if problems:
        raise InputRefused(problems)


def _who(agreed_with: str) -> list[Problem]:
    if agreed_with.strip() and len(agreed_with) <= 200:
        return []
    remedy = "Name who agreed for the client, in up to 200 letters"
    return [Problem("it is not said who agreed", remedy, field="agreed_with")]


def _problems(agreed_with: str, services: Sequence[ServiceLine], data_processing: str) -> list[Problem]:
    found = _who(agreed_with)
    if not services:
        found.append(
            Problem("no service is named", "Name at least one, or end the engagement", field="services")
        )
    names = [s.service for s in services]
    for twice in sorted({n for n in names if names.count(n) > 1}):
        found.append(Problem(f"{twice} stands twice", "Say it once", field="services"))
    for line in services:
        found += _wrong_with(line)
    if len(data_processing.strip()) > LONGEST_TERMS:
        found.append(
            Problem(
                f"the data-processing terms have {len(data_processing.strip()):,} letters",
                f"Keep them below {LONGEST_TERMS:,}, and the rest in the contract",
                field="data_processing",
            )
        )
    return found


def _wrong_with(line: ServiceLine) -> list[Problem]:
    found = []
    if line.service not in SERVICES:
        known = ", ".join(SERVICES)
        return [Problem(f"there is no service {line.service!r}", f"Use one of: {known}", field="services")]
    if line.basis not in BASES:
        known = ", ".join(BASES)
        found.append(
            Problem(f"{line.service}: no basis {line.basis!r}", f"Use one of: {known}", field="services")
        )
    priced = line.basis != "included"
    if not 0 <= line.price_minor <= MAX_MINOR or priced != bool(line.price_minor):
        remedy = "Give a price above nothing" if priced else "Leave the price out: it is included"
        found.append(Problem(f"{line.service}: the price is not one", remedy, field=f"{line.service}_price"))
    if len(line.level) > LONGEST_LEVEL:
        remedy = f"Say it in {LONGEST_LEVEL} letters"
        found.append(Problem(f"{line.service}: too long", remedy, field=f"{line.service}_level"))
    return found
