"""The kinds of table, and the two tables that everything hangs from.

Every table of ours declares its kind by its base class. `operations.py` gives each kind its guards in a
migration; a catalogue test fails on a table of no kind or without its guards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar
from uuid import UUID

from django.db import models
from django.db.models.functions import Now

from engineroom.kernel.ids import uuid7


class Guarded(models.Model):
    """What all our tables share: a uuid7 key made in Python, and a kind."""

    table_kind: ClassVar[str]
    history: ClassVar[bool] = False
    """True: rows are inserted, never changed or deleted, by anybody. Corrections are new rows."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)

    class Meta:
        abstract = True


class FirmModel(Guarded):
    """Belongs to the firm, not to a client. Seen by its own user, or from the firm's face."""

    table_kind = "firm"

    class Meta:
        abstract = True


class ReferenceModel(Guarded):
    """The same for everybody: calendars, rates, rules. Read by all, written by migrations and admins."""

    table_kind = "reference"

    class Meta:
        abstract = True


class Client(FirmModel):
    """A company the firm serves: the unit of isolation. The house client is the firm itself."""

    code = models.CharField(max_length=20, unique=True)
    name = models.CharField(max_length=200)
    is_house = models.BooleanField(default=False)
    jurisdiction = models.CharField(max_length=2, default="gb")
    currency = models.CharField(max_length=3, default="GBP")
    details = models.JSONField(default=dict)
    """What documents print: address, VAT and PAYE references, bank account to be paid to. No private data."""
    opened_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["is_house"], condition=models.Q(is_house=True), name="one_house_client"
            )
        ]

    def __str__(self) -> str:
        return self.code


class Installation(FirmModel):
    """One row: whether this database is a demonstration, and of which firm."""

    firm_name = models.CharField(max_length=200)
    is_demo = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(models.Value(1), name="one_installation")]


class ClientModel(Guarded):
    """Belongs to one client. (client_id, id) is unique, its replica identity, and what keys into it name."""

    table_kind = "client"

    client = models.ForeignKey(
        Client, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="+"
    )
    client_id: UUID

    class Meta:
        abstract = True


_ST = TypeVar("_ST")
_GT = TypeVar("_GT")

if TYPE_CHECKING:

    class _ForeignKey(models.ForeignKey[_ST, _GT]):
        """What a type checker sees; at run time Django's class takes no type parameters."""

else:

    class _ForeignKey(Generic[_ST, _GT], models.ForeignKey):
        """Takes type parameters, and ignores them."""


class ClientKey(_ForeignKey[_ST, _GT]):
    """A foreign key inside one client: joins match the client too, and the database holds (client_id, x_id).

    Django makes no constraint and no index of its own; `operations.ClientTable` makes both. Measured:
    annotate, prefetch and cascade work, and a join by both keys is never slower (facts/platform.md section
    9).

    indexed: False where nothing ever looks up by this key and the table is hot.
    implied: what else in the database holds the key, where the table is so hot that saying it twice costs:
    no constraint of its own is made, and a test goes around the application to show that it holds.
    """

    def __init__(self, to: Any, *, indexed: bool = True, implied: str = "", **kwargs: Any) -> None:
        self.indexed = indexed
        self.implied = implied
        kwargs.setdefault("on_delete", models.PROTECT)
        kwargs.setdefault("related_name", "+")
        kwargs["db_constraint"] = False
        kwargs["db_index"] = False
        super().__init__(to, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        if not self.indexed:
            kwargs["indexed"] = False
        if self.implied:
            kwargs["implied"] = self.implied
        return name, path, args, kwargs

    def get_joining_fields(self, reverse_join: bool = False) -> Any:
        base = super().get_joining_fields(reverse_join)
        ours = self.model._meta.get_field("client")
        theirs = self.remote_field.model._meta.get_field("client")
        return (*base, (theirs, ours) if reverse_join else (ours, theirs))
