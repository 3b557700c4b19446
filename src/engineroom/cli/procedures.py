"""`engineroom procedures`: looking at procedures before they are anybody's work."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engineroom.cli import show
from engineroom.kernel.errors import EngineroomError

if TYPE_CHECKING:
    from engineroom.sop.translation import Verdict

app = typer.Typer(no_args_is_help=True, help="Procedures: what is done, step by step.")


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="BPMN 2.0 models: FILE.bpmn")],
) -> None:
    """Say of each process of a model whether it runs here, and if not why; then it ends with 1."""
    words = [verdict.word for file in files for verdict in _checked(file)]
    if "does not run" in words:
        raise typer.Exit(1)


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
