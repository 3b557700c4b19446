"""Questions about templates: the list, who follows what, and how what stands at clients differs from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db.models import OuterRef, Subquery

from engineroom.foundation.access.models import User
from engineroom.foundation.templated import PARTS, ItemChange
from engineroom.foundation.tenancy.scope import current_client_id
from engineroom.kernel.errors import NotFound
from engineroom.sop.drafts import mark_of as mark_of_text
from engineroom.templates import drafts, engine
from engineroom.templates.engine import WHOLE, Address, Value
from engineroom.templates.models import Following, Outcome, OwnValue, Template, Version

# --- templates ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Listed:
    """A template of the list. number: of the latest version; None while nothing is published. clients: of the
    scope's, how many follow it; behind: how many of them an earlier version."""

    key: str
    title: str
    number: int | None
    published_at: datetime | None
    has_draft: bool
    clients: int
    behind: int


def templates() -> list[Listed]:
    """Every template of the firm, by title, with the scope's clients that follow it."""
    newest = Version.objects.filter(template=OuterRef("pk")).order_by("-number")
    rows = Template.objects.annotate(
        number=Subquery(newest.values("number")[:1]),
        version_id=Subquery(newest.values("id")[:1]),
        published_at=Subquery(newest.values("published_at")[:1]),
        source=Subquery(newest.values("source")[:1]),
    ).order_by("title", "key")
    followed: dict[UUID, list[UUID]] = {}
    for one in following().values():
        followed.setdefault(one.version.template_id, []).append(one.version.id)
    return [
        Listed(
            row.key, row.title, row.number, row.published_at, bool(row.draft) and row.draft != row.source,
            len(followed.get(row.id, ())),
            sum(version != row.version_id for version in followed.get(row.id, ())),
        )
        for row in rows
    ]  # fmt: skip


def text_of(key: str) -> str:
    """What an editor begins with: the draft, else the latest version. Raises NotFound."""
    row = drafts.template_named(key)
    return row.draft or drafts.version_numbered(key).source


def mark_of(key: str) -> str:
    """By which an editor knows the kept text again that it began with."""
    row = Template.objects.filter(key=key).first()
    return mark_of_text(row.draft) if row else ""


@dataclass(frozen=True)
class VersionListed:
    id: UUID
    number: int
    sha256: str
    note: str
    published_at: datetime
    published_by: str


def versions(key: str) -> list[VersionListed]:
    """Published versions, the latest first. Raises NotFound for a template that is not there."""
    rows = list(Version.objects.filter(template=drafts.template_named(key)).order_by("-number"))
    names = names_of(row.published_by_id for row in rows)
    return [
        VersionListed(
            r.id, r.number, r.sha256, r.note, r.published_at, names.get(r.published_by_id or NOBODY, "")
        )
        for r in rows
    ]


NOBODY = UUID(int=0)


def names_of(ids: Iterable[UUID | None]) -> dict[UUID, str]:
    """Users' names."""
    wanted = {user for user in ids if user is not None}
    return dict(User.objects.filter(id__in=wanted).values_list("id", "name"))


# --- who follows, and with what of their own ------------------------------------------------------------


@dataclass(frozen=True)
class Followed:
    """What a client follows. is_behind: a later version is published."""

    client_id: UUID
    version: Version
    latest: int
    since: datetime
    reason: str
    by_user_id: UUID

    @property
    def is_behind(self) -> bool:
        return self.version.number < self.latest


def following(clients: Sequence[UUID] | None = None) -> dict[UUID, Followed]:
    """By client, of those that follow any; without clients, of all that the scope reads."""
    rows = Following.objects.all() if clients is None else Following.objects.filter(client_id__in=clients)
    latest = list(rows.order_by("client_id", "-at", "-id").distinct("client_id"))
    found = Version.objects.filter(id__in={r.version_id for r in latest}).select_related("template")
    by_id = {version.id: version for version in found}
    newest: dict[UUID, int] = {}
    of = {version.template_id for version in by_id.values()}
    for template, number in Version.objects.filter(template_id__in=of).values_list("template_id", "number"):
        newest[template] = max(newest.get(template, 0), number)
    return {
        row.client_id: Followed(
            row.client_id, version, newest[version.template_id], row.at, row.reason, row.by_user_id
        )
        for row in latest
        if row.version_id and (version := by_id.get(row.version_id))
    }


def followed() -> Followed | None:
    """What the scope's client follows."""
    client_id = current_client_id()
    return following([client_id]).get(client_id)


def own_values(clients: Sequence[UUID]) -> dict[UUID, dict[Address, OwnValue]]:
    """What each client has otherwise, as it stands now."""
    return {
        client: {address: row for address, row in said.items() if row.stands}
        for client, said in _last_said(clients).items()
    }


def _last_said(clients: Sequence[UUID]) -> dict[UUID, dict[Address, OwnValue]]:
    """The last word on each value, also where it was that the template's own holds again."""
    rows = OwnValue.objects.filter(client_id__in=clients)
    latest = rows.order_by("client_id", "part", "item", "field", "-at", "-id")
    found: dict[UUID, dict[Address, OwnValue]] = {client: {} for client in clients}
    for row in latest.distinct("client_id", "part", "item", "field"):
        found[row.client_id][(row.part, row.item, row.field)] = row
    return found


# --- what differs ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """A value of a client. own: what it has otherwise, with who said so and why. why_not: why it cannot be
    changed. by_hand: it stood as wanted once this version was applied, so somebody changed it since."""

    value: Value
    own: OwnValue | None = None
    why_not: str = ""
    by_hand: bool = False


@dataclass(frozen=True)
class Compared:
    """A client beside a version. applied_at: when this version was last applied there."""

    client_id: UUID
    version_id: UUID
    lines: tuple[Line, ...]
    stands: Mapping[str, engine.Items] = field(repr=False)
    applied_at: datetime | None = None

    @property
    def open(self) -> list[Line]:
        """What stands otherwise than it should."""
        return [line for line in self.lines if line.value.is_open]

    @property
    def own(self) -> list[Line]:
        return [line for line in self.lines if line.own is not None]

    @property
    def stuck(self) -> list[Line]:
        return [line for line in self.open if line.why_not]

    @property
    def by_hand(self) -> list[Line]:
        return [line for line in self.open if line.by_hand]

    @property
    def changes(self) -> list[engine.Change]:
        """What would be done."""
        return engine.changes([line.value for line in self.lines], self.stands)


def stands_at(clients: Sequence[UUID], said: engine.Parts) -> dict[UUID, dict[str, engine.Items]]:
    """What stands at each client of the parts that a template says; a few questions, however many clients."""
    found: dict[UUID, dict[str, engine.Items]] = {client: {} for client in clients}
    for key in said:
        for client, items in PARTS[key].read(clients).items():
            found[client][key] = items
    return found


def compared(clients: Mapping[UUID, UUID]) -> dict[UUID, Compared]:
    """Each client beside a version of its choice: the one it follows, or another one."""
    said_last, applied = _last_said(list(clients)), _applied(list(clients))
    found: dict[UUID, Compared] = {}
    for version_id in set(clients.values()):
        said = drafts.template_of(version_id).parts
        those = [client for client, version in clients.items() if version == version_id]
        for client, stands in stands_at(those, said).items():
            found[client] = _compared(
                client, version_id, said, said_last[client], stands, applied.get((client, version_id))
            )
    return found


def compared_here() -> Compared:
    """The scope's client beside what it follows. Raises NotFound."""
    found = followed()
    if found is None:
        raise NotFound("this client follows no template")
    return compared({found.client_id: found.version.id})[found.client_id]


def _applied(clients: Sequence[UUID]) -> dict[tuple[UUID, UUID], Outcome]:
    """By client and version, when it was last applied there."""
    rows = Outcome.objects.filter(client_id__in=clients, action__in=("follow", "apply"))
    latest = rows.exclude(outcome="failed").order_by("client_id", "version_id", "-at", "-id")
    return {(row.client_id, row.version_id): row for row in latest.distinct("client_id", "version_id")}


def _compared(
    client: UUID,
    version_id: UUID,
    said: engine.Parts,
    said_last: Mapping[Address, OwnValue],
    stands: Mapping[str, engine.Items],
    applied: Outcome | None,
) -> Compared:
    own = {address: row for address, row in said_last.items() if row.stands}
    values = engine.compare(said, {address: row.value for address, row in own.items()}, stands)
    why_not = {
        (change.part, change.item): PARTS[change.part].cannot(asked(change))
        for change in engine.changes(values, stands)
    }
    lines = tuple(
        Line(
            value,
            own.get(value.address),
            why_not.get((value.part, value.item), "") if value.is_open else "",
            value.is_open and _was_as_wanted(value, said_last, applied),
        )
        for value in values
    )
    return Compared(client, version_id, lines, stands, applied.at if applied else None)


def _was_as_wanted(value: Value, said_last: Mapping[Address, OwnValue], applied: Outcome | None) -> bool:
    """Whether it stood as it should once the version was applied, and nothing else was wanted since."""
    if applied is None or f"{value.part}/{value.item}" in applied.cannot_items:
        return False
    said = [said_last.get((value.part, value.item, name)) for name in (value.field, WHOLE)]
    return all(row is None or row.at < applied.at for row in said)


def asked(change: engine.Change) -> ItemChange:
    """A change as a room is asked for it."""
    return ItemChange(change.item, change.before, change.after, change.changed)


def in_words(change: engine.Change) -> str:
    """A change in one line: Pay schedules MONTHLY: cut_off_days 3, was 5."""
    part = PARTS[change.part].title
    if change.before is None:
        told = ", ".join(f"{name} {change.after[name] or 'none'}" for name in change.changed)
        return f"{part} {change.item}: new, {told}"
    told = ", ".join(
        f"{name} {change.after[name] or 'none'}, was {change.before.get(name) or 'none'}"
        for name in change.changed
    )
    return f"{part} {change.item}: {told}"


def kept_in_words(line: Line) -> str:
    """What a client keeps of its own, in one line."""
    value = line.value
    where = f"{PARTS[value.part].title} {value.item}"
    why = f": {line.own.reason}" if line.own else ""
    if value.field == WHOLE:
        return f"{where}: this client is without it{why}"
    return f"{where}: {value.field} {value.own or 'none'}, not {value.template or 'none'}{why}"


def history_of(limit: int = 100) -> list[tuple[OwnValue, str]]:
    """What was ever said otherwise at the scope's client, the latest first, and by whom."""
    rows = list(OwnValue.objects.filter(client_id=current_client_id()).order_by("-at", "-id")[:limit])
    names = names_of(row.by_user_id for row in rows)
    return [(row, names.get(row.by_user_id, "")) for row in rows]
