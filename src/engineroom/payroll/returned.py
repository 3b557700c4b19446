"""Comments with which approvers returned a run: which are open, and how the others were answered.

A comment is answered by words, or by a change: the person's published payslip (of a comment on the run as a
whole, its content) is another than the one that was commented on. Nothing of this is stored twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from engineroom.foundation import prepared
from engineroom.payroll.models import PayRun

# Over comments `c` of a run `r`: o is the payslip as it was commented on, n as it is published now.
CHANGED = """CASE WHEN c.person_id IS NULL THEN r.content_hash IS DISTINCT FROM c.content_hash
  ELSE (n.amounts, n.tax_code, n.ni_category, n.payee_fingerprint)
    IS DISTINCT FROM (o.amounts, o.tax_code, o.ni_category, o.payee_fingerprint) END"""

SLIPS = """LEFT JOIN payroll_payslip o ON o.client_id = c.client_id AND o.attempt_id = c.attempt_id
    AND o.person_id = c.person_id
  LEFT JOIN payroll_payslip n ON n.client_id = c.client_id AND n.attempt_id = r.published_id
    AND n.person_id = c.person_id"""

OPEN_COUNT = f"""(
  SELECT count(*) FROM payroll_returnedcomment c
  {SLIPS}
  WHERE c.client_id = r.client_id AND c.run_id = r.id AND NOT {CHANGED} AND NOT EXISTS (
    SELECT FROM payroll_commentanswer a WHERE a.client_id = c.client_id AND a.id = c.id))"""  # noqa: S608 ours

COMMENTS = f"""
SELECT c.id, c.person_id, coalesce(p.payroll_number, ''), coalesce(p.name, ''), c.text,
  coalesce(u.name, ''), c.at, c.by_user_id, a.words, coalesce(w.name, ''), a.at, {CHANGED}
FROM payroll_returnedcomment c
JOIN payroll_payrun r ON r.client_id = c.client_id AND r.id = c.run_id
  {SLIPS}
LEFT JOIN people_person p ON p.client_id = c.client_id AND p.id = c.person_id
LEFT JOIN payroll_commentanswer a ON a.client_id = c.client_id AND a.id = c.id
LEFT JOIN foundation_user u ON u.id = c.by_user_id
LEFT JOIN foundation_user w ON w.id = a.by_user_id
WHERE c.client_id = %s AND c.run_id = %s ORDER BY c.at, c.id
"""  # noqa: S608 the pieces are ours


@dataclass(frozen=True)
class Comment:
    """by, answered_by: names, empty where the face does not show them. person_id: None, on the whole run."""

    id: UUID
    person_id: UUID | None
    payroll_number: str
    name: str
    text: str
    by: str
    at: datetime
    by_user_id: UUID
    answer: str | None
    answered_by: str
    answered_at: datetime | None
    changed: bool

    @property
    def state(self) -> Literal["open", "answered", "changed"]:
        if self.answer is not None:
            return "answered"
        return "changed" if self.changed else "open"

    @property
    def about(self) -> str:
        return f"{self.name} {self.payroll_number}" if self.person_id else "the run"


def comments(run: PayRun) -> list[Comment]:
    """Every comment on a run, oldest first."""
    return [Comment(*row) for row in prepared.rows(COMMENTS, [run.client_id, run.id])]


def open_comments(run: PayRun) -> list[Comment]:
    return [comment for comment in comments(run) if comment.state == "open"]
