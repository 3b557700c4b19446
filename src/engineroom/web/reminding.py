"""A client that was asked to approve a run and has not said yes: reminded as its day nears, then escalated.

A reminder goes to the approvers who were asked, a banking day before the yes is due; where it is due, or was,
the client's lead and owner at the bureau are told. Each once for the same content: the audit trail knows.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from engineroom.foundation import duties
from engineroom.foundation.access import services as access
from engineroom.foundation.access.models import User
from engineroom.foundation.access.selectors import grants_on
from engineroom.foundation.approvals import services as standing
from engineroom.foundation.audit.models import AuditEvent
from engineroom.foundation.commands import command
from engineroom.foundation.dated import is_over
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import acting
from engineroom.kernel.errors import Conflict, EngineroomError
from engineroom.payroll import selectors
from engineroom.payroll.blockers import blockers_of
from engineroom.payroll.client_approval import wanted_of
from engineroom.payroll.deadlines import approve_by
from engineroom.payroll.jurisdictions import jurisdiction
from engineroom.payroll.models import PayRun
from engineroom.payroll.services import find_run
from engineroom.ui.display import format_day
from engineroom.web import letters
from engineroom.web.links import approvers_to_ask, draft_to

log = logging.getLogger(__name__)

ASKED, REMINDED, ESCALATED = selectors.ASKING, "web.remind_approvers", "web.escalate_approval"

REMIND_BEFORE = 1
"""Banking days before the yes is due."""

ESCALATED_TO = ("lead", "owner")

WAITING = ("calculated", "checked", "waits-for-client")
"""States of a run that its client may still say yes to."""


@dataclass(frozen=True)
class Reminded:
    """told: how many were mailed. content_hash: of what they were asked to approve."""

    run_id: UUID
    told: int
    content_hash: str
    mailing_id: UUID | None = None

    @property
    def subject(self) -> str:
        return f"pay_run:{self.run_id}"


def _waiting(run_id: UUID, said: str) -> PayRun:
    """The run, held, if the client was asked and has not answered. Raises Conflict."""
    run = PayRun.objects.select_for_update().get(client_id=find_run(run_id).client_id, id=run_id)
    row = selectors.run_row(run.number)
    if row is None or row.is_released or row.is_client_approved or not row.is_calculated:
        raise Conflict(f"{run} does not wait for the client")
    if blockers_of(run):
        raise Conflict(f"{run} waits for the bureau and not for the client: solve what keeps it first")
    if selectors.approval_asked_at(run) is None:
        raise Conflict(f"the client was not asked to approve {run} as it stands; ask first")
    if _said_of(run, said):
        raise Conflict(f"that was said of {run} before, of exactly this content")
    return run


def _said_of(run: PayRun, verb: str) -> bool:
    assert run.content_hash is not None, "a calculated run has its hash"
    return AuditEvent.objects.filter(
        client_id=run.client_id,
        subject_kind="pay_run",
        subject_id=run.id,
        verb=verb,
        detail__result__content_hash=bytes(run.content_hash).hex(),
    ).exists()


@command("payroll.prepare")
def remind_approvers(run_id: UUID) -> Reminded:
    """Mail the client's approvers once more that the run waits for them, and until when. Once."""
    run = _waiting(run_id, REMINDED)
    people = approvers_to_ask(run)
    return _tell(run, people, "approval-reminder", "Reminder: please approve", "web/mail_remind.txt")


@command("payroll.prepare")
def escalate_approval(run_id: UUID) -> Reminded:
    """Tell the client's leads, and its owner, that the yes is overdue. Once."""
    run = _waiting(run_id, ESCALATED)
    today = duties.today()
    people = {
        grant.user.id: grant.user
        for grant in grants_on(run.client_id)
        if grant.role in ESCALATED_TO and grant.user.is_active and not is_over(grant, today)
    }
    return _tell(
        run, list(people.values()), "approval-overdue", "No approval yet of", "web/mail_escalate.txt"
    )


def _tell(run: PayRun, people: list[User], kind: str, opening: str, template: str) -> Reminded:
    if not people:
        raise Conflict(f"there is nobody to tell about {run}")
    client = Client.objects.get(id=run.client_id)
    subject = f"{opening} pay run {run.number} of {client.name}"
    day, by = format_day(run.pay_date), format_day(approve_by(jurisdiction(run.jurisdiction), run.pay_date))
    must = wanted_of(run) == "must"
    drafts = [
        draft_to(user, "pay_run", run.id, subject, template, run=run.number, day=day, by=by, must=must)
        for user in people
    ]
    mailing_id = letters.write(kind, ("pay_run", run.id), subject, drafts)
    assert run.content_hash is not None, "a calculated run has its hash"
    return Reminded(run.id, len(drafts), bytes(run.content_hash).hex(), mailing_id)


def remind_all(today: date) -> int:
    """Remind and escalate what is due, over all clients, for whoever asked them. Says how many mailings.

    One client's trouble leaves the others be.
    """
    system, done = access.system_user(), 0
    for client_id in access.all_client_ids():
        try:
            with acting(system, read=[client_id]):
                due = _due(client_id, today)
            for run_id, asked_by, escalates in due:
                with acting(system, write=client_id, on_behalf=access.identity(asked_by)):
                    (escalate_approval if escalates else remind_approvers)(run_id)
                done += 1
        except EngineroomError as refused:
            log.info("client %s: no reminder: %s", client_id, refused)
        except Exception:
            log.exception("client %s: its approvers could not be reminded", client_id)
    return done


def _due(client_id: UUID, today: date) -> list[tuple[UUID, UUID, bool]]:
    """Runs of a client to be reminded of now, by whom the client was asked, and whether it is overdue."""
    found = []
    for row in selectors.unreleased([client_id], today):
        run = PayRun.objects.get(client_id=client_id, id=row.id)
        if row.state.code not in WAITING or selectors.approval_asked_at(run) is None:
            continue
        law = jurisdiction(row.jurisdiction)
        by = approve_by(law, row.pay_date)
        escalates = today >= by
        near = today >= law.banks.add(by, -REMIND_BEFORE)
        if not near or _said_of(run, ESCALATED if escalates else REMINDED):
            continue
        if standing.released("pay_run", run.id) is None and (asked := _asked_by(run)):
            found.append((row.id, asked, escalates))
    return found


def _asked_by(run: PayRun) -> UUID | None:
    asked = AuditEvent.objects.filter(
        client_id=run.client_id, subject_kind="pay_run", subject_id=run.id, verb=ASKED
    )
    event = asked.order_by("-at").first()
    return (event.on_behalf_id or event.user_id) if event else None
