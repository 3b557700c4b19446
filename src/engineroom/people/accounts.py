"""Where people are paid: a first account is written, any other waits for a second person.

Most theft from payrolls is a change of account. So a change is proposed; another person approves exactly it,
by its hash; until then the old account stands, and runs of that person say what is held.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from engineroom.foundation.approvals import canonical
from engineroom.foundation.approvals import services as approvals
from engineroom.foundation.commands import command
from engineroom.foundation.crypto.fields import DOTS, encrypted_field, reveal
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.kernel.errors import (
    Conflict,
    InputRefused,
    NotFound,
    NotPermitted,
    Problem,
    reason_given,
    too_long,
)
from engineroom.people.models import (
    AccountDecision,
    AccountPolicy,
    AccountProposal,
    BankAccount,
    Person,
)
from engineroom.people.selectors import holds_first_accounts

SUBJECT = "account_change"


FROM_A_FILE = "brought in by a file"


@dataclass(frozen=True)
class Payee:
    """An account as a command is given it. What a command is given stands in the audit trail for ever; of
    this that is a hash, and the digits are in none of its fields."""

    said: str

    account_name = sort_code = account_number = ""
    fingerprint = b""

    @classmethod
    def of(cls, account_name: str, sort_code: str, account_number: str) -> Payee:
        """Raises InputRefused where they are no account of the country's form."""
        sort, number = digits_of(sort_code, 6), digits_of(account_number, 8)
        wrong = [] if sort else [Problem(NO_SORT_CODE, WRITE_SORT_CODE, field="sort_code")]
        wrong += [] if number else [Problem(NO_NUMBER, WRITE_NUMBER, field="account_number")]
        wrong += too_long("account_name", account_name, 100)
        if wrong or sort is None or number is None:
            raise InputRefused(wrong)
        mark = fingerprint(current_scope().client_id, sort, number)
        made = cls(hashlib.sha256(mark + account_name.strip().encode()).hexdigest())
        private = {
            "account_name": account_name.strip(), "sort_code": sort, "account_number": number,
            "fingerprint": mark,
        }  # fmt: skip
        for name, value in private.items():
            object.__setattr__(made, name, value)
        return made


NO_SORT_CODE, WRITE_SORT_CODE = "this is not a sort code", "Write six digits, as 20-00-00 or 200000"
NO_NUMBER = "this is not an account number"
WRITE_NUMBER = "Write eight digits; put zeros in front if shorter"


def digits_of(text: str, count: int) -> str | None:
    """So many digits, whatever separates them; None if they are not so many."""
    digits = text.replace("-", "").replace(" ", "")
    return digits if len(digits) == count and digits.isascii() and digits.isdigit() else None


def fingerprint(client_id: UUID, sort_code: str, account_number: str) -> bytes:
    """Keyed hash of an account: equal accounts of a client have equal fingerprints, and nothing can be read
    off it."""
    return encrypted_field(BankAccount, "account_number").fingerprint(
        client_id, f"{sort_code}{account_number}"
    )


@dataclass(frozen=True)
class AccountAsked:
    """held: it waits for another person, who approves `content_hash`; else it was written."""

    person_id: UUID
    held: bool
    proposal_id: UUID | None = None
    content_hash: str = ""

    @property
    def subject(self) -> str:
        return f"person:{self.person_id}"


@dataclass(frozen=True)
class AccountDecided:
    person_id: UUID
    proposal_id: UUID
    outcome: str

    @property
    def subject(self) -> str:
        return f"person:{self.person_id}"


@command("people.prepare")
def propose_account(person_id: UUID, payee: Payee, *, starts: date, reason: str) -> AccountAsked:
    """Where a person is paid from a day on. The first account is written; another one waits for a second
    person, and the one before stands until then."""
    reason = reason_given(reason)
    person = Person.objects.filter(client_id=current_scope().client_id, counterparty_id=person_id).first()
    if person is None:
        raise NotFound(f"there is no person {person_id}")
    standing = standing_account(person_id)
    if standing and bytes(standing.fingerprint) == payee.fingerprint:
        raise Conflict("this is the account on file already")
    if standing and starts <= standing.starts:
        remedy = f"Give {standing.starts + timedelta(days=1)} or later: what was used is not changed"
        problem = f"the account on file stands since {standing.starts}"
        raise InputRefused([Problem(problem, remedy, field="starts")])
    if not waits(person_id):
        write_account(person, starts, payee, None)
        return AccountAsked(person_id, held=False)
    held = hold(person, starts, payee, reason)
    return AccountAsked(person_id, True, held.id, bytes(held.content_hash).hex())


def standing_account(person_id: UUID) -> BankAccount | None:
    """The account that has no last day."""
    return BankAccount.objects.filter(
        client_id=current_scope().client_id, person_id=person_id, ends=None
    ).first()


def waits(person_id: UUID) -> bool:
    """Whether an account of this person waits for a second person: any but the first, or by policy all."""
    client_id = current_scope().client_id
    had = BankAccount.objects.filter(client_id=client_id, person_id=person_id).exists()
    return had or holds_first_accounts()


def content_of(payroll_number: str, starts: date, account_name: str, mark: bytes) -> bytes:
    """What an approval binds."""
    columns = [("starts", starts), ("account_name", account_name), ("fingerprint", mark)]
    return hashlib.sha256(canonical.line("account", payroll_number, columns).encode()).digest()


def hold(person: Person, starts: date, payee: Payee, reason: str) -> AccountProposal:
    """Keep what is proposed. What was held of the person before is not any more."""
    client_id, who = person.client_id, current_scope().user.id
    for before in held_of(person.counterparty_id):
        AccountDecision.objects.create(
            client_id=client_id,
            proposal=before,
            outcome="superseded",
            reason="another account was proposed",
            by_user_id=who,
        )
    return AccountProposal.objects.create(
        client_id=client_id,
        person=person,
        starts=starts,
        account_name=payee.account_name,
        sort_code=encrypted_field(AccountProposal, "sort_code").seal(client_id, payee.sort_code),
        account_number=encrypted_field(AccountProposal, "account_number").seal(
            client_id, payee.account_number
        ),
        fingerprint=payee.fingerprint,
        content_hash=content_of(person.payroll_number, starts, payee.account_name, payee.fingerprint),
        reason=reason,
        by_user_id=who,
    )


def held_of(person_id: UUID) -> list[AccountProposal]:
    """What waits for a second person, of one person."""
    client_id = current_scope().client_id
    decided = AccountDecision.objects.filter(client_id=client_id).values("proposal_id")
    return list(
        AccountProposal.objects.filter(client_id=client_id, person_id=person_id).exclude(id__in=decided)
    )


def write_account(person: Person, starts: date, payee: Payee, proposal: AccountProposal | None) -> None:
    """The account from the day on, and the last day of the one before."""
    client_id = person.client_id
    BankAccount.objects.filter(client_id=client_id, person_id=person.counterparty_id, ends=None).update(
        ends=starts - timedelta(days=1)
    )
    BankAccount.objects.create(
        client_id=client_id,
        person=person,
        starts=starts,
        account_name=payee.account_name or person.name,
        sort_code=encrypted_field(BankAccount, "sort_code").seal(client_id, payee.sort_code),
        account_number=encrypted_field(BankAccount, "account_number").seal(client_id, payee.account_number),
        fingerprint=payee.fingerprint,
        proposal=proposal,
    )


@command("people.approve")
def approve_account(proposal_id: UUID, *, content_hash: str) -> AccountDecided:
    """Another person's yes to exactly this account: from its day on the person is paid into it."""
    held = _held(proposal_id)
    person = held.person
    now = content_of(person.payroll_number, held.starts, held.account_name, bytes(held.fingerprint))
    if now.hex() != content_hash or now != bytes(held.content_hash):
        raise approvals.ContentChanged("this is not the account that is held now; look again")
    standing = standing_account(person.counterparty_id)
    if standing and standing.starts >= held.starts:
        raise Conflict(f"the account on file stands since {standing.starts}: refuse this one, and ask anew")
    approvals.approve(SUBJECT, held.id, now)
    write_account(person, held.starts, _opened(held), held)
    return _decide(held, "approved", "")


@command("people.approve")
def refuse_account(proposal_id: UUID, *, reason: str) -> AccountDecided:
    """The account on file stands; what was held is not any more."""
    return _decide(_held(proposal_id), "refused", reason_given(reason))


@command("people.prepare")
def withdraw_account(proposal_id: UUID, *, reason: str) -> AccountDecided:
    """Take back what was proposed and not approved yet."""
    return _decide(_held(proposal_id), "withdrawn", reason_given(reason))


@dataclass(frozen=True)
class PolicySet:
    hold_first: bool


@command("people.approve")
def set_account_policy(hold_first: bool, *, reason: str) -> PolicySet:
    """Whether first accounts of this client wait for a second person too."""
    scope = current_scope()
    AccountPolicy.objects.create(
        client_id=scope.client_id,
        hold_first=hold_first,
        reason=reason_given(reason),
        by_user_id=scope.user.id,
    )
    return PolicySet(hold_first)


def _held(proposal_id: UUID) -> AccountProposal:
    client_id = current_scope().client_id
    held = (
        AccountProposal.objects.filter(client_id=client_id, id=proposal_id).select_related("person").first()
    )
    if held is None:
        raise NotFound(f"there is no proposed account {proposal_id}")
    decided = AccountDecision.objects.filter(client_id=client_id, proposal_id=proposal_id).first()
    if decided is not None:
        raise Conflict(f"this account was {decided.outcome} already")
    return held


def _opened(held: AccountProposal) -> Payee:
    """Out of one sealed column, into the other: whoever approves may see it."""
    purpose = "write the account that was approved"
    [sort_code] = reveal([held], "sort_code", purpose=purpose)
    [number] = reveal([held], "account_number", purpose=purpose)
    if DOTS in (sort_code, number):
        raise NotPermitted("your role does not see bank data, so it cannot approve an account")
    return Payee.of(held.account_name, sort_code or "", number or "")


def _decide(held: AccountProposal, outcome: str, reason: str) -> AccountDecided:
    AccountDecision.objects.create(
        client_id=held.client_id,
        proposal=held,
        outcome=outcome,
        reason=reason,
        by_user_id=current_scope().user.id,
    )
    return AccountDecided(held.person_id, held.id, outcome)


@dataclass(frozen=True)
class FromFile:
    """A row of a file that names an account which is not the one on file."""

    person: Person
    starts: date
    payee: Payee


def hold_from_file(rows: Sequence[FromFile], commit_id: UUID) -> int:
    """Propose the accounts of a file, unless the same is held already. Whoever uploaded it is a maker too."""
    held = 0
    for row in rows:
        content = content_of(
            row.person.payroll_number, row.starts, row.payee.account_name, row.payee.fingerprint
        )
        if any(bytes(p.content_hash) == content for p in held_of(row.person.counterparty_id)):
            continue
        proposal = hold(row.person, row.starts, row.payee, FROM_A_FILE)
        approvals.takes_in(SUBJECT, proposal.id, "import", [commit_id])
        held += 1
    return held
