"""Approving, voiding, releasing. PostgreSQL decides who may not; here its refusal becomes a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

from django.db import connection, transaction
from django.db.utils import DatabaseError

from engineroom.foundation.approvals.models import Approval, ApprovalVoid, ContributionSource, Release
from engineroom.foundation.tenancy.scope import current_client_id, current_scope
from engineroom.kernel.errors import Conflict, NotPermitted


class MakerIsNotChecker(NotPermitted):
    """The user, or the one on whose behalf, made part of the subject, or approved what they would release."""


class NotApproved(Conflict):
    """There is no standing approval of exactly this content."""


class ContentChanged(Conflict):
    """What the checker saw is not what stands now."""


@contextmanager
def _explained() -> Iterator[None]:
    try:
        with transaction.atomic():
            yield
    except DatabaseError as error:
        if getattr(error.__cause__, "sqlstate", None) == "ER403":
            raise MakerIsNotChecker(str(error.__cause__).splitlines()[0]) from error
        raise


def takes_in(subject_kind: str, subject_id: UUID, part_kind: str, part_ids: list[UUID]) -> None:
    """Say that the subject includes the parts: their makers are its makers."""
    client_id = current_scope().client_id
    ContributionSource.objects.bulk_create(
        [
            ContributionSource(
                client_id=client_id,
                subject_kind=subject_kind,
                subject_id=subject_id,
                part_kind=part_kind,
                part_id=part_id,
            )
            for part_id in part_ids
        ],
        ignore_conflicts=True,
    )


def makers_of_parts(subject_kind: str, subject_id: UUID, part_kind: str, part_ids: Sequence[UUID]) -> None:
    """Whoever made one of the parts is a maker of the subject: for many small parts, a row a maker, not a
    part.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT take_in_makers(%s, %s, %s, %s)", [subject_kind, subject_id, part_kind, list(part_ids)]
        )


def standing(subject_kind: str, subject_id: UUID) -> Approval | None:
    """The latest approval that has not been voided."""
    client_id = current_client_id()
    voided = ApprovalVoid.objects.filter(client_id=client_id).values("approval_id")
    return (
        Approval.objects.filter(client_id=client_id, subject_kind=subject_kind, subject_id=subject_id)
        .exclude(id__in=voided)
        .order_by("-at", "-id")
        .first()
    )


def approve(subject_kind: str, subject_id: UUID, content_hash: bytes) -> Approval:
    """Record the acting user's yes to exactly this content. Their saying it twice is one approval.

    Somebody else's yes to the same content is a row of its own, so that a maker who says yes after the
    checker is refused like any other.
    """
    scope = current_scope()
    behalf = scope.on_behalf.id if scope.on_behalf else None
    before = standing(subject_kind, subject_id)
    if (
        before
        and bytes(before.content_hash) == content_hash
        and (before.user_id, before.on_behalf_id) == (scope.user.id, behalf)
    ):
        return before
    with _explained():
        return Approval.objects.create(
            client_id=current_scope().client_id,
            subject_kind=subject_kind,
            subject_id=subject_id,
            content_hash=content_hash,
            user_id=scope.user.id,
            on_behalf_id=behalf,
        )


def void_if_changed(subject_kind: str, subject_id: UUID, content_hash: bytes, reason: str) -> bool:
    """Void every standing approval that binds other content. Says whether one was voided."""
    voided = False
    while (before := standing(subject_kind, subject_id)) and bytes(before.content_hash) != content_hash:
        ApprovalVoid.objects.create(client_id=current_scope().client_id, approval=before, reason=reason)
        voided = True
    return voided


def release(subject_kind: str, subject_id: UUID, content_hash: bytes) -> Release:
    """Let the approved content out. Raises NotApproved, ContentChanged or MakerIsNotChecker."""
    scope = current_scope()
    approval = standing(subject_kind, subject_id)
    if approval is None:
        raise NotApproved(
            f"this {subject_kind.replace('_', ' ')} has no standing approval; have it approved first"
        )
    if bytes(approval.content_hash) != content_hash:
        raise ContentChanged(
            f"this {subject_kind.replace('_', ' ')} changed after it was approved; have it approved again"
        )
    with _explained():
        return Release.objects.create(
            client_id=current_scope().client_id,
            subject_kind=subject_kind,
            subject_id=subject_id,
            content_hash=content_hash,
            approval=approval,
            user_id=scope.user.id,
            on_behalf_id=scope.on_behalf.id if scope.on_behalf else None,
        )


def released(subject_kind: str, subject_id: UUID) -> Release | None:
    return Release.objects.filter(
        client_id=current_client_id(), subject_kind=subject_kind, subject_id=subject_id
    ).first()
