"""The report of a run, written again later: it says of its run what it said, and names what is unverified."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from lxml import html
from tests.firm import PAY_DATE, Temp, TestClient, run_payday, set_up

from engineroom.cli import papers
from engineroom.settlement.formats.bacs18 import unverified_fields

TEMPS = [Temp("T1"), Temp("T2", "Al Smith", customer="BETA", status="disputed")]


def report_of(client: TestClient, folder: Path) -> html.HtmlElement:
    """The report of the first run, as it is written now."""
    written = papers.leave(client.staff["specialist"], client.id, PAY_DATE, folder)
    (path,) = [p for p in written if p.name.startswith("report-")]
    return html.fromstring(path.read_text(encoding="utf-8"))


def rows(page: html.HtmlElement, section: str) -> list[list[str]]:
    found = page.xpath(f"//section[@id='{section}']//tr[td]")
    return [[cell.text_content().strip() for cell in row] for row in found]


def test_a_later_payday_does_not_change_what_a_run_held_booked_or_earned(client: TestClient, tmp_path: Path):
    set_up(client, TEMPS)
    run_payday(client, TEMPS)
    first = report_of(client, tmp_path / "first")
    run_payday(client, TEMPS, PAY_DATE + timedelta(days=7))
    again = report_of(client, tmp_path / "again")
    for section in ("people", "margin", "held", "ledger"):
        assert rows(first, section) == rows(again, section) != [], section
    assert len(rows(again, "held")) == 5 + 1, "a disputed week, and its total"
    assert rows(again, "held")[-1][4] == rows(again, "margin")[-1][3], "the two tables agree"
    assert len(rows(again, "open")) > len(rows(first, "open")), "these are of when it was written"


def test_what_the_payment_file_says_from_memory_is_named_among_the_unverified_rules(
    client: TestClient, tmp_path: Path
):
    set_up(client, TEMPS)
    day = run_payday(client, TEMPS)
    assert day.batch is not None
    page = report_of(client, tmp_path)
    (notes,) = page.xpath("//section[@class='notes']")
    names = [f.name for f in unverified_fields(day.batch.processing_day)]
    assert "uhl1_work_code_single" in names
    assert f"bacs18: {', '.join(names)}" in notes.text_content()
    (beside,) = page.xpath("//section[@id='payment']//p[@class='unverified']")
    assert all(name in beside.text_content() for name in names)
