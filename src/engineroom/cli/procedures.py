"""`engineroom procedures`: what the firm's work looks like, checked and published."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engineroom.cli import show
from engineroom.cli.ground import ground, house_of, identity, on_the_ground, seal_everything
from engineroom.kernel.errors import EngineroomError, NotFound, NotPermitted
from engineroom.ui.display import format_count, format_moment

if TYPE_CHECKING:
    from engineroom.sop.translation import Verdict

app = typer.Typer(no_args_is_help=True, help="Procedures: what is done, step by step.")

BPMN = (".bpmn", ".xml")

Key = Annotated[str, typer.Argument(help="the procedure's key")]


def _read(source: str) -> tuple[str, str]:
    """A file's text and format; a word that is no file is a ready procedure."""
    from engineroom.sop import drafts

    path = Path(source)
    if path.is_file():
        try:
            return path.read_text("utf-8"), "bpmn" if path.suffix.lower() in BPMN else "md"
        except UnicodeDecodeError:
            raise EngineroomError(f"{path.name} is no UTF-8 text; save it as UTF-8") from None
    if source in drafts.library():
        return drafts.library()[source], "md"
    raise NotFound(
        f"there is no file {source}, and no ready procedure of that name: {', '.join(drafts.library())}"
    )


@app.command("list")
@on_the_ground
def list_() -> None:
    """The firm's procedures, and the ready ones."""
    from engineroom.foundation.access.sign_in import clients_of
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.sop import selectors

    user = identity()
    with acting(user, read=[c.id for c, _ in clients_of(user)]) as scope:
        if not any(scope.may("sop.read", c) for c in scope.read):
            raise NotPermitted(f"{user.email} may not read procedures: it needs the permission sop.read")
        rows = [
            (
                p.key,
                p.title,
                p.number or "",
                format_moment(p.published_at)
                if p.published_at
                else "ready, not published"
                if p.from_library
                else "draft",
            )
            for p in selectors.procedures()
        ]
    show.table("Procedures", ("key", "title", "version", "published"), rows, right=[2])


@app.command("show")
@on_the_ground
def show_(
    key: Key, version: Annotated[int | None, typer.Option(help="this version and not the latest")] = None
) -> None:
    """One procedure, step by step."""
    from engineroom.foundation.access.sign_in import clients_of
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.sop import drafts, words

    user = identity()
    with acting(user, read=[c.id for c, _ in clients_of(user)]):
        row = drafts.version_numbered(key, version) if version else drafts.latest(key)
        graph = drafts.graph_of(row.id)
    typer.echo(f"{graph.title}, version {row.number}, {row.sha256[:16]}")
    rows = [
        (step.key, step.title, "; ".join(words.rules(step)), "; ".join(words.ways(graph, step.key)))
        for step in graph.steps
    ]
    show.table("Steps", ("key", "step", "rules", "leads"), rows)


@app.command("check")
def check(
    files: Annotated[
        list[str], typer.Argument(help="Markdown or BPMN 2.0 files, or keys of ready procedures")
    ],
) -> None:
    """Say of each file whether it can run here, and if not why, by line; then it ends with 1."""
    models = [Path(f) for f in files if Path(f).suffix.lower() in BPMN]
    texts = [f for f in files if Path(f).suffix.lower() not in BPMN]
    words = [verdict.word for file in models for verdict in _checked(file)]
    errors = 0
    if texts:
        with ground():
            errors = sum(_checked_text(source) for source in texts)
    if errors or "does not run" in words:
        raise typer.Exit(1)


def _checked_text(source: str) -> int:
    from engineroom.sop import drafts

    text, format = _read(source)
    checked = drafts.check_alone(text, format=format, file=Path(source).name)
    steps = format_count(len(checked.graph.steps), "step") if checked.graph else "no graph"
    typer.echo(f"{source}: {steps}, {format_count(len(checked.errors), 'error')}, {checked.sha256[:16]}")
    if checked.problems:
        show.problems(checked.problems)
    return len(checked.errors)


def _checked(file: Path) -> list[Verdict]:
    from engineroom.sop.formats.bpmn import read
    from engineroom.sop.translation import verdicts

    try:
        data = file.read_bytes()
    except OSError as error:
        raise EngineroomError(f"{file} cannot be read: {error.strerror}") from error
    model = read(data, file.name)
    typer.echo(f"{file.name}: {model.name}" + (f", made with {model.exporter}" if model.exporter else ""))
    if model.problems:
        show.problems(model.problems)
    for other in model.other:
        typer.echo(f"  not read: {other}")
    found = verdicts(model)
    for verdict in found:
        _say(verdict)
    return found


def _say(verdict: Verdict) -> None:
    steps = sum(len(graph.steps) for graph in verdict.graphs)
    process = verdict.process
    typer.echo(f"\n{process.title}: {verdict.word} ({len(process.elements)} elements, {steps} steps)")
    if process.shown:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(process.shown.items()))
        typer.echo(f"  shown and not run: {kinds}")
    if verdict.notes:
        rows = [(n.line or "", n.kind, n.element, n.why, n.remedy) for n in verdict.notes]
        show.table("", ("line", "", "what", "why", "do"), rows, right=(0,))


@app.command("publish")
@on_the_ground
def publish(
    files: Annotated[list[str], typer.Argument(help="Markdown files, or keys of ready procedures")],
    note: Annotated[str, typer.Option(help="what is new in this version")] = "",
) -> None:
    """Freeze procedures as their next versions."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.kernel.errors import Conflict
    from engineroom.sop import drafts

    user = identity()
    house = house_of(user)
    for source in files:
        text, format = _read(source)
        try:
            with acting(user, write=house):
                done = drafts.publish(text, format=format, note=note)
        except Conflict as same:
            typer.echo(f"{source}: {same}")
            continue
        typer.echo(f"{done.key}: version {done.number} is published, {done.sha256[:16]}")
    seal_everything()
