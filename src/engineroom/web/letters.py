"""Letters: written in the transaction that causes them, sent by a job after it, each once.

Whoever asks for letters waits for no mail server, and none that is away takes anything back. Rows are written
with the change; the job sends what has no try that succeeded, and notes every try with what the server said.
A server that is away is asked again for about a day. What it refuses for good, or what is given up, stands on
the mailing's page and on Today until somebody corrects the address and has it sent again, or leaves it.

A letter holds no token: where its link belongs stands a mark, and the token follows from the link's id and
the installation's secret key. So a letter can be sent again as it was, and the database opens nothing.

Sent once: a lock on the letter, and a unique key on the try that succeeded. If the machine dies between the
server's yes and our commit, the letter goes again with the same Message-ID, which mail programs show once; as
a file in the outbox it is the same file.
"""

from __future__ import annotations

import hashlib
import smtplib
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import connection
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import salted_hmac

from engineroom.foundation import duties
from engineroom.foundation.access import services as access
from engineroom.foundation.audit import services as audit
from engineroom.foundation.commands import command
from engineroom.foundation.duties import Duty
from engineroom.foundation.tenancy.scope import acting, current_client_id, current_scope
from engineroom.kernel.errors import Conflict, EngineroomError, NotFound, NotPermitted, reason_given
from engineroom.ui.display import format_count
from engineroom.web.models import Letter, LetterTry, Link, Mailing

DAYS = 14
"""A payslip waits while its reader is on holiday; after that they ask for it."""

LINK_MARK, REFERENCE_MARK = "{the link}", "{the reference}"

PREPARES = {
    "payslips": "payroll.prepare",
    "approval": "payroll.prepare",
    "request": "sop.work",
    "hours": "timesheets.prepare",
}
"""Kinds of mailing, and who may have one sent."""

JOB = "web.send_letters"
SAID_AT_MOST = 300
OVER = ("sent", "left")


class MailServerAway(EngineroomError):
    """The mail server takes nothing just now. The letters wait."""

    status = 503


# --- writing --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Draft:
    """A letter to be written, with a link of its own. Its words get the link and until when it opens."""

    link: Link
    subject: str
    template: str
    words: dict[str, object] = field(default_factory=dict)
    answered_by_reply: bool = False
    """The subject ends in the link's token, by which a reply is known; see `links.REFERENCE`."""


def new_link(
    kind: str,
    subject_id: UUID,
    address: str,
    *,
    user_id: UUID | None = None,
    person_id: UUID | None = None,
    customer_id: UUID | None = None,
) -> Link:
    """A row to be written."""
    scope = current_scope()
    link = Link(
        client_id=scope.client_id,
        kind=kind,
        subject_id=subject_id,
        for_user_id=user_id,
        for_person_id=person_id,
        for_customer_id=customer_id,
        address=address,
        expires_at=timezone.now() + timedelta(days=DAYS),
        by_user_id=scope.user.id,
    )
    link.sha256 = digest(token_of(link.id))
    return link


def token_of(link_id: UUID) -> str:
    """The token that opens a link: nobody without the secret key can tell it, and it is kept nowhere."""
    sealed = salted_hmac("engineroom.web.link", link_id.bytes, algorithm="sha256").digest()
    return urlsafe_b64encode(sealed).rstrip(b"=").decode()


def digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def url_of(link_id: UUID) -> str:
    return settings.BASE_URL + reverse("link", args=[link_id, token_of(link_id)])


def write(kind: str, subject: tuple[str, UUID], title: str, drafts: Sequence[Draft]) -> UUID | None:
    """Write the letters and queue their sending, in the running transaction. None, where there are none.

    title: what was mailed, as the page of jobs calls it.
    """
    if not drafts:
        return None
    scope = current_scope()
    mailing = Mailing.objects.create(
        client_id=scope.client_id,
        kind=kind,
        subject_kind=subject[0],
        subject_id=subject[1],
        title=title[:200],
        by_user_id=scope.user.id,
    )
    Link.objects.bulk_create(draft.link for draft in drafts)
    Letter.objects.bulk_create(_letter(mailing, draft) for draft in drafts)
    _queue(mailing)
    return mailing.id


def _letter(mailing: Mailing, draft: Draft) -> Letter:
    words = {**draft.words, "link": LINK_MARK, "until": draft.link.expires_at}
    subject = " ".join(draft.subject.split())[:200]
    if draft.answered_by_reply:
        words["reference"] = REFERENCE_MARK
        subject += f" [{REFERENCE_MARK}]"
    return Letter(
        client_id=mailing.client_id,
        mailing=mailing,
        link=draft.link,
        subject=subject,
        text=render_to_string(draft.template, words),
    )


def _queue(mailing: Mailing) -> None:
    from engineroom.web.tasks import send_letters_job

    send_letters_job.configure(lock=f"mail:{mailing.id}").defer(
        client_id=str(mailing.client_id), mailing_id=str(mailing.id)
    )


# --- sending --------------------------------------------------------------------------------------------

WAITING = """
SELECT l.id FROM web_letter l
LEFT JOIN LATERAL (SELECT t.outcome FROM web_lettertry t
  WHERE t.client_id = l.client_id AND t.letter_id = l.id ORDER BY t.number DESC LIMIT 1) t ON true
WHERE l.client_id = %s AND l.mailing_id = %s AND coalesce(t.outcome, '') NOT IN ('sent', 'left')
ORDER BY l.id
"""


@dataclass(frozen=True)
class Sent:
    """waiting: letters that the server did not take now, and why."""

    sent: int
    refused: int
    waiting: int
    why: str


def send(client_id: UUID, mailing_id: UUID, *, last_time: bool = False) -> Sent:
    """Send what is not sent of a mailing, letter by letter, each in a transaction of its own.

    last_time: what the server does not take now is given up, and shown to people. Outside `acting`.
    """
    system = access.system_user()
    with acting(system, read=[client_id]), connection.cursor() as cursor:
        cursor.execute(WAITING, [client_id, mailing_id])
        waiting = [row[0] for row in cursor.fetchall()]
    mailbox = get_connection()
    outcomes: dict[str, int] = {}
    why = ""
    for letter_id in waiting:
        with acting(system, write=client_id):
            outcome, said = _deliver(letter_id, mailbox)
        why = said or why
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
        if outcome == "away":
            break
    mailbox.close()
    left = len(waiting) - sum(n for outcome, n in outcomes.items() if outcome not in ("failed", "away"))
    refused = outcomes.get("refused", 0)
    if refused or (left and last_time):
        with acting(system, write=client_id):
            _give_up(mailing_id, why if last_time else "", refused)
    return Sent(outcomes.get("sent", 0), refused, left, why if left else "")


def _deliver(letter_id: UUID, mailbox: Any) -> tuple[str, str]:
    """One letter: what became of it, and what the server said."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"letter:{letter_id}"])
    letter = Letter.objects.select_related("link").get(client_id=current_client_id(), id=letter_id)
    last = _last_try(letter)
    if last and last.outcome in OVER:
        return last.outcome, ""
    outcome, said = _handed_over(letter, mailbox)
    _note(letter, last.number + 1 if last else 1, "failed" if outcome == "away" else outcome, said)
    return outcome, said


def _last_try(letter: Letter) -> LetterTry | None:
    return LetterTry.objects.filter(client_id=letter.client_id, letter=letter).order_by("number").last()


def _note(letter: Letter, number: int, outcome: str, said: str) -> None:
    LetterTry.objects.create(
        client_id=letter.client_id,
        letter=letter,
        number=number,
        outcome=outcome,
        said=said[:SAID_AT_MOST],
        by_user_id=current_scope().user.id,
    )


def _handed_over(letter: Letter, mailbox: Any) -> tuple[str, str]:
    """sent; refused, which another try cannot help; failed, which it can; away: none can be sent just now."""
    link = letter.link
    token = token_of(link.id)
    if digest(token) != bytes(link.sha256):
        return "refused", "the installation's secret key is another one since it was written; write it anew"
    if link.expires_at <= timezone.now():
        return "refused", "the link in it is too old to be sent; write it anew"
    reference = f"ref:{link.id.hex}.{token}"
    message = EmailMessage(
        letter.subject.replace(REFERENCE_MARK, reference),
        letter.text.replace(LINK_MARK, url_of(link.id)).replace(REFERENCE_MARK, reference),
        None,
        [link.address],
        headers={"Message-ID": f"<{letter.id}@engineroom>"},
    )
    try:
        mailbox.send_messages([message])
    except smtplib.SMTPRecipientsRefused as error:
        code, said = next(iter(error.recipients.values()))
        return ("refused" if code >= 500 else "failed"), _words(code, said)
    except smtplib.SMTPDataError as error:
        return ("refused" if error.smtp_code >= 500 else "failed"), _words(error.smtp_code, error.smtp_error)
    except smtplib.SMTPResponseException as error:
        return "away", _words(error.smtp_code, error.smtp_error)
    except (smtplib.SMTPException, OSError) as error:
        return "away", str(error) or type(error).__name__
    except ValueError as error:  # an address or a subject that cannot be written in a letter's head
        return "refused", str(error)
    return "sent", ""


def _words(code: int, said: bytes | str) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return f"{code} {' '.join(text.replace(chr(0), '').split())}"


def _give_up(mailing_id: UUID, why: str, refused: int) -> None:
    """With what is waiting given up, if it says why; and an event, so that people are shown it."""
    given_up = 0
    if why:
        for letter in _not_over(mailing_id):
            last = (
                LetterTry.objects.filter(client_id=letter.client_id, letter=letter).order_by("number").last()
            )
            if last is None or last.outcome == "failed":
                _note(letter, last.number + 1 if last else 1, "given_up", why)
                given_up += 1
    audit.record(
        "web.letters_not_delivered",
        subject_kind="mailing",
        subject_id=mailing_id,
        detail={"refused": refused, "given_up": given_up},
    )


def _not_over(mailing_id: UUID) -> list[Letter]:
    client_id = current_client_id()
    with connection.cursor() as cursor:
        cursor.execute(WAITING, [client_id, mailing_id])
        ids = [row[0] for row in cursor.fetchall()]
    return list(Letter.objects.filter(client_id=client_id, id__in=ids).order_by("id"))


# --- what people do about those that did not arrive -----------------------------------------------------


@dataclass(frozen=True)
class LettersQueued:
    mailing_id: UUID
    letters: int

    @property
    def subject(self) -> str:
        return f"mailing:{self.mailing_id}"


def find_mailing(mailing_id: UUID) -> Mailing:
    mailing = Mailing.objects.filter(client_id=current_client_id(), id=mailing_id).first()
    if mailing is None:
        raise NotFound("there is no such mailing")
    return mailing


def _prepared(mailing_id: UUID) -> tuple[Mailing, list[Letter]]:
    """What is not over of a mailing, for whoever may have it sent."""
    mailing = find_mailing(mailing_id)
    if not current_scope().may(PREPARES[mailing.kind]):
        raise NotPermitted(f"letters of this kind need the permission {PREPARES[mailing.kind]}")
    letters = _not_over(mailing_id)
    if not letters:
        raise Conflict("every letter of this mailing is sent or left")
    return mailing, letters


@command("foundation.read")
def send_again(mailing_id: UUID) -> LettersQueued:
    """Try once more to send what did not arrive, to the same addresses."""
    mailing, letters = _prepared(mailing_id)
    _queue(mailing)
    return LettersQueued(mailing_id, len(letters))


@command("foundation.read")
def leave_letters(mailing_id: UUID, *, reason: str) -> LettersQueued:
    """Send nothing more of a mailing, for a reason that is kept with each letter."""
    why = reason_given(reason, SAID_AT_MOST)
    _, letters = _prepared(mailing_id)
    leave(letters, why)
    return LettersQueued(mailing_id, len(letters))


def leave(letters: Iterable[Letter], reason: str) -> None:
    for letter in letters:
        last = _last_try(letter)
        _note(letter, last.number + 1 if last else 1, "left", reason)


def undelivered(link_kind: str, subject_ids: Sequence[UUID]) -> list[Letter]:
    """The letters about these things that were refused or given up."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT l.id FROM web_link k "
            "JOIN web_letter l ON l.client_id = k.client_id AND l.link_id = k.id "
            "JOIN LATERAL (SELECT t.outcome FROM web_lettertry t WHERE t.client_id = l.client_id "
            "  AND t.letter_id = l.id ORDER BY t.number DESC LIMIT 1) t ON true "
            "WHERE k.client_id = %s AND k.kind = %s AND k.subject_id = ANY(%s) "
            "  AND t.outcome IN ('refused', 'given_up')",
            [current_client_id(), link_kind, list(subject_ids)],
        )
        ids = [row[0] for row in cursor.fetchall()]
    return list(Letter.objects.filter(client_id=current_client_id(), id__in=ids).select_related("link"))


LOOK_BACK_DAYS = 30

NOT_ARRIVED = """
SELECT m.client_id, m.id, m.kind, m.title, count(*) FROM web_mailing m
JOIN web_letter l ON l.client_id = m.client_id AND l.mailing_id = m.id
JOIN LATERAL (SELECT t.outcome FROM web_lettertry t
  WHERE t.client_id = l.client_id AND t.letter_id = l.id ORDER BY t.number DESC LIMIT 1) t ON true
WHERE m.client_id = ANY(%s) AND m.at >= %s AND t.outcome IN ('refused', 'given_up')
GROUP BY m.client_id, m.id, m.kind, m.title
"""


@duties.register
def _duties(clients: Sequence[UUID], day: Any) -> list[Duty]:
    with connection.cursor() as cursor:
        cursor.execute(NOT_ARRIVED, [list(clients), day - timedelta(days=LOOK_BACK_DAYS)])
        return [
            Duty(
                client_id,
                f"{format_count(number, 'letter')} did not arrive",
                title,
                PREPARES[kind],
                ("letters", (mailing_id,)),
            )
            for client_id, mailing_id, kind, title, number in cursor.fetchall()
        ]


__all__ = ["Draft", "Sent", "new_link", "send", "send_again", "token_of", "url_of", "write"]
