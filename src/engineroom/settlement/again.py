"""Paying again what the bank returned: that one payee, in a file of its own, as a second person approved it.

The account may have been corrected since; another account waits for a second person where it is entered
(people/accounts.py). What is approved here is the amount and the account, by the hash of both; whoever
entered the account is a maker. PostgreSQL takes the file only once another person has released it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Literal
from uuid import UUID

from django.db import connection

from engineroom.foundation.approvals import canonical
from engineroom.foundation.approvals import services as approvals
from engineroom.foundation.commands import command
from engineroom.foundation.tenancy.scope import current_client_id
from engineroom.kernel.errors import Conflict, NotFound
from engineroom.settlement import services

SUBJECT = "payment"

Account = Literal["none", "same", "corrected"]


@dataclass(frozen=True)
class Returned:
    """A payment that came back, and what is left of it to be paid again: minor units.

    account: whether the payee has another account than the one it came back from. is_held: another one waits
    for a second person. content_hash: of what an approval binds.
    """

    payment_id: UUID
    item_id: UUID
    kind: str
    payee_id: UUID
    payee: str
    reference: str
    pays: str
    file: int
    left: int
    currency: str
    returned_on: date
    why: str
    account: Account
    is_held: bool
    fingerprint: bytes
    account_name: str
    approved_by: str
    approved_hash: bytes

    @property
    def content_hash(self) -> str:
        columns = [
            ("amount", self.left),
            ("currency", self.currency),
            ("payee", self.fingerprint),
            ("payee_name", self.account_name),
        ]
        return canonical.digest([canonical.line("payment_again", self.reference, columns)]).hex()

    @property
    def is_approved(self) -> bool:
        """Exactly as it stands now."""
        return self.approved_hash.hex() == self.content_hash


RETURNED = """
SELECT p.id, i.id, i.kind, p.payee_id, k.name, p.reference, o.reference, b.number,
  (-i.amount - coalesce((
    SELECT sum(a.amount) FROM openitems_allocation a
    WHERE a.client_id = i.client_id AND (a.item_a_id = i.id OR a.item_b_id = i.id)), 0))::bigint,
  i.currency, i.due,
  coalesce((
    SELECT coalesce(nullif(l.return_reason, ''), l.remittance) FROM settlement_cleared c
    JOIN settlement_bankline l ON l.client_id = c.client_id AND l.id = c.id
    WHERE c.client_id = i.client_id AND c.item_id = i.id LIMIT 1), ''),
  CASE WHEN now.id IS NULL THEN 'none' WHEN now.fingerprint = was.fingerprint THEN 'same'
    ELSE 'corrected' END,
  EXISTS (
    SELECT FROM people_accountproposal h WHERE h.client_id = i.client_id AND h.person_id = p.payee_id
      AND NOT EXISTS (SELECT FROM people_accountdecision d WHERE d.client_id = h.client_id AND d.id = h.id)),
  coalesce(now.fingerprint, ''::bytea), coalesce(now.account_name, ''), coalesce(yes.name, ''),
  coalesce(yes.content_hash, ''::bytea)
FROM openitems_openitem i
JOIN settlement_payment p ON p.client_id = i.client_id AND p.id = i.subject_id
JOIN settlement_paymentbatch b ON b.client_id = p.client_id AND b.id = p.batch_id
JOIN openitems_openitem o ON o.client_id = p.client_id AND o.id = p.item_id
JOIN openitems_counterparty k ON k.client_id = p.client_id AND k.id = p.payee_id
LEFT JOIN people_bankaccount now
  ON now.client_id = p.client_id AND now.person_id = p.payee_id AND now.ends IS NULL
LEFT JOIN people_bankaccount was ON was.client_id = p.client_id AND was.person_id = p.payee_id
  AND was.starts <= b.pay_date AND (was.ends IS NULL OR was.ends >= b.pay_date)
LEFT JOIN LATERAL (
  SELECT u.name, a.content_hash FROM foundation_approval a JOIN foundation_user u ON u.id = a.user_id
  WHERE a.client_id = p.client_id AND a.subject_kind = 'payment' AND a.subject_id = p.id
    AND NOT EXISTS (SELECT FROM foundation_approvalvoid v WHERE v.client_id = a.client_id AND v.id = a.id)
  ORDER BY a.at DESC, a.id DESC LIMIT 1) yes ON true
WHERE i.client_id = %(client)s AND i.subject_kind = 'payment'
  AND (%(payment)s::uuid IS NULL OR i.subject_id = %(payment)s)
ORDER BY i.due, p.reference
"""


def returned_payments() -> list[Returned]:
    """What came back and is still owed, the oldest first."""
    return [row for row in _rows(None) if row.left > 0]


def returned_payment(payment_id: UUID) -> Returned:
    """A payment that came back, also when it was paid again. Raises NotFound."""
    found = _rows(payment_id)
    if not found:
        raise NotFound(f"the bank returned no payment {payment_id}")
    return found[0]


def returned_named(reference: str) -> Returned:
    """By the payment's own reference, as its payee and the bank have it. Raises NotFound."""
    for row in returned_payments():
        if row.reference.lower() == reference.strip().lower():
            return row
    raise NotFound(f"no payment {reference!r} came back that is still owed; see `bank returned`")


def _rows(payment_id: UUID | None) -> list[Returned]:
    with connection.cursor() as cursor:
        cursor.execute(RETURNED, {"client": current_client_id(), "payment": payment_id})
        return [Returned(*map(_value, row)) for row in cursor.fetchall()]


def _value(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value


@dataclass(frozen=True)
class PayingAgainApproved:
    payment_id: UUID
    approval_id: UUID
    content_hash: str

    @property
    def subject(self) -> str:
        return f"{SUBJECT}:{self.payment_id}"


@command("settlement.approve")
def approve_paying_again(
    payment_id: UUID, *, content_hash: str, same_account: bool = False
) -> PayingAgainApproved:
    """Approve that what came back is paid again, to the account that stands; whoever entered that may not.

    same_account: it goes to the account that it came back from, as the bank takes it now.
    """
    found = _owed(payment_id)
    if found.account == "none":
        raise Conflict(f"{found.payee} has no account; enter one, and have it approved")
    if found.content_hash != content_hash:
        raise approvals.ContentChanged("the account or what is left changed since you looked; look again")
    if found.account == "same" and not same_account:
        raise Conflict(
            f"{found.payee} has the account still that it came back from; have a corrected one approved "
            "first, or say that the bank takes it now"
        )
    digest = bytes.fromhex(content_hash)
    approvals.void_if_changed(SUBJECT, payment_id, digest, "the account or what is left is another now")
    approvals.makers_of_parts(SUBJECT, payment_id, "person", [found.payee_id])
    approval = approvals.approve(SUBJECT, payment_id, digest)
    return PayingAgainApproved(payment_id, approval.id, content_hash)


@command("settlement.release")
def pay_again(payment_id: UUID, *, pay_date: date, own_account: str = "main") -> services.BatchReleased:
    """Write the file that pays it again, as another person approved; it holds nobody else."""
    found = _owed(payment_id)
    approvals.release(SUBJECT, payment_id, bytes.fromhex(found.content_hash))
    return services.write_file(
        (SUBJECT, payment_id),
        kind=found.kind,
        pay_date=pay_date,
        own_account=own_account,
        approved=lambda: {found.payee_id: found.fingerprint},
    )


def _owed(payment_id: UUID) -> Returned:
    found = returned_payment(payment_id)
    if found.left <= 0:
        raise Conflict(f"nothing is left of {found.reference}: it was paid again, or set against something")
    return found
