"""Teams, absences, off-boardings: the firm's, not a client's. Why somebody is away is not asked."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from engineroom.foundation.access.models import User
from engineroom.foundation.tenancy.models import Client, FirmModel


class Team(FirmModel):
    """People who serve clients together. It never goes away: it ends."""

    name = models.CharField(max_length=100, unique=True)
    lead = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    ended = models.DateField(null=True)

    def __str__(self) -> str:
        return self.name


class OfTeam(FirmModel):
    """What a team has from a day on, until a day; never the same twice at once."""

    starts = models.DateField()
    ends = models.DateField(null=True)

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                condition=models.Q(ends=None) | models.Q(ends__gte=models.F("starts")), name="%(class)s_days"
            )
        ]


class Membership(OfTeam):
    """Somebody is in a team."""

    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")


class Serving(OfTeam):
    """A team serves a client."""

    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="servings")
    of_client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+")


class Absence(FirmModel):
    """Somebody is away, first and last day included, and who stands in. Called off, it stays as it was."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    starts = models.DateField()
    ends = models.DateField()
    stand_in = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    recorded_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    recorded_at = models.DateTimeField(db_default=Now(), editable=False)
    called_off_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(ends__gte=models.F("starts")), name="absence_days"),
            models.CheckConstraint(
                condition=models.Q(stand_in=None) | ~models.Q(stand_in=models.F("user")),
                name="absence_stand_in_is_another",
            ),
        ]


class OffBoarding(FirmModel):
    """Somebody left, why, and who took over. From then on they have no way in: PostgreSQL asks at commit."""

    history = True

    user = models.OneToOneField(User, on_delete=models.PROTECT, related_name="+")
    successor = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    reason = models.CharField(max_length=400)
    by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [models.CheckConstraint(condition=~models.Q(reason=""), name="offboarding_reason")]
