"""What keeps a run from being approved or released: whom, and what to do about it."""

from __future__ import annotations

from collections.abc import Collection

from django.db import connection
from django.db.models import Q

from engineroom.foundation.approvals import services as approvals
from engineroom.foundation.approvals.models import Release
from engineroom.foundation.prepared import planned_anew
from engineroom.payroll.account_map import unmapped
from engineroom.payroll.inputs import REPLACEMENT, Missing, read_inputs
from engineroom.payroll.models import AttemptChunk, PayRun, Payslip
from engineroom.payroll.moved import moved_since
from engineroom.payroll.returned import open_comments


def blockers_of(run: PayRun) -> list[Missing]:
    """What keeps the run from being approved or released; each names the person and what to do. A released
    run has none.
    """
    return [] if approvals.released("pay_run", run.id) else blockers_of_unreleased(run)


@planned_anew()
def blockers_of_unreleased(run: PayRun) -> list[Missing]:
    """The same of a run that is known to be none."""
    found = [Missing(**p) for p in _problems_of(run)]
    if run.schedule_id is None:  # one of a schedule takes no hours in
        found += unpaid_of(run, {one.payroll_number for one in found})
    found += [
        Missing(
            str(before),
            "pay date",
            f"{before} of {before.pay_date} is not released, so figures to date may still move",
            "Release the earlier run first",
        )
        for before in _unreleased_before(run)
    ]
    found += [
        Missing(
            comment.payroll_number or str(run),
            "comment",
            f"it was returned: {comment.text}",
            "Answer the comment, or change what it is about and calculate again",
        )
        for comment in open_comments(run)
    ]
    found += unmapped(run)
    if run.kind == REPLACEMENT and run.corrects and approvals.released("pay_run", run.corrects.id) is None:
        found.append(Missing(str(run.corrects), "reversal", *REVERSE_FIRST))
    if _is_stale(run):
        problem = "hours, tax details, accounts or figures to date changed after it was calculated"
        found.append(Missing(str(run), "inputs", problem, "Calculate the run again"))
    return found


def _unreleased_before(run: PayRun) -> list[PayRun]:
    """Earlier runs of the tax year that pay somebody of this one too, and are calculated but not released."""
    earlier = PayRun.objects.filter(
        client_id=run.client_id,
        frequency=run.frequency,
        tax_year=run.tax_year,
        published__isnull=False,
    ).filter(Q(pay_date__lt=run.pay_date) | Q(pay_date=run.pay_date, number__lt=run.number))
    earlier = earlier.exclude(
        id__in=Release.objects.filter(client_id=run.client_id, subject_kind="pay_run").values("subject_id")
    )
    return [before for before in earlier.order_by("pay_date") if _pay_the_same(run, before)]


def _pay_the_same(run: PayRun, other: PayRun) -> bool:
    """Whether anybody has a published payslip of both runs."""
    theirs = Payslip.objects.filter(client_id=run.client_id, attempt=other.published)
    mine = Payslip.objects.filter(client_id=run.client_id, attempt=run.published)
    return mine.filter(person_id__in=theirs.values("person_id")).exists()


REVERSE_FIRST = (
    "what this run pays anew is not taken back yet",
    "Calculate, approve and release the reversal first, then calculate this run",
)

UNPAID = """
SELECT p.payroll_number, sum(e.minutes)::bigint, coalesce(max(s.minutes), 0)::bigint
FROM payroll_paidtimesheet pt
JOIN timesheets_timesheet t ON t.client_id = pt.client_id AND t.id = pt.id
JOIN timesheets_assignment a ON a.client_id = t.client_id AND a.id = t.assignment_id
JOIN people_person p ON p.client_id = a.client_id AND p.id = a.person_id
JOIN timesheets_timeentry e ON e.client_id = t.client_id AND e.timesheet_id = t.id
LEFT JOIN (
  SELECT s.client_id, s.person_id, s.amounts[array_position(k.elements, 'minutes_worked')] AS minutes
  FROM payroll_payslip s JOIN payroll_attempt k ON k.client_id = s.client_id AND k.id = s.attempt_id
  WHERE s.client_id = %(client)s AND s.attempt_id = %(attempt)s
) s ON s.client_id = p.client_id AND s.person_id = p.id
WHERE pt.client_id = %(client)s AND pt.run_id = %(run)s
GROUP BY p.client_id, p.id, p.payroll_number
HAVING sum(e.minutes) <> coalesce(max(s.minutes), 0) ORDER BY p.payroll_number COLLATE "C"
"""


def unpaid_of(run: PayRun, blocked: Collection[str]) -> list[Missing]:
    """People whose hours the run took in but whose payslip does not pay them all: released, a line lost.

    blocked: who has no payslip, and is named for it already.
    """
    with connection.cursor() as cursor:
        cursor.execute(UNPAID, {"client": run.client_id, "run": run.id, "attempt": run.published_id})
        return [
            Missing(
                number,
                "hours",
                f"{took} minutes were taken in, the payslip pays {paid}",
                "Calculate the run again",
            )
            for number, took, paid in cursor.fetchall()
            if number not in blocked
        ]


def why_without_payslip(run: PayRun, payroll_number: str) -> Missing | None:
    """What kept a person from a payslip when the run was calculated."""
    problems = _problems_of(run) if run.published_id else []
    return next((Missing(**p) for p in problems if p["payroll_number"] == payroll_number), None)


def _problems_of(run: PayRun) -> list[dict[str, str]]:
    chunks = AttemptChunk.objects.filter(client_id=run.client_id, attempt=run.published)
    return [p for problems in chunks.values_list("problems", flat=True) for p in problems]


def _is_stale(run: PayRun) -> bool:
    """Whether a calculation now would start from other inputs than the published one did."""
    if run.published is None or not moved_since(run, run.published):
        return False
    chunks = AttemptChunk.objects.filter(
        client_id=run.client_id, attempt=run.published, done_at__isnull=False
    )
    return any(
        read_inputs(run, c.first_person, c.last_person).hash() != bytes(c.inputs_hash or b"") for c in chunks
    )
