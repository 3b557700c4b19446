"""`engineroom cases` and `engineroom mail`: work as it runs, and what clients answer by mail."""

from __future__ import annotations

import mailbox
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from engineroom.cli import show
from engineroom.cli.arguments import Client
from engineroom.cli.ground import (
    FIRM,
    FIRM_AND_CLIENT,
    client_named,
    identity,
    on_the_ground,
    reading,
    seal_everything,
    writing,
)
from engineroom.kernel.errors import EngineroomError, NotFound, NotPermitted
from engineroom.ui.display import format_count, format_moment

if TYPE_CHECKING:
    from engineroom.foundation.tenancy.scope import Scope
    from engineroom.sop.boards import CaseView

cases = typer.Typer(no_args_is_help=True, help="Cases: procedures as they run.")
mail = typer.Typer(no_args_is_help=True, help="Mail that came.")

Number = Annotated[int, typer.Argument(help="the case's number")]
Step = Annotated[str, typer.Argument(help="the step's key, as `cases show` lists it")]
Values = Annotated[list[str] | None, typer.Option("--field", help="KEY=VALUE; may be given several times")]
Reason = Annotated[str, typer.Option(help="why; it stays on the timeline")]
Files = Annotated[list[str] | None, typer.Option("--file", help="KEY=PATH of a file to show")]


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
    from engineroom.sop import services

    with writing(client):
        done = services.start_case(procedure, title, _values(fields))
    typer.echo(f"case {done.number} of {procedure} version {done.version} has begun")


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
        (format_moment(e.at), e.kind, e.title, e.who, e.data.get("reason") or e.data.get("text", ""))
        for e in reversed(view.events)
    ]
    show.table("Timeline", ("when", "what", "step", "who", "what was said"), told)


def _view(number: int) -> CaseView:
    from engineroom.sop import boards

    view = boards.case_view(number)
    if view is None:
        raise NotFound(f"there is no case {number}")
    return view


def _paths(given: list[str] | None) -> dict[str, Path]:
    found = {key: Path(path) for key, path in _values(given).items()}
    for path in found.values():
        if not path.is_file():
            raise NotFound(f"there is no file {path}")
    return found


def _open_task(client: str, number: int, step: str, **only: str) -> UUID:
    """The open task of a step, of the client of the scope."""
    from engineroom.foundation.tenancy.scope import current_client_id
    from engineroom.sop.models import Task

    found = Task.objects.filter(
        client_id=current_client_id(), case__number=number, step=step, ended_at=None, **only
    )
    task_id = found.order_by("id").values_list("id", flat=True).first()
    if task_id is None:
        see = "requests " + client if only else f"show {client} {number}"
        raise NotFound(f"no step {step} is open in case {number}; see: engineroom cases {see}")
    return task_id


def _at(
    client: str,
    number: int,
    step: str,
    verb: str,
    files: Mapping[str, Path] | None = None,
    *,
    permission: str = "sop.work",
    only: Mapping[str, str] | None = None,
    **given: Any,
) -> None:
    """One verb on the open task of a step. files: evidence that is kept with it, by key."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.sop import evidence, services

    user = identity()
    there = client_named(user, client, FIRM if only is None else FIRM_AND_CLIENT)
    with acting(user, write=there.id) as scope:
        _require(scope, permission)
        task_id = _open_task(client, number, step, **(only or {}))
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


@cases.command("release")
@on_the_ground
def release(
    client: Client, number: Number, step: Step, reason: Annotated[str, typer.Option(help="why, if any")] = ""
) -> None:
    """Give a step back to whoever has its role."""
    _at(client, number, step, "release", reason=reason)


@cases.command("delegate")
@on_the_ground
def delegate(
    client: Client,
    number: Number,
    step: Step,
    to: Annotated[str, typer.Option(metavar="EMAIL", help="a colleague who has the step's role")],
    reason: Reason,
) -> None:
    """Give a step to a colleague."""
    from engineroom.foundation.access.selectors import user_by_email

    with reading(client):
        colleague = user_by_email(to)
    if colleague is None:
        raise NotFound(f"there is no user {to}")
    _at(client, number, step, "delegate", user_id=colleague.id, reason=reason)


@cases.command("escalate")
@on_the_ground
def escalate(
    client: Client,
    number: Number,
    step: Step,
    to: Annotated[str, typer.Option(help="lead, owner, or the role whose step or check it is")],
    reason: Reason,
) -> None:
    """Call another role to a step. Whoever has it keeps it."""
    _at(client, number, step, "escalate", to=to, reason=reason)


@cases.command("due")
@on_the_ground
def due(
    client: Client,
    number: Number,
    step: Step,
    at: Annotated[str, typer.Option(help="2026-12-01T16:00, in UTC unless a zone follows")],
    reason: Reason,
) -> None:
    """Have a step due at another moment. What was promised for the case stays."""
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        raise EngineroomError(f"{at!r} is no day and time: write it as 2026-12-01T16:00") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    _at(client, number, step, "move_due", due_at=moment, reason=reason)


@cases.command("evidence")
@on_the_ground
def add_evidence(
    client: Client,
    number: Number,
    step: Step,
    field: Annotated[str, typer.Option(help="KEY=VALUE of what is shown")] = "",
    file: Annotated[str, typer.Option(help="KEY=PATH of a file to show")] = "",
) -> None:
    """Show one piece of evidence for a step before it is done."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.sop import evidence, services

    if bool(field) == bool(file):
        raise EngineroomError("show one piece at a time: give --field or --file")
    values, paths = _values([field] if field else []), _paths([file] if file else [])
    [key] = [*values, *paths]
    user = identity()
    with acting(user, write=client_named(user, client).id) as scope:
        _require(scope, "sop.work")
        task_id = _open_task(client, number, step)
        kept = {k: evidence.keep_file(task_id, p.read_bytes(), p.name) for k, p in paths.items()}
        services.add_evidence(task_id, key, values.get(key, ""), kept.get(key))
    typer.echo(f"{step}: {key} is shown")
    seal_everything()


@cases.command("comment")
@on_the_ground
def comment(
    client: Client,
    number: Number,
    text: Annotated[str, typer.Argument(help="it stands on the timeline for good: nothing private")],
    step: Annotated[str, typer.Option(help="the open step that it is about")] = "",
) -> None:
    """Say something on a case's timeline."""
    from engineroom.sop import services

    with writing(client):
        case_id = _case(number)
        services.comment(case_id, text, _open_task(client, number, step) if step else None)
    typer.echo(f"said on case {number}")


def _case(number: int) -> UUID:
    from engineroom.sop import boards

    row = boards.case_numbered(number)
    if row is None:
        raise NotFound(f"there is no case {number}")
    return row.id


@cases.command("message")
@on_the_ground
def message(
    client: Client, number: Number, name: Annotated[str, typer.Argument(help="what the case waits for")]
) -> None:
    """Tell a case that what it waits for has come."""
    from engineroom.sop import services

    with writing(client):
        services.send_message(_case(number), name)
    typer.echo(f"case {number} goes on: {name} has come")


@cases.command("inbox")
@on_the_ground
def inbox() -> None:
    """What waits for me over all my clients: what I have, was called to, or may take."""
    from engineroom.foundation.access.sign_in import clients_of
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.sop import boards

    user = identity()
    mine = {c.id: c.code for c, _ in clients_of(user) if user.reaches(c.id)}
    with acting(user, read=list(mine)) as scope:
        found = [w for w in boards.inbox() if scope.may("sop.work", w.client_id)]
    rows = [
        (
            mine[w.client_id], w.case_number, w.step, f"Check: {w.title}" if w.state == "check" else w.title,
            w.case_title, "mine" if w.mine else w.role, format_moment(w.due_at) if w.due_at else "",
        )
        for w in found
    ]  # fmt: skip
    show.table("My work", ("client", "case", "step", "what", "of", "for", "due"), rows, right=[1])


@cases.command("requests")
@on_the_ground
def requests(client: Client) -> None:
    """What the client is asked for. The client's own people see it too."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.sop import drafts
    from engineroom.sop.models import Task

    user = identity()
    client_id = client_named(user, client, FIRM_AND_CLIENT).id
    rows = []
    with acting(user, read=[client_id]) as scope:
        if not scope.may("sop.answer"):
            _require(scope, "sop.read")
        open_ones = Task.objects.filter(client_id=client_id, kind="client_request", state="open")
        for task in open_ones.select_related("case").order_by("id"):
            step = drafts.graph_of(task.case.version_id).by_key.get(task.step)
            wants = [
                f"{i.key} ({i.kind}{'' if i.required else ', if there is one'})"
                for i in (step.evidence if step else ())
            ]
            rows.append((task.case.number, task.step, task.title, "; ".join(wants)))
    show.table("Asked of the client", ("case", "step", "what", "answer with"), rows, right=[0])


@cases.command("ask")
@on_the_ground
def ask(client: Client, number: Number, step: Step) -> None:
    """Mail the client's contacts what a step asks them, each with a link of their own."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.web.request_pages import ask_client

    user = identity()
    with acting(user, write=client_named(user, client).id) as scope:
        _require(scope, "sop.work")
        done = ask_client(_open_task(client, number, step, kind="client_request"))
    typer.echo(f"{done.asked} of the client's were asked by mail")
    seal_everything()


@cases.command("answer")
@on_the_ground
def answer(client: Client, number: Number, step: Step, fields: Values = None, file: Files = None) -> None:
    """Answer what the client was asked, as one of the client's own people."""
    _at(
        client, number, step, "answer", _paths(file),
        permission="sop.answer", only={"kind": "client_request"}, values=_values(fields),
    )  # fmt: skip


@cases.command("complete")
@on_the_ground
def complete(
    client: Client,
    number: Number,
    step: Step,
    fields: Values = None,
    check: Annotated[list[int] | None, typer.Option(help="a check that is done, counted from 1")] = None,
    file: Files = None,
) -> None:
    """Finish a step, with its evidence."""
    _at(client, number, step, "complete", _paths(file), values=_values(fields), checks=check or [])


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
    from engineroom.sop import services

    with writing(client):
        done = services.cancel_case(_case(number), reason)
    typer.echo(f"case {done.number} is cancelled, {format_count(done.tasks, 'open step')} with it")


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
    from engineroom.sop import moving

    with writing(client):
        done = moving.move_back(batch, reason)
    typer.echo(f"{format_count(len(done.moved), 'case')} moved back")
    for number, why in done.left.items():
        typer.echo(f"  case {number} stays: {why}")


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
