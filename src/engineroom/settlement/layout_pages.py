"""What a CSV or QIF statement is taken to mean: its first lines, what was found, and a person's yes."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path, reverse

from engineroom.foundation import vault
from engineroom.foundation.imports import services as imports
from engineroom.foundation.imports.models import ImportPreview
from engineroom.foundation.tenancy.scope import current_client_id
from engineroom.kernel.errors import NotFound
from engineroom.settlement import layouts, selectors
from engineroom.settlement.formats import mapped, statements
from engineroom.ui.pages import Done, PageRequest, action, address, filled_in, form_of, page

SIGNS = (("negative", "money out has a minus"), ("positive", "money out has no sign"))
DECIMALS = ((".", "a point: 1,234.56"), (",", "a comma: 1.234,56"))


class LayoutForm(forms.Form):
    """The account and the conventions of a file; of a CSV also what each column means."""

    account = forms.ChoiceField(label="Bank account", help_text="Files of this shape are its statements.")
    date_format = forms.ChoiceField(label="Days", choices=list(mapped.DATE_FORMATS.items()))
    decimal = forms.ChoiceField(label="Pennies come behind", choices=DECIMALS)
    sign = forms.ChoiceField(label="Sign", choices=SIGNS)

    def __init__(self, headings: list[str], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        accounts = [(a.code, f"{a.code}: {a.name}") for a in selectors.own_accounts()]
        self.fields["account"] = forms.ChoiceField(
            label="Bank account", choices=accounts, help_text="Files of this shape are its statements."
        )
        roles = [("", "not used"), *mapped.ROLES.items()]
        for n, heading in enumerate(headings):
            self.fields[f"column_{n}"] = forms.ChoiceField(
                label=heading[:60] or f"Column {n + 1}", choices=roles, required=False
            )


def _looked_at(preview_id: UUID) -> tuple[ImportPreview, mapped.Detected]:
    """The file of a preview and what it looks like. Raises NotFound."""
    row = (
        ImportPreview.objects.select_related("file")
        .filter(client_id=current_client_id(), id=preview_id, kind="statement")
        .first()
    )
    if row is None:
        raise NotFound("there is no such file")
    data = _content(row)
    form = statements.format_of(data[:65536])
    if form not in ("csv", "qif"):
        raise NotFound("this file says itself what it means: it needs no layout")
    return row, mapped.detect(data, "qif" if form == "qif" else "csv")


def _content(row: ImportPreview) -> bytes:
    data = b""
    for frame in vault.frames(row.file):
        data += frame
        if len(data) > mapped.MAX_FILE_BYTES:
            raise NotFound("the file is too large for a layout")
    return data


def _asked_columns(found: mapped.Detected) -> list[str]:
    return found.headings if found.mapping.format == "csv" else []


@page("settlement.read", reads="import_preview")
def layout(request: PageRequest, client: str, preview_id: UUID) -> HttpResponse:
    """The first lines of a file and what its columns are taken to mean."""
    row, found = _looked_at(preview_id)
    request.reading(row.id, what="first lines of a statement", rows=len(found.sample))
    known = layouts.remembered(found.fingerprint)
    meant = known[1] if known else found.mapping
    roles = {place: role for role, place in meant.columns}
    begin = {
        "account": known[0].code if known else "main",
        "date_format": meant.date_format,
        "decimal": meant.decimal,
        "sign": "negative" if meant.debits_are_negative else "positive",
        **{f"column_{n}": roles.get(n, "") for n in range(len(found.headings))},
    }
    may = request.may("settlement.prepare")
    context = {
        "row": row,
        "found": found,
        "known": known is not None,
        "sample": [] if "bank" in request.masked else found.sample,
        "form": form_of(request, LayoutForm(_asked_columns(found), initial=begin)) if may else None,
        "imports_url": address("imports", client),
        "confirm_url": reverse("settlement:layout_confirm", args=[client, row.id]),
    }
    return render(request, "settlement/layout.html", context)


@action("settlement.prepare")
def confirm_layout(request: PageRequest, client: str, preview_id: UUID) -> Done:
    """Remember what was chosen, and look at the file again with it. Nothing of it is taken."""
    row, found = _looked_at(preview_id)
    columns = _asked_columns(found)
    asked = filled_in(LayoutForm(columns, request.POST))
    chosen = tuple((role, n) for n in range(len(columns)) if (role := asked[f"column_{n}"]))
    mapping = replace(
        found.mapping,
        date_format=asked["date_format"],
        decimal=asked["decimal"],
        debits_are_negative=asked["sign"] == "negative",
        columns=chosen,
    )
    layouts.confirm_layout(
        asked["account"],
        found.fingerprint,
        mapping.as_dict(),
        key=request.key,  # type: ignore[call-arg]
    )
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / Path(row.file.name).name
        copy.write_bytes(_content(row))
        seen, _ = imports.preview("statement", copy)
    said = f"Files of this shape are statements of {asked['account']} from now on; this one is read anew."
    return Done(said, to=address("import_seen", client, seen.preview_id))


urlpatterns = [
    path("c/<str:client>/bank/layouts/<uuid:preview_id>", layout, name="layout"),
    path("c/<str:client>/bank/layouts/<uuid:preview_id>/confirm", confirm_layout, name="layout_confirm"),
]
