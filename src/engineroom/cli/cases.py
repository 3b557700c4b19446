"""`engineroom cases` and `engineroom mail`: work as it runs, and what clients answer by mail."""

from __future__ import annotations

import mailbox
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from engineroom.cli import show
from engineroom.cli.ground import client_named, identity, on_the_ground, seal_everything
from engineroom.kernel.errors import EngineroomError, NotFound, NotPermitted
from engineroom.ui.display import format_count, format_moment

if TYPE_CHECKING:
    from engineroom.foundation.tenancy.scope import Scope
    from engineroom.sop.boards import CaseView

cases = typer.Typer(no_args_is_help=True, help="Cases: procedures as they run.")
mail = typer.Typer(no_args_is_help=True, help="Mail that came.")

Client = Annotated[str, typer.Argument(help="the client's code")]
Number = Annotated[int, typer.Argument(help="the case's number")]
Step = Annotated[str, typer.Argument(help="the step's key, as `cases show` lists it")]
Values = Annotated[list[str] | None, typer.Option("--field", help="KEY=VALUE; may be given several times")]
Reason = Annotated[str, typer.Option(help="why; it stays on the timeline")]


def _require(scope: Scope, permission: str) -> None:
    if not scope.may(permission):
        raise NotPermitted(f"{scope.user.email} may not do this here: it needs the permission {permission}")


def _values(given: list[str] | None) -> dict[str, str]:
    found = {}
    for one in given or []:
        key, equals, value = one.partition("=")
        if not equals:
            raise EngineroomError(f"{one!r} is no KEY=VALUE")
        found[key.strip()] = value
    return found


@cases.command("start")
@on_the_ground
def start(
    client: Client,
    procedure: Annotated[str, typer.Argument(help="the procedure's key")],
    title: Annotated[str, typer.Option()] = "",
    fields: Values = None,
) -> None:
    """Begin a case of a procedure's latest version."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.sop import services

    user = identity()
    with acting(user, write=client_named(user, client).id):
        done = services.start_case(procedure, title, _values(fields))
    typer.echo(f"case {done.number} of {procedure} version {done.version} has begun")
    seal_everything()


@cases.command("list")
@on_the_ground
def list_(
    client: Client, state: Annotated[str, typer.Option(help="running, done, cancelled or all")] = "running"
) -> None:
    """A client's cases, the newest first."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.sop import boards

    user = identity()
    with acting(user, read=[client_named(user, client).id]) as scope:
        _require(scope, "sop.read")
        found = boards.cases("" if state == "all" else state)
    rows = [
        (c.row.number, c.row.title, c.row.state, ", ".join(c.open_titles), format_moment(c.row.started_at))
        for c in found
    ]
    show.table("Cases", ("case", "title", "state", "where it stands", "begun"), rows, right=[0])


@cases.command("show")
@on_the_ground
def show_(client: Client, number: Number) -> None:
    """One case: what is open, and its timeline."""
    from engineroom.foundation.tenancy.scope import acting

    user = identity()
    with acting(user, read=[client_named(user, client).id]) as scope:
        _require(scope, "sop.read")
        view = _view(number)
    typer.echo(
        f"Case {number}, {view.row.title}: {view.row.state} ({view.graph.title} version {view.version})"
    )
    rows = [
        (
            t.row.step,
            t.row.title,
            t.row.state,
            t.row.role,
            t.assignee,
            format_moment(t.row.due_at) if t.row.due_at else "",
        )
        for t in view.open
    ]
    show.table("Open", ("step", "title", "state", "for", "who has it", "due"), rows)
    told = [
        (format_moment(e.at), e.kind, e.title, e.who, e.data.get("reason", "")) for e in reversed(view.events)
    ]
    show.table("Timeline", ("when", "what", "step", "who", "why"), told)


def _view(number: int) -> CaseView:
    from engineroom.sop import boards

    view = boards.case_view(number)
    if view is None:
        raise NotFound(f"there is no case {number}")
    return view


def _at(
    client: str, number: int, step: str, verb: str, files: Mapping[str, Path] | None = None, **given: Any
) -> None:
    """One verb on the open task of a step. files: evidence that is kept with it, by key."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.sop import evidence, services
    from engineroom.sop.models import Task

    user = identity()
    client_id = client_named(user, client).id
    with acting(user, write=client_id) as scope:
        _require(scope, "sop.work")
        found = Task.objects.filter(client_id=client_id, case__number=number, step=step, ended_at=None)
        task_id = found.order_by("id").values_list("id", flat=True).first()
        if task_id is None:
            raise NotFound(
                f"no step {step} is open in case {number}; see: engineroom cases show {client} {number}"
            )
        if files is not None:
            given["files"] = {
                key: evidence.keep_file(task_id, path.read_bytes(), path.name) for key, path in files.items()
            }
        done = getattr(services, verb)(task_id, **given)
    typer.echo(f"{step}: {done.state}; case {done.case_number} is {done.case_state}")
    seal_everything()


@cases.command("claim")
@on_the_ground
def claim(client: Client, number: Number, step: Step) -> None:
    """Take a step that nobody has."""
    _at(client, number, step, "claim")


@cases.command("complete")
@on_the_ground
def complete(
    client: Client,
    number: Number,
    step: Step,
    fields: Values = None,
    check: Annotated[list[int] | None, typer.Option(help="a check that is done, counted from 1")] = None,
    file: Annotated[list[str] | None, typer.Option(help="KEY=PATH of a file to show")] = None,
) -> None:
    """Finish a step, with its evidence."""
    files = {key: Path(path) for key, path in _values(file).items()}
    for path in files.values():
        if not path.is_file():
            raise NotFound(f"there is no file {path}")
    _at(client, number, step, "complete", files, values=_values(fields), checks=check or [])


@cases.command("run")
@on_the_ground
def run(client: Client, number: Number, step: Step) -> None:
    """Run the command of a step, and finish the step."""
    _at(client, number, step, "run_step")


@cases.command("accept")
@on_the_ground
def accept(client: Client, number: Number, step: Step) -> None:
    """Say yes to what somebody else did."""
    _at(client, number, step, "accept")


@cases.command("reject")
@on_the_ground
def reject(client: Client, number: Number, step: Step, reason: Reason) -> None:
    """Send what somebody did back to them."""
    _at(client, number, step, "reject", reason=reason)


@cases.command("skip")
@on_the_ground
def skip(client: Client, number: Number, step: Step, reason: Reason) -> None:
    """Leave a step out."""
    _at(client, number, step, "skip", reason=reason)


@cases.command("cancel")
@on_the_ground
def cancel(client: Client, number: Number, reason: Reason) -> None:
    """End a case and everything open in it."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.sop import boards, services

    user = identity()
    with acting(user, write=client_named(user, client).id):
        row = boards.case_numbered(number)
        if row is None:
            raise NotFound(f"there is no case {number}")
        done = services.cancel_case(row.id, reason)
    typer.echo(f"case {done.number} is cancelled, {format_count(done.tasks, 'open step')} with it")
    seal_everything()


@cases.command("move")
@on_the_ground
def move(
    client: Client,
    procedure: Annotated[str, typer.Argument(help="the procedure's key")],
    from_version: Annotated[int, typer.Option("--from")],
    to_version: Annotated[int, typer.Option("--to")],
    decide: Annotated[
        list[str] | None, typer.Option(help="STEP=STEP: where an open step goes; STEP=- withdraws it")
    ] = None,
    reason: Annotated[str, typer.Option(help="why the cases move; without it nothing moves")] = "",
) -> None:
    """Say what would become of each running case of a version; with a reason, move those that are safe."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.sop import drafts, moving

    user = identity()
    with acting(user, write=client_named(user, client).id) as scope:
        _require(scope, "sop.approve")
        start, to = (drafts.version_numbered(procedure, n).id for n in (from_version, to_version))
        plans = moving.dry_run(start, to, _values(decide))
        done = moving.move_cases(start, to, reason, _values(decide)) if reason.strip() else None
    rows = [
        (p.number, p.verdict, ", ".join(f"{a} > {b}" for a, b in p.goes.items()), "; ".join(p.why))
        for p in plans
    ]
    show.table("Cases", ("case", "", "goes", "why"), rows, right=[0])
    if done is None:
        typer.echo("nothing was moved: give a --reason to move what is safe")
    else:
        typer.echo(f"{format_count(len(done.moved), 'case')} moved, as one move: {done.batch}")
    seal_everything()


@cases.command("move-back")
@on_the_ground
def move_back(
    client: Client, batch: Annotated[UUID, typer.Argument(help="of the move")], reason: Reason
) -> None:
    """Take a move back: of each case that is still where it was put."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.sop import moving

    user = identity()
    with acting(user, write=client_named(user, client).id):
        done = moving.move_back(batch, reason)
    typer.echo(f"{format_count(len(done.moved), 'case')} moved back")
    for number, why in done.left.items():
        typer.echo(f"  case {number} stays: {why}")
    seal_everything()


@mail.command("import")
@on_the_ground
def import_mail(
    source: Annotated[Path, typer.Argument(help="FILE.eml, or a maildir; answered mails go from new to cur")],
) -> None:
    """Take replies as answers to what clients were asked, each by its single-use reference."""
    from engineroom.foundation.access.roles import may
    from engineroom.foundation.access.sign_in import clients_of
    from engineroom.web.mail_answers import import_mail as take

    user = identity()
    mine = [
        client.id for client, roles in clients_of(user) if may(roles, "sop.work") and user.reaches(client.id)
    ]
    if source.is_dir():
        box = mailbox.Maildir(source, create=False)
        found = [
            (key, box.get_bytes(key))
            for key in sorted(box.keys())
            if box.get_message(key).get_subdir() == "new"
        ]
    elif source.is_file():
        box, found = None, [(source.name, source.read_bytes())]
    else:
        raise NotFound(f"there is no file or maildir {source}")
    answers = [take(content, name, mine) for name, content in found]
    for answer in answers:
        said = f"answers case {answer.case_number}" if answer.case_number else f"not taken: {answer.why}"
        typer.echo(f"{answer.name}: {said}")
        if box is not None and answer.case_number:
            message = box.get_message(answer.name)
            message.set_subdir("cur")
            message.add_flag("S")
            box[answer.name] = message
    seal_everything()
    if any(a.case_number is None for a in answers):
        raise typer.Exit(1)
