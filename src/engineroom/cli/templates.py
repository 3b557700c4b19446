"""`engineroom templates`: what many clients have alike, who follows it, and bringing clients into line."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engineroom.cli import show
from engineroom.cli.arguments import Client, Reason
from engineroom.cli.ground import ground, house_of, identity, on_the_ground, reading, seal_everything, writing
from engineroom.kernel.errors import EngineroomError, NotFound, NotPermitted
from engineroom.ui.display import format_count, format_moment

if TYPE_CHECKING:
    from uuid import UUID

    from engineroom.foundation.tenancy.scope import Identity
    from engineroom.templates import batch
    from engineroom.templates.selectors import Line

app = typer.Typer(no_args_is_help=True, help="Shared templates: what many clients have alike.")

Key = Annotated[str, typer.Argument(help="the template's key")]
Version = Annotated[int | None, typer.Option(help="this version and not the latest")]
Part = Annotated[str, typer.Argument(help="the part, such as pay_schedules")]
Item = Annotated[str, typer.Argument(help="the item, such as MONTHLY")]
FieldName = Annotated[str, typer.Argument(help="the field, such as cut_off_days")]
Starts = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d"], help="from which day what has days holds; today without it"),
]
Clients = Annotated[str, typer.Option(help="codes, comma between; without, all of yours that follow it")]

READ = "templates.read"


def _mine(user: Identity) -> dict[UUID, str]:
    """Clients whose templates the user may read, with their codes."""
    from engineroom.foundation.access.roles import may
    from engineroom.foundation.access.sign_in import clients_of

    found = {client.id: client.code for client, roles in clients_of(user) if may(roles, READ)}
    if not found:
        raise NotPermitted(f"{user.email} may not read templates: it needs the permission {READ}")
    return found


@app.command("list")
@on_the_ground
def list_() -> None:
    """The firm's templates, and how many of your clients follow each."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.templates import selectors

    user = identity()
    with acting(user, read=_mine(user)):
        rows = [
            (t.key, t.title, t.number or "draft", format_moment(t.published_at) if t.published_at else "",
             t.clients, t.behind or "")
            for t in selectors.templates()
        ]  # fmt: skip
    headings = ("key", "title", "version", "published", "clients", "behind")
    show.table("Templates", headings, rows, right=(2, 4, 5))


@app.command("show")
@on_the_ground
def show_(key: Key, version: Version = None) -> None:
    """What a template says, value by value."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.templates import drafts

    user = identity()
    with acting(user, read=_mine(user)):
        row = drafts.version_numbered(key, version)
        said = drafts.template_of(row.id)
    typer.echo(f"{said.title}, version {row.number}, {row.sha256[:16]}, for {said.country}")
    rows = [
        (part, item, name, text)
        for part, items in said.parts.items()
        for item, fields in items.items()
        for name, text in fields.items()
    ]
    show.table("Values", ("part", "item", "field", "value"), rows)


@app.command("check")
def check(files: Annotated[list[Path], typer.Argument(help="Markdown files")]) -> None:
    """Say of each file what is wrong with it, by line; with errors it ends with 1."""
    errors = 0
    with ground():
        from engineroom.templates import document

        for file in files:
            checked = document.check(_read(file), file=file.name)
            values = format_count(checked.template.count if checked.template else 0, "value")
            typer.echo(
                f"{file.name}: {values}, {format_count(len(checked.errors), 'error')}, {checked.sha256[:16]}"
            )
            if checked.problems:
                show.problems(checked.problems)
            errors += len(checked.errors)
    if errors:
        raise typer.Exit(1)


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except UnicodeDecodeError:
        raise EngineroomError(f"{file.name} is no UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        raise EngineroomError(f"{file} cannot be read: {error.strerror}") from error


@app.command("publish")
@on_the_ground
def publish(
    file: Annotated[Path, typer.Argument(help="a Markdown file")],
    note: Annotated[str, typer.Option(help="what is new in this version")] = "",
) -> None:
    """Freeze a text as its template's next version. Clients follow it once they are moved to it."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.templates import drafts

    user = identity()
    with acting(user, write=house_of(user)):
        done = drafts.publish(_read(file), note=note)
    typer.echo(f"{done.key}: version {done.number} is published, {done.sha256[:16]}")
    seal_everything()


@app.command("changes")
@on_the_ground
def changes(
    key: Key,
    before: Annotated[
        int | None, typer.Option(help="the version before; without, the one before the last")
    ] = None,
    after: Annotated[int | None, typer.Option(help="the version after; without, the last")] = None,
) -> None:
    """What differs between two versions."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.templates import drafts, engine

    user = identity()
    with acting(user, read=_mine(user)):
        later = drafts.version_numbered(key, after)
        earlier = drafts.version_numbered(key, before if before is not None else max(later.number - 1, 1))
        found = engine.between(drafts.template_of(earlier.id).parts, drafts.template_of(later.id).parts)
    rows = [(b.part, b.item, b.field, b.before or "-", b.after or "-") for b in found]
    headings = ("part", "item", "field", f"version {earlier.number}", f"version {later.number}")
    show.table(format_count(len(rows), "change"), headings, rows)


@app.command("clients")
@on_the_ground
def clients(key: Key) -> None:
    """Your clients that follow a template: which version, what differs and what they have otherwise."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.templates import selectors

    user = identity()
    codes = _mine(user)
    with acting(user, read=codes):
        followed = {c: f for c, f in selectors.following().items() if f.version.template.key == key}
        beside = selectors.compared({client: f.version.id for client, f in followed.items()})
        rows = [
            (codes[client], f"{f.version.number}, behind" if f.is_behind else f.version.number,
             len(beside[client].open), len(beside[client].by_hand), len(beside[client].stuck),
             len(beside[client].own))
            for client, f in sorted(followed.items(), key=lambda one: codes[one[0]])
        ]  # fmt: skip
    headings = ("client", "version", "differs", "by hand", "cannot", "own values")
    show.table(f"Clients that follow {key}", headings, rows, right=(2, 3, 4, 5))


@app.command("compare")
@on_the_ground
def compare(client: Client) -> None:
    """A client beside what it follows: the template's values, its own with why, and what stands there."""
    from engineroom.foundation.tenancy.scope import current_scope
    from engineroom.templates import selectors

    with reading(client):
        if not current_scope().may(READ):
            raise NotPermitted(f"your role on {client} does not include {READ}")
        found = selectors.followed()
        if found is None:
            raise NotFound(f"{client} follows no template; see: engineroom templates follow --help")
        rows = [_row(line) for line in selectors.compared_here().lines]
    typer.echo(f"{client} follows version {found.version.number} of {found.version.template.key}")
    headings = ("part", "item", "field", "template", "own", "stands", "", "why")
    show.table("Values", headings, rows)


def _row(line: Line) -> tuple[str, ...]:
    v = line.value
    own = "" if v.own is None else v.own or "without"
    state = "changed by hand" if line.by_hand else v.state
    why = line.own.reason if line.own else line.why_not
    return v.part, v.item, v.field, v.template, own, "-" if v.stands is None else v.stands, state, why


@app.command("follow")
@on_the_ground
def follow(client: Client, key: Key, reason: Reason, version: Version = None) -> None:
    """Let a client follow a template. Nothing at the client changes before it is applied."""
    from engineroom.templates import services

    with writing(client):
        done = services.follow(key, number=version, reason=reason)
    typer.echo(
        f"{client} follows version {done.number} of {key}; apply it with: engineroom templates apply {key}"
    )


@app.command("stop")
@on_the_ground
def stop(client: Client, reason: Reason) -> None:
    """Let a client follow no template any more. What stands there stays."""
    from engineroom.templates import services

    with writing(client):
        services.stop_following(reason=reason)
    typer.echo(f"{client} follows no template any more")


@app.command("otherwise")
@on_the_ground
def otherwise(
    client: Client,
    part: Part,
    item: Item,
    field: FieldName,
    value: Annotated[str, typer.Argument(help="the client's own value")],
    reason: Reason,
) -> None:
    """Let a client have a value of its own, and keep why."""
    from engineroom.templates import services

    with writing(client):
        done = services.have_otherwise(part, item, field, value, reason=reason)
    typer.echo(f"{client} has {done.value or 'nothing'} as {field} of {item}")


@app.command("without")
@on_the_ground
def without(client: Client, part: Part, item: Item, reason: Reason) -> None:
    """Let a client be without an item of its template."""
    from engineroom.templates import services

    with writing(client):
        services.be_without(part, item, reason=reason)
    typer.echo(f"{client} is without {item}")


@app.command("accept")
@on_the_ground
def accept(client: Client, part: Part, item: Item, field: FieldName, reason: Reason) -> None:
    """Take what stands at a client, and differs, as its own value from now on."""
    from engineroom.templates import services

    with writing(client):
        done = services.accept_as_own(part, item, field, reason=reason)
    typer.echo(f"{client} has {done.value or 'what the template says'} as {field} of {item}")


@app.command("as-template")
@on_the_ground
def as_template(
    client: Client,
    part: Part,
    item: Item,
    reason: Reason,
    field: Annotated[str, typer.Argument(help="the field; left out: the client has the item again")] = "",
) -> None:
    """End what a client has otherwise: the template's value is wanted there again."""
    from engineroom.templates import services

    with writing(client):
        services.have_as_template(part, item, field, reason=reason)
    typer.echo(f"{client} has {' '.join(filter(None, (field, item)))} as the template says; apply it next")


@app.command("rehearse")
@on_the_ground
def rehearse(key: Key, version: Version = None, clients: Clients = "", starts: Starts = None) -> None:
    """What a version would change at each client: done for once, and taken back."""
    _over_many("rehearse", key, version, clients, starts)


@app.command("apply")
@on_the_ground
def apply(key: Key, clients: Clients = "", starts: Starts = None) -> None:
    """Bring clients into line with the version that they follow, but for what they have otherwise."""
    _over_many("apply", key, None, clients, starts)


@app.command("move")
@on_the_ground
def move(key: Key, version: Version = None, clients: Clients = "", starts: Starts = None) -> None:
    """Let clients follow a version, the latest without one, and bring them into line with it."""
    _over_many("follow", key, version, clients, starts)


def _over_many(action: str, key: str, version: int | None, clients: str, starts: datetime | None) -> None:
    """One after the other; what one client cannot do is its result alone. Ends with 1 if one failed."""
    from engineroom.foundation import duties
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.kernel.ids import uuid7
    from engineroom.templates import batch, drafts, selectors

    user = identity()
    codes = _mine(user)
    with acting(user, read=codes):
        version_id = drafts.version_numbered(key, version).id
        follow_it = [c for c, f in selectors.following().items() if f.version.template.key == key]
    chosen = _chosen(codes, clients) if clients else sorted(follow_it, key=codes.__getitem__)
    if not chosen:
        raise NotFound(f"none of your clients follows {key}; name some with --clients")
    asked = batch.Asked(action, version_id, starts.date() if starts else duties.today(), user)
    batch_id = uuid7()
    for client in chosen:
        batch.run_part(batch_id, client, asked)
    with acting(user, read=chosen):
        found = {part.client_id: part for part in batch.batch_parts(batch_id)}
    seal_everything()
    rows = [(codes[client], found[client].outcome, _told(found[client])) for client in chosen]
    show.table(
        "Rehearsed: nothing was changed" if action == "rehearse" else "Results", ("client", "", ""), rows
    )
    if any(part.outcome == "failed" for part in found.values()):
        raise typer.Exit(1)


def _chosen(codes: dict[UUID, str], named: str) -> Sequence[UUID]:
    by_code = {code.lower(): client for client, code in codes.items()}
    wanted = [code.strip() for code in named.split(",") if code.strip()]
    if unknown := [code for code in wanted if code.lower() not in by_code]:
        raise NotFound(f"there is no client {unknown[0]!r} whose templates you may read")
    return list(dict.fromkeys(by_code[code.lower()] for code in wanted))


def _told(part: batch.Part) -> str:
    kept, cannot = (f"kept: {line}" for line in part.kept), (f"not: {line}" for line in part.cannot)
    return "\n".join(filter(None, [part.words, *part.changed, *kept, *cannot]))
