"""Statutory payments of recorded sickness and parents' leave: what they go by, and what a run paid of them.

A run pays the days of its own period. What a claim goes by is found once, from what was paid before its
first day, and kept; where that cannot be found, somebody states it, and the person waits until then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from django.db import connection

from engineroom.foundation.commands import command
from engineroom.foundation.dated import lives_on
from engineroom.foundation.tenancy.scope import current_client_id
from engineroom.kernel.errors import EngineroomError, Problem, wrong_reason
from engineroom.payroll.items import country, of_person, refuse
from engineroom.payroll.jurisdictions import Claims, Found, jurisdiction
from engineroom.payroll.models import Claim, OnSchedule
from engineroom.payroll.sickness import paydays_before


def claim_rules() -> Claims:
    """Statutory payments of the client's country. Raises EngineroomError where a run works out none."""
    rules = jurisdiction(country()).claims
    if rules is None:
        raise EngineroomError("runs of this client's country work out no statutory payments")
    return rules


@dataclass(frozen=True)
class ClaimStated:
    claim_id: UUID
    person_id: UUID

    @property
    def subject(self) -> str:
        return f"person:{self.person_id}"


@command("payroll.prepare")
def state_claim(
    person_id: UUID,
    payment: str,
    first_day: date,
    figures: Mapping[str, int],
    *,
    reason: str,
    paid_until: date | None = None,
) -> ClaimStated:
    """Say what a statutory payment goes by: of parents' pay always, of sick pay where it cannot be found in
    what was paid, or was found wrong.

    first_day: of the first of linked stretches, or of the leave. paid_until: instead of earnings, the last
    day of the qualifying week: they are found in what was paid until then. What is stated last counts, from
    the next calculation on.
    """
    client_id = of_person(person_id)
    rules = claim_rules()
    found: Found | None = None
    problems = [*wrong_reason(reason)]
    if paid_until is not None:
        said = _found(person_id, rules, paid_until)
        if isinstance(said, Problem):
            problems.append(Problem(said.problem, said.remedy, field="paid_until"))
        else:
            found = said
            figures = {**figures, **said.figures}
    if paid_until is None or found:
        problems += rules.wrong(figures)
    if payment not in rules.elements:
        known = ", ".join(rules.elements)
        problem = f"a run works out no statutory payment {payment!r}"
        problems.append(Problem(problem, f"Use one of {known}", field="payment"))
    refuse(problems)
    row = Claim.objects.create(
        client_id=client_id,
        person_id=person_id,
        payment=payment,
        first_day=first_day,
        figures=dict(figures),
        period_from=found.period_from if found else None,
        period_until=found.period_until if found else None,
        reason=reason.strip(),
    )
    return ClaimStated(row.id, person_id)


def _found(person_id: UUID, rules: Claims, paid_until: date) -> Found | Problem:
    """The average earnings of somebody from their normal paydays up to a day."""
    after = paid_until + timedelta(days=1)
    on = OnSchedule.objects.filter(
        lives_on(paid_until), client_id=current_client_id(), person_id=person_id
    ).select_related("schedule")
    place = on.first()
    paid = paydays_before(after, 0, [person_id], rules.earned).get(person_id, [])
    return rules.find(after, place.schedule.frequency if place else "weekly", paid)


# --- questions --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ClaimView:
    """A claim with what published payslips paid of it. Minor units; days as they were paid."""

    row: Claim
    label: str
    paid: int
    days: int


PAID_OF = """
SELECT t.claim_id, sum(t.amount)::bigint, coalesce(sum((t.figures->>'days_paid')::int), 0)::bigint
FROM payroll_claimpaid t
JOIN payroll_payrun r ON r.client_id = t.client_id AND r.published_id = t.attempt_id
WHERE t.client_id = %s AND t.claim_id = ANY(%s) GROUP BY t.claim_id
"""


def claims(person_id: UUID | None = None, limit: int = 200) -> list[ClaimView]:
    """Claims, the latest first: of everybody, or of one person."""
    rows = Claim.objects.filter(client_id=current_client_id()).select_related("person")
    if person_id is not None:
        rows = rows.filter(person_id=person_id)
    found = list(rows.order_by("-first_day", "person__payroll_number", "-added_at")[:limit])
    if not found:
        return []
    with connection.cursor() as cursor:
        cursor.execute(PAID_OF, [current_client_id(), [row.id for row in found]])
        paid = {claim: (amount, days) for claim, amount, days in cursor.fetchall()}
    labels = claim_rules().labels
    return [ClaimView(row, labels.get(row.payment, row.payment), *paid.get(row.id, (0, 0))) for row in found]
