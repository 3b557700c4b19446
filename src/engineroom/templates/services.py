"""What a client has of templates: which version it follows, what it has otherwise and why, and bringing what
stands there into line, through the commands of the rooms whose it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.db import DatabaseError, connection, transaction

from engineroom.foundation.commands import command
from engineroom.foundation.refusals import refusal
from engineroom.foundation.templated import PARTS, NotAValue, Part, parts
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.kernel.errors import (
    Conflict,
    EngineroomError,
    InputRefused,
    NotFound,
    NotPermitted,
    Problem,
    reason_given,
    whole,
)
from engineroom.kernel.ids import uuid7
from engineroom.templates import drafts, engine, selectors
from engineroom.templates.engine import WHOLE
from engineroom.templates.models import Following, Outcome, OwnValue, Version

LONGEST_WORDS = 2_000


@dataclass(frozen=True)
class Follows:
    """number: of the version that is followed from now on; None where none is."""

    following_id: UUID
    template: str
    number: int | None

    @property
    def subject(self) -> str:
        return f"template_following:{self.following_id}"


@command("templates.prepare")
def follow(template: str, *, number: int | None = None, reason: str) -> Follows:
    """Let the client follow a version of a template, the latest without a number. Changes nothing else: what
    stands is brought into line by `apply_template`."""
    reason = reason_given(reason)
    version = drafts.version_numbered(template, number)
    client = Client.objects.get(id=current_scope().client_id)
    country = drafts.template_of(version.id).country
    if country != client.jurisdiction:
        raise Conflict(
            f"{template} is for {country!r}, and this client's law is that of {client.jurisdiction!r}"
        )
    before = selectors.followed()
    if before and before.version.id == version.id:
        raise Conflict(f"this client follows version {version.number} of {template} already")
    return _followed(version, reason)


@command("templates.prepare")
def stop_following(*, reason: str) -> Follows:
    """Follow no template any more. What stands at the client stays as it is."""
    reason = reason_given(reason)
    before = selectors.followed()
    if before is None:
        raise Conflict("this client follows no template")
    return _followed(None, reason)


def _followed(version: Version | None, reason: str) -> Follows:
    scope = current_scope()
    row = Following.objects.create(
        client_id=scope.client_id,
        version_id=version.id if version else None,
        reason=reason,
        by_user_id=scope.user.id,
    )
    return Follows(row.id, version.template.key if version else "", version.number if version else None)


# --- what a client has otherwise ------------------------------------------------------------------------


@dataclass(frozen=True)
class OwnSaid:
    own_value_id: UUID
    part: str
    item: str
    field: str
    value: str

    @property
    def subject(self) -> str:
        return f"template_own_value:{self.own_value_id}"


@command("templates.prepare")
def have_otherwise(part: str, item: str, field: str, value: str, *, reason: str) -> OwnSaid:
    """Let the client have a value of its own where the template says another, and keep why."""
    reason = reason_given(reason)
    line = _line(part, item, field)
    try:
        text = PARTS[part].by_name[field].canonical(value)
    except NotAValue as error:
        raise InputRefused([Problem(f"{field}: {error}", "Correct it", field="value")]) from error
    _refuse_wrong(PARTS[part], item, field, text)
    if text == line.value.template:
        raise Conflict(f"the template says {text or 'nothing'} itself: there is nothing to have otherwise")
    if line.own and line.own.value == text:
        raise Conflict(f"this client has {text or 'nothing'} there already")
    return _own(part, item, field, text, reason)


@command("templates.prepare")
def accept_as_own(part: str, item: str, field: str, *, reason: str) -> OwnSaid:
    """Take what stands at the client, where it differs from the template, as the client's own from now on."""
    reason = reason_given(reason)
    line = _line(part, item, field)
    stands = line.value.stands
    if stands is None:
        raise Conflict(f"{item} is not there; say that this client is without it instead")
    if not line.value.is_open:
        raise Conflict(f"{field} of {item} stands as it should")
    if stands == line.value.template:
        return _own(part, item, field, "", reason, stands=False)
    return _own(part, item, field, stands, reason)


@command("templates.prepare")
def be_without(part: str, item: str, *, reason: str) -> OwnSaid:
    """Let the client be without an item of the template: it is neither added nor compared there."""
    reason = reason_given(reason)
    if any(line.value.field == WHOLE for line in _lines(part, item)):
        raise Conflict(f"this client is without {item} already")
    return _own(part, item, WHOLE, "", reason)


@command("templates.prepare")
def have_as_template(part: str, item: str, field: str = WHOLE, *, reason: str) -> OwnSaid:
    """End what the client has otherwise: the template's value is wanted there again. Without a field, that it
    is without the item."""
    reason = reason_given(reason)
    standing = selectors.own_values([current_scope().client_id])[current_scope().client_id]
    if (part, item, field) not in standing:
        raise NotFound(f"this client has nothing of its own at {' '.join(filter(None, (part, item, field)))}")
    return _own(part, item, field, "", reason, stands=False)


def _lines(part: str, item: str) -> list[selectors.Line]:
    """Of an item that the followed template says. Raises NotFound."""
    lines = [x for x in selectors.compared_here().lines if (x.value.part, x.value.item) == (part, item)]
    if not lines:
        raise NotFound(f"the template that this client follows says nothing of {part} {item}")
    return lines


def _line(part: str, item: str, field: str) -> selectors.Line:
    lines = _lines(part, item)
    found = next((line for line in lines if line.value.field == field), None)
    if found is None and lines[0].value.field == WHOLE:
        raise Conflict(f"this client is without {item}; let it have that as the template says first")
    if found is None:
        raise NotFound(f"the template that this client follows says no {field} of {item}")
    return found


def _refuse_wrong(part: Part, item: str, field: str, text: str) -> None:
    """Raises InputRefused where the item would be wrong with the value."""
    compared = selectors.compared_here()
    wanted = {
        x.value.field: x.value.wanted
        for x in compared.lines
        if (x.value.part, x.value.item) == (part.key, item)
    }
    country = drafts.template_of(compared.version_id).country
    if problems := list(part.check(country, {item: {**wanted, field: text}})):
        raise InputRefused(problems)


def _own(part: str, item: str, field: str, value: str, reason: str, *, stands: bool = True) -> OwnSaid:
    scope = current_scope()
    row = OwnValue.objects.create(
        client_id=scope.client_id,
        part=part,
        item=item,
        field=field,
        value=value,
        stands=stands,
        reason=reason,
        by_user_id=scope.user.id,
    )
    return OwnSaid(row.id, part, item, field, value)


# --- bringing into line ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Applied:
    """What became of the client, a line each. cannot: what could not be changed, and why."""

    outcome_id: UUID
    version_id: UUID
    outcome: str
    changed: list[str]
    kept: list[str]
    cannot: list[str]

    @property
    def subject(self) -> str:
        return f"template_outcome:{self.outcome_id}"


@command("templates.prepare")
def apply_template(
    starts: date,
    *,
    reason: str = "",
    only: list[str] | None = None,
    batch_id: UUID | None = None,
    action: str = "apply",
) -> Applied:
    """Bring what stands at the client into line with the template that it follows, but for what it has
    otherwise. What cannot be changed stays, and is said with why; the rest is changed all the same.

    starts: from which day what has days holds. only: `part/item` of what is put back, everything without.
    """
    found = selectors.followed()
    if found is None:
        raise Conflict("this client follows no template")
    if only is not None:
        refuse_unknown(only)
    _wait_for_others(found.client_id)
    told = _Told(f"{found.version.template.key} {found.version.number}", reason)
    for part in parts():
        _apply_part(part, found.version.id, starts, only, told)
    after = selectors.compared({found.client_id: found.version.id})[found.client_id]
    kept = [selectors.kept_in_words(line) for line in after.own] if only is None else []
    return _keep(found.version.id, batch_id or uuid7(), action, starts, told, kept)


def _wait_for_others(client_id: UUID) -> None:
    """Two who bring a client into line at once would both add what is missing: the second waits, and finds it
    there."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"template:{client_id}"])


class _Told:
    """What is said of a client while it is brought into line."""

    def __init__(self, version: str, reason: str) -> None:
        self.reason = whole(
            "reason", f"template {version}: {reason}" if reason else f"template {version}", 280
        )
        self.changed: list[str] = []
        self.cannot: list[str] = []
        self.cannot_items: list[str] = []

    def refuse(self, change: engine.Change, why: str) -> None:
        self.cannot.append(f"{selectors.in_words(change)}. {why[:1].upper()}{why[1:]}")
        self.cannot_items.append(f"{change.part}/{change.item}")

    @property
    def outcome(self) -> str:
        if self.cannot:
            return "partly"
        return "done" if self.changed else "nothing"


def _apply_part(part: Part, version_id: UUID, starts: date, only: list[str] | None, told: _Told) -> None:
    """Compared anew for each part: one that came before may have changed what stands here."""
    said = drafts.template_of(version_id).parts
    if part.key not in said:
        return
    client_id = current_scope().client_id
    own = selectors.own_values([client_id])[client_id]
    stands = {part.key: part.read([client_id])[client_id]}
    values = engine.compare({part.key: said[part.key]}, {at: row.value for at, row in own.items()}, stands)
    asked = []
    for change in engine.changes(values, stands):
        if only is not None and f"{change.part}/{change.item}" not in only:
            continue
        never = part.cannot(selectors.asked(change))
        if never:
            told.refuse(change, never)
        else:
            asked.append(change)
    if part.together and asked and _try(part, asked, starts, told) is None:
        return
    for change in asked:
        if why := _try(part, [change], starts, told):
            told.refuse(change, why)


def _try(part: Part, changes: Sequence[engine.Change], starts: date, told: _Told) -> str | None:
    """Make changes, all or none of them; why not, where the room refuses."""
    try:
        with transaction.atomic():
            part.apply([selectors.asked(change) for change in changes], starts, told.reason)
    except NotPermitted:
        return f"it needs the permission {part.permission}"
    except (EngineroomError, DatabaseError) as error:
        refused = refusal(error)
        if refused is None or refused.status >= 500:
            raise
        return _sentence(refused)
    told.changed += [selectors.in_words(change) for change in changes]
    return None


def _sentence(error: EngineroomError) -> str:
    problems: Sequence[Problem] = getattr(error, "problems", ())
    return "; ".join(map(str, problems)) if problems else str(error)


def _keep(
    version_id: UUID, batch_id: UUID, action: str, starts: date, told: _Told, kept: list[str]
) -> Applied:
    scope = current_scope()
    row = Outcome.objects.create(
        client_id=scope.client_id,
        batch_id=batch_id,
        action=action,
        version_id=version_id,
        starts=starts,
        outcome=told.outcome,
        changed=told.changed,
        kept=kept,
        cannot=told.cannot,
        cannot_items=told.cannot_items,
        by_user_id=scope.user.id,
    )
    return Applied(row.id, version_id, told.outcome, told.changed, kept, told.cannot)


class _TakenBack(Exception):
    """Carries what was done out of the savepoint that is rolled back."""

    def __init__(self, done: Applied) -> None:
        self.done = done


def rehearse(template: str, number: int | None, starts: date) -> Applied:
    """What would become of the client: done for once, and taken back. Nothing of it stays, not even a number.

    So what is said is what would be, with every refusal of every room. In a scope that writes the client."""
    version = drafts.version_numbered(template, number)
    try:
        with transaction.atomic():
            now = selectors.followed()
            if now is None or now.version.id != version.id:
                follow(template, number=version.number, reason="rehearsed")
            raise _TakenBack(apply_template(starts, reason="rehearsed", action="rehearse"))
    except _TakenBack as back:
        return back.done


@dataclass(frozen=True)
class OutcomeKept:
    outcome_id: UUID
    batch_id: UUID
    outcome: str

    @property
    def subject(self) -> str:
        return f"template_outcome:{self.outcome_id}"


@command("templates.read")
def keep_outcome(
    batch_id: UUID,
    version_id: UUID,
    starts: date,
    *,
    action: str,
    outcome: str,
    words: str = "",
    changed: list[str] | None = None,
    kept: list[str] | None = None,
    cannot: list[str] | None = None,
) -> OutcomeKept:
    """What became of a client whose part of a batch left nothing by itself: rehearsed, or failed; once."""
    scope = current_scope()
    who = scope.on_behalf or scope.user
    row, _ = Outcome.objects.get_or_create(
        client_id=scope.client_id,
        batch_id=batch_id,
        defaults={
            "action": action,
            "version_id": version_id,
            "starts": starts,
            "outcome": outcome,
            "words": words[:LONGEST_WORDS],
            "changed": changed or [],
            "kept": kept or [],
            "cannot": cannot or [],
            "cannot_items": [],
            "by_user_id": who.id,
        },
    )
    return OutcomeKept(row.id, batch_id, row.outcome)


def refuse_unknown(items: Sequence[str]) -> None:
    """Items named by whoever puts some of them back. Raises NotFound."""
    said = {f"{x.value.part}/{x.value.item}" for x in selectors.compared_here().lines}
    if unknown := sorted(set(items) - said):
        raise NotFound(f"the template that this client follows says nothing of {unknown[0]}")
