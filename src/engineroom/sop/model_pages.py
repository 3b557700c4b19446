"""Models of other tools, looked at: the drawing as its author made it, and what of it would run here."""

from __future__ import annotations

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path

from engineroom.kernel.errors import InputRefused, Problem
from engineroom.sop import diagram
from engineroom.sop.formats import bpmn
from engineroom.sop.translation import Verdict, verdicts
from engineroom.ui.pages import PageRequest, action, form_of, page

SHAPES = {"runs": "done", "runs, with differences": "wait", "does not run": "risk"}


class ModelFile(forms.Form):
    file = forms.FileField(label="BPMN 2.0 model", help_text="Usually named .bpmn. Nothing is kept.")


@page("sop.read", scope="mine")
def models(request: PageRequest) -> HttpResponse:
    """Where a model is chosen."""
    return render(request, "sop/model.html", {"form": form_of(request, ModelFile())})


@action("sop.read", scope="me")
def look(request: PageRequest) -> HttpResponse:
    """Each drawing of a model, and of each process whether it runs and why not. Keeps nothing."""
    sent = request.FILES.get("file")
    if sent is None:
        raise InputRefused([Problem("no file was sent", "Choose one", field="file")])
    name = (sent.name or "the model")[:100]
    model = bpmn.read(sent.read(bpmn.MAX_FILE_BYTES + 1), name)
    found = verdicts(model)
    drawn = {s.element for d in model.drawings for s in d.shapes}
    context = {
        "form": ModelFile(),
        "model": model,
        "name": name,
        "drawings": [(d.title or name, diagram.svg_of_drawing(d)) for d in model.drawings],
        "verdicts": [(v, SHAPES[v.word], _undrawn(v, drawn)) for v in found],
    }
    return render(request, "sop/model.html", context)


def _undrawn(verdict: Verdict, drawn: set[str]) -> str:
    """A picture of a process that its author drew nowhere."""
    if any(element.id in drawn for element in verdict.process.elements):
        return ""
    return diagram.svg_of_process(verdict.process)


urlpatterns = [
    path("models", models, name="models"),
    path("models/look", look, name="model"),
]
