"""What CSV and QIF files of one shape mean: proposed by the file, confirmed by a person, remembered."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from engineroom.foundation.commands import command
from engineroom.foundation.tenancy.scope import current_client_id, current_scope
from engineroom.kernel.errors import InputRefused, NotFound, Problem
from engineroom.settlement.formats import mapped
from engineroom.settlement.models import OwnAccount, StatementLayout


@dataclass(frozen=True)
class LayoutConfirmed:
    layout_id: UUID
    account: str
    fingerprint: str

    @property
    def subject(self) -> str:
        return f"statement_layout:{self.layout_id}"


@command("settlement.prepare")
def confirm_layout(account: str, fingerprint: str, mapping: dict[str, object]) -> LayoutConfirmed:
    """Say what files of one shape mean, and which bank account they are of. Raises InputRefused, NotFound."""
    said = _mapping(mapping)
    if problems := mapped.problems_of(said):
        raise InputRefused(problems)
    if len(fingerprint) != 64 or fingerprint.strip("0123456789abcdef"):
        problem = Problem("the file's shape is not named", "Begin from the file again", field="fingerprint")
        raise InputRefused([problem])
    scope = current_scope()
    own = OwnAccount.objects.filter(client_id=scope.client_id, code=account).first()
    if own is None:
        raise NotFound(f"this client has no bank account called {account!r}")
    row = StatementLayout.objects.create(
        client_id=scope.client_id,
        own_account=own,
        fingerprint=fingerprint,
        mapping=said.as_dict(),
        by_user_id=scope.user.id,
    )
    return LayoutConfirmed(row.id, own.code, fingerprint)


def _mapping(said: dict[str, object]) -> mapped.Mapping:
    try:
        return mapped.Mapping.of(said)
    except (TypeError, ValueError):
        problem = "what the columns mean is not said in a form that we know"
        raise InputRefused([Problem(problem, "Begin from the file again", field="mapping")]) from None


def remembered(fingerprint: str) -> tuple[OwnAccount, mapped.Mapping] | None:
    """The account and the meaning of files of this shape, as last confirmed."""
    row = (
        StatementLayout.objects.filter(client_id=current_client_id(), fingerprint=fingerprint)
        .select_related("own_account")
        .order_by("-at", "-id")
        .first()
    )
    return None if row is None else (row.own_account, mapped.Mapping.of(row.mapping))
