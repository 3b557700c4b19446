"""A model of another tool on the page: its drawing, its verdict, and why it was refused."""

from __future__ import annotations

from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from tests.firm import Firm
from tests.sop.test_bpmn import HEAD, SIMPLE, VISIBLE, needs_models
from tests.web.conftest import signed_in


def looked_at(firm: Firm, data: bytes) -> str:
    client = firm.new_client(with_books=False)
    browser = signed_in(client.staff["specialist"])
    assert "Look at a model" in browser.get(reverse("sop:models")).content.decode()
    sent = SimpleUploadedFile("model.bpmn", data)
    return browser.post(reverse("sop:model"), {"file": sent}, follow=True).content.decode()


@needs_models
def test_a_model_is_shown_as_it_was_drawn_with_what_runs(firm: Firm) -> None:
    page = looked_at(firm, (VISIBLE / "B.1.0.bpmn").read_bytes())
    assert page.count('<svg class="flow-chart"') >= 2  # its drawing, and a process that was drawn nowhere
    assert "Runs, with differences" in page and "a service was to do it; a person does" in page


def test_a_hostile_model_is_refused_with_its_reason(firm: Firm) -> None:
    inside = f'{HEAD}<process id="p">{SIMPLE}</process></definitions>'
    assert "flow-chart" in looked_at(firm, inside.encode())
    assert "DOCTYPE" in looked_at(firm, b"<!DOCTYPE d [<!ENTITY a 'b'>]>" + inside.encode())
