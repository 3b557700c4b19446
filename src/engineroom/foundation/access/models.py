"""Users, their tokens, and their dated, reasoned grants."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Self

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.hashers import check_password
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from engineroom.foundation.access.roles import ROLES, VERBS
from engineroom.foundation.tenancy.models import Client, FirmModel

KINDS = ("staff", "worker", "client", "employee", "system")


class User(AbstractBaseUser, FirmModel):
    """A human who signs in, or the system itself. What they may do is in their grants, never here.

    Where a signed-in user is needed, `sign_in.user_at_the_door` fills in `password` (its hash) and
    `last_login`; a user read like any other row has neither: they lie in a table that nobody reads.
    """

    password: Any = ""
    last_login: datetime | None = None

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=10, choices=[(k, k) for k in KINDS], default="staff")
    is_active = models.BooleanField(default=True)

    USERNAME_FIELD = "email"
    objects: ClassVar[BaseUserManager[Self]] = BaseUserManager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(kind__in=KINDS), name="user_kind_known"),
            # The system enters every client without a grant: there is never a second one.
            models.UniqueConstraint(
                fields=["kind"], condition=models.Q(kind="system"), name="one_system_user"
            ),
        ]

    def __str__(self) -> str:
        return self.email

    def check_password(self, raw_password: str) -> bool:
        """Without Django's rewriting of old hashes: a password is written by `sign_in.change_password`."""
        return check_password(raw_password, self.password)

    def has_usable_password(self) -> bool:
        """Django takes an empty hash for a usable one."""
        return bool(self.password) and super().has_usable_password()


class Credential(FirmModel):
    """A user's password hash. The app's role cannot read it: PostgreSQL's functions show one at the door."""

    user = models.OneToOneField(User, on_delete=models.PROTECT, related_name="+")
    password = models.CharField(max_length=200, default="")
    last_login = models.DateTimeField(null=True)
    changed_at = models.DateTimeField(null=True)


class Token(FirmModel):
    """A personal token for programs and the command line; only its SHA-256 is kept.

    clients, verbs: what it is narrowed to; null is everything that the user's grants allow. Never more.
    """

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="tokens")
    sha256 = models.BinaryField(unique=True)
    label = models.CharField(max_length=100, default="")
    issued_at = models.DateTimeField(db_default=Now(), editable=False)
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    clients = ArrayField(models.UUIDField(), null=True)
    verbs = ArrayField(models.CharField(max_length=10), null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(verbs__isnull=True)
                | models.Q(verbs__contained_by=list(VERBS), verbs__len__gt=0),
                name="token_verbs_known",
            ),
            models.CheckConstraint(
                condition=models.Q(clients__isnull=True) | models.Q(clients__len__gt=0),
                name="token_clients_named",
            ),
        ]


class Grant(FirmModel):
    """A user's dated, reasoned right to act on a client in a role. Nobody grants to themselves."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="grants")
    of_client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="grants")
    role = models.CharField(max_length=20, choices=[(r, r) for r in ROLES])
    starts = models.DateField()
    ends = models.DateField(null=True)
    reason = models.TextField()
    """Why it was given, and after that why it was ended, each time."""
    granted_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    granted_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(role__in=list(ROLES)), name="grant_role_known"),
            models.CheckConstraint(condition=~models.Q(reason=""), name="grant_has_a_reason"),
            models.CheckConstraint(
                condition=~models.Q(role="auditor") | models.Q(ends__isnull=False), name="auditor_grants_end"
            ),
        ]
        indexes = [models.Index(fields=["user", "of_client"], name="grant_user_client")]
