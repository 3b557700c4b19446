"""Templates for programs: read, checked, kept and published; a client beside its own, brought into line."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from ninja import Field, Schema
from pydantic import StringConstraints

from engineroom.foundation.api import (
    NO_NUL,
    Asked,
    Day,
    InputProblem,
    Name,
    ReasonAsked,
    Room,
    firm_only,
)
from engineroom.foundation.tenancy.models import Client
from engineroom.templates import document, drafts, selectors, services
from engineroom.templates.engine import WHOLE

router = Room("templates")

LONGEST_TEMPLATE = 400_000

TemplateText = Annotated[
    str, StringConstraints(min_length=1, max_length=LONGEST_TEMPLATE, pattern=r"^[^\x00]+$")
]
TemplateNote = Annotated[str, StringConstraints(max_length=drafts.LONGEST_NOTE, pattern=NO_NUL)]
TemplateMark = Annotated[str, StringConstraints(max_length=64, pattern=r"^[0-9a-f]*$")]
TemplateValue = Annotated[str, StringConstraints(max_length=300, pattern=NO_NUL)]


class TemplateListedOut(Schema):
    """A template. number: of its latest version; null while nothing is published."""

    key: str
    title: str
    number: int | None
    published_at: datetime | None


class TemplatesOut(Schema):
    """Every template of the firm, by title."""

    items: list[TemplateListedOut]


class TemplateVersionOut(Schema):
    """A published version; it never changes. sha256: of what it says."""

    number: int
    sha256: str
    note: str
    published_at: datetime
    published_by: str


class TemplateTextOut(Schema):
    """A template's text as it is worked on: the draft, else the latest version.

    mark: by which the kept text is known again; sent as `begun_from`, it keeps two writers apart.
    """

    key: str
    text: str
    mark: str
    versions: list[TemplateVersionOut]


class TemplateTextIn(Asked):
    """text: Markdown, as docs/templates.md has it."""

    text: TemplateText


class TemplateSaveIn(TemplateTextIn):
    """of: the template's key, where the text cannot say it. begun_from: the mark it was begun from."""

    of: Annotated[str, StringConstraints(max_length=60, pattern=NO_NUL)] = ""
    begun_from: TemplateMark | None = None


class TemplatePublishIn(TemplateTextIn):
    """note: what is new in this version. begun_from: the mark it was begun from."""

    note: TemplateNote = ""
    begun_from: TemplateMark | None = None


class TemplateCheckedOut(Schema):
    """A text as it was understood. key, sha256: empty while it holds no template."""

    key: str
    sha256: str
    values: int
    can_be_published: bool
    problems: list[InputProblem]


class TemplateSaved(Schema):
    """errors: what still keeps it from being published."""

    template_id: UUID
    key: str
    errors: int


class TemplatePublished(Schema):
    version_id: UUID
    key: str
    number: int
    sha256: str


class TemplateLineOut(Schema):
    """A value that the template says. own: the client's, where it has another; stands: null where it is not
    there. field: empty where the client is without the item.

    state: same, own, differs, missing or without. by_hand: somebody changed it since the version was applied.
    """

    part: str
    item: str
    field: str
    template: str
    own: str | None
    reason: str
    stands: str | None
    state: str
    by_hand: bool
    cannot: str


class FollowedTemplateOut(Schema):
    """What a client follows, value by value. key: empty where it follows none; latest: the latest
    version's number."""

    key: str
    number: int | None
    latest: int | None
    reason: str
    lines: list[TemplateLineOut]


class FollowIn(ReasonAsked):
    """number: a version; left out, the latest."""

    template: Name
    number: int | None = None


class FollowsOut(Schema):
    following_id: UUID
    template: str
    number: int | None


class OwnItemIn(ReasonAsked):
    """An item of the template that the client follows."""

    part: Name
    item: Name


class OwnFieldIn(OwnItemIn):
    """One field of it."""

    field: Name


class OwnValueIn(OwnFieldIn):
    """value: the client's own."""

    value: TemplateValue


class AsTemplateIn(OwnItemIn):
    """field: left out, the client has the whole item again."""

    field: Annotated[str, StringConstraints(max_length=60, pattern=NO_NUL)] = WHOLE


class OwnSaidOut(Schema):
    own_value_id: UUID
    part: str
    item: str
    field: str
    value: str


class ApplyTemplateIn(Asked):
    """starts: from which day what has days holds. only: `part/item` of what is put back; left out, all."""

    starts: Day
    reason: Annotated[str, StringConstraints(max_length=200, pattern=NO_NUL)] = ""
    only: Annotated[list[Name], Field(max_length=500)] | None = None


class RehearseTemplateIn(Asked):
    """template, number: what is rehearsed; the latest version without a number."""

    starts: Day
    template: Name
    number: int | None = None


class AppliedTemplateOut(Schema):
    """outcome: done, partly, nothing or failed; a line for each item in the lists."""

    outcome: str
    changed: list[str]
    kept: list[str]
    cannot: list[str]


# Addresses that are words stand before those that are keys, or a key would be read in their place.


@router.read("/templates", TemplatesOut, "Templates")
def templates(client: Client) -> TemplatesOut:
    """Those of the firm, drafts too."""
    firm_only("templates")
    items = [
        TemplateListedOut(key=t.key, title=t.title, number=t.number, published_at=t.published_at)
        for t in selectors.templates()
    ]
    return TemplatesOut(items=items)


@router.command("/templates/check", TemplateCheckedOut, "Check a template", permission="templates.prepare")
def check_template(client: Client, body: TemplateTextIn) -> TemplateCheckedOut:
    """What is wrong with a text, by line. Keeps nothing."""
    checked = document.check(body.text)
    return TemplateCheckedOut(
        key=checked.template.key if checked.template else "",
        sha256=checked.sha256,
        values=checked.template.count if checked.template else 0,
        can_be_published=checked.template is not None and not checked.errors,
        problems=[InputProblem(**p.as_dict()) for p in checked.problems],
    )


@router.command("/templates/save", TemplateSaved, "Keep a template's draft", permission="templates.prepare")
def save_template(client: Client, body: TemplateSaveIn) -> drafts.Saved:
    """On the house client, with what is still wrong in it. A conflict, where another was kept meanwhile."""
    return drafts.save_draft(body.text, of=body.of, begun_from=body.begun_from)


@router.command("/templates/publish", TemplatePublished, "Publish a template", permission="templates.approve")
def publish_template(client: Client, body: TemplatePublishIn) -> drafts.Published:
    """On the house client: frozen as the next version, or refused with every error it has."""
    return drafts.publish(body.text, note=body.note, begun_from=body.begun_from)


@router.read("/templates/{template}", TemplateTextOut, "A template's text and versions")
def template(client: Client, template: Name) -> TemplateTextOut:
    """What an editor begins with."""
    firm_only("templates")
    versions = [
        TemplateVersionOut(
            number=v.number, sha256=v.sha256, note=v.note, published_at=v.published_at,
            published_by=v.published_by,
        )
        for v in selectors.versions(template)
    ]  # fmt: skip
    text, mark = selectors.text_of(template), selectors.mark_of(template)
    return TemplateTextOut(key=template, text=text, mark=mark, versions=versions)


# --- of a client ----------------------------------------------------------------------------------------


@router.read("/template", FollowedTemplateOut, "What the client follows, and how it differs")
def followed_template(client: Client) -> FollowedTemplateOut:
    """Every value that the template says, with the client's own and what stands there."""
    firm_only("templates")
    found = selectors.followed()
    if found is None:
        return FollowedTemplateOut(key="", number=None, latest=None, reason="", lines=[])
    lines = [
        TemplateLineOut(
            part=line.value.part,
            item=line.value.item,
            field=line.value.field,
            template=line.value.template,
            own=line.value.own,
            reason=line.own.reason if line.own else "",
            stands=line.value.stands,
            state=line.value.state,
            by_hand=line.by_hand,
            cannot=line.why_not,
        )
        for line in selectors.compared_here().lines
    ]
    version = found.version
    return FollowedTemplateOut(
        key=version.template.key, number=version.number, latest=found.latest, reason=found.reason, lines=lines
    )


@router.command("/template/follow", FollowsOut, "Follow a template", permission="templates.prepare")
def follow(client: Client, body: FollowIn) -> services.Follows:
    """Changes nothing else."""
    return services.follow(body.template, number=body.number, reason=body.reason)


@router.command("/template/stop", FollowsOut, "Follow no template", permission="templates.prepare")
def stop_following(client: Client, body: ReasonAsked) -> services.Follows:
    """What stands at the client stays."""
    return services.stop_following(reason=body.reason)


@router.command("/template/otherwise", OwnSaidOut, "Have a value otherwise", permission="templates.prepare")
def have_otherwise(client: Client, body: OwnValueIn) -> services.OwnSaid:
    """Checked as the template's own values are."""
    return services.have_otherwise(body.part, body.item, body.field, body.value, reason=body.reason)


@router.command("/template/accept", OwnSaidOut, "Accept what stands", permission="templates.prepare")
def accept_as_own(client: Client, body: OwnFieldIn) -> services.OwnSaid:
    """As the client's own value from now on."""
    return services.accept_as_own(body.part, body.item, body.field, reason=body.reason)


@router.command("/template/without", OwnSaidOut, "Be without an item", permission="templates.prepare")
def be_without(client: Client, body: OwnItemIn) -> services.OwnSaid:
    """It is neither added nor compared at the client."""
    return services.be_without(body.part, body.item, reason=body.reason)


@router.command(
    "/template/as-template", OwnSaidOut, "Have it as the template again", permission="templates.prepare"
)
def have_as_template(client: Client, body: AsTemplateIn) -> services.OwnSaid:
    """Ends what the client has otherwise."""
    return services.have_as_template(body.part, body.item, body.field, reason=body.reason)


@router.command(
    "/template/rehearse", AppliedTemplateOut, "Rehearse a template", permission="templates.prepare"
)
def rehearse(client: Client, body: RehearseTemplateIn) -> services.Applied:
    """What would become of the client: done for once, and taken back."""
    return services.rehearse(body.template, body.number, body.starts)


@router.command("/template/apply", AppliedTemplateOut, "Apply the template", permission="templates.prepare")
def apply_template(client: Client, body: ApplyTemplateIn) -> services.Applied:
    """Bring what stands into line; what the client has otherwise is kept, what cannot be changed is said."""
    return services.apply_template(body.starts, reason=body.reason, only=body.only)
