"""Links that open one thing once. Everything else that pages show belongs to a room below."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from engineroom.foundation.tenancy.models import ClientKey, ClientModel
from engineroom.openitems.models import Counterparty
from engineroom.people.models import Person


class Link(ClientModel):
    """What a mail leads to: one thing of one client, for one user or one person, until a moment.

    Of its token only the SHA-256 is kept. It reads and never approves, since who forwards a mail forwards its
    link; but a customer, who has no account, answers by it for one week of hours.
    """

    history = True

    sha256 = models.BinaryField()
    kind = models.CharField(max_length=20)
    """payslip or pay_run: what opens it is in `links.OPENS`."""
    subject_id = models.UUIDField()
    for_user_id = models.UUIDField(null=True)
    for_person = ClientKey(Person, null=True)
    for_customer = ClientKey(Counterparty, null=True)
    """Whom it was sent to: a user, a person who has no login, or somebody at a customer."""
    address = models.EmailField()
    expires_at = models.DateTimeField()
    by_user_id = models.UUIDField()
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "sha256"], name="link_token"),
            models.CheckConstraint(
                condition=models.Q(for_user_id__isnull=False)
                | models.Q(for_person__isnull=False)
                | models.Q(for_customer__isnull=False),
                name="link_is_for_somebody",
            ),
        ]
        indexes = [models.Index(fields=["client", "kind", "subject_id"], name="link_subject")]


class LinkUse(ClientModel):
    """The link was opened. Its id is the link's, so there is never a second one."""

    history = True

    id = None  # type: ignore[assignment]
    link = ClientKey(Link, primary_key=True, db_column="id")
    at = models.DateTimeField(db_default=Now(), editable=False)


class Mailing(ClientModel):
    """Letters that somebody had sent at once, about one subject. title: what they were, in words."""

    history = True

    kind = models.CharField(max_length=20)
    """payslips, approval or request: `letters.PREPARES`."""
    subject_kind = models.CharField(max_length=50)
    subject_id = models.UUIDField()
    title = models.CharField(max_length=200)
    by_user_id = models.UUIDField()
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        indexes = [models.Index(fields=["client", "at"], name="mailing_at")]


class Letter(ClientModel):
    """A letter to one address, with a link of its own; where that belongs in it stands a mark."""

    history = True

    mailing = ClientKey(Mailing)
    link = ClientKey(Link)
    subject = models.CharField(max_length=250)
    text = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["client", "link"], name="letter_of_link")]
        indexes = [models.Index(fields=["client", "mailing"], name="letter_mailing")]


class LetterTry(ClientModel):
    """What became of a letter when it was to be sent. One try of a letter succeeds, at most."""

    history = True

    letter = ClientKey(Letter)
    number = models.PositiveIntegerField()
    outcome = models.CharField(max_length=10)
    """sent; failed (it is tried again); refused or given_up (a person decides); left (it is not sent)."""
    said = models.CharField(max_length=300)
    """What the mail server said, or why it was left."""
    by_user_id = models.UUIDField()
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "letter", "number"], name="letter_try"),
            models.UniqueConstraint(
                fields=["client", "letter"], condition=models.Q(outcome="sent"), name="letter_sent_once"
            ),
            models.CheckConstraint(
                condition=models.Q(outcome__in=["sent", "failed", "refused", "given_up", "left"]),
                name="letter_outcome",
            ),
        ]
