"""Two months of a salary, walked by those who have to: prepared from a workbook, checked, approved by the
client, released by a second person, read by whom it pays.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Visitor
from tests.payroll.workbooks import typed

pytestmark = pytest.mark.slow

N = "/c/NORTHGATE"
AOIFE = "N1036"
DECEMBER, JANUARY = "2026-12-23", "2027-01-22"
Visit = Callable[..., Visitor]


def test_a_month_is_prepared_checked_approved_released_and_read(visit: Visit, tmp_path: Path) -> None:
    priya, ivor, omar, aoife = (visit(name) for name in ("priya", "ivor", "omar", "aoife"))
    schedule = f"M{uuid.uuid4().hex[:6].upper()}"
    a_schedule_with_somebody_on_it(priya, schedule, tmp_path)
    first = prepared(priya, schedule, DECEMBER, {(AOIFE, "Bonus"): 250}, tmp_path)
    approved(ivor, first)
    released(omar, first)
    second = prepared(priya, schedule, JANUARY, {(AOIFE, "Commission"): 120}, tmp_path)
    checked(priya, second)
    approved(ivor, second)
    released(omar, second)
    read(aoife)
    looked_at(visit, schedule, second)


def a_schedule_with_somebody_on_it(priya: Visitor, schedule: str, folder: Path) -> None:
    """The schedule by its form; a salary and a place on it by files."""
    page = priya.go(f"{N}/schedules")
    form = page.locator("form[action$='/do/add']")
    fields = {"code": schedule, "name": "Office staff", "anchor": "2026-12-01", "pay_day": "23"}
    for name, value in fields.items():
        form.locator(f"[name={name}]").fill(value)
    form.locator("[name=frequency]").select_option("monthly")
    form.locator("[name=pay_rule]").select_option("day_of_month")
    form.get_by_role("button", name="Add").click()
    page.get_by_text(f"Schedule {schedule} is added").locator("visible=true").first.wait_for()
    headings = "payroll_number,from_date,basis,amount,hours_per_week,reason"
    brought(priya, "terms", folder, f"{headings}\n{AOIFE},2026-12-01,salary,30000,37.5,office\n")
    place = f"payroll_number,schedule,from_date\n{AOIFE},{schedule},2026-12-01\n"
    brought(priya, "on-schedule", folder, place)


def brought(priya: Visitor, kind: str, folder: Path, text: str) -> None:
    file = folder / f"{kind}-{uuid.uuid4().hex[:6]}.csv"
    file.write_text(text, encoding="utf-8")
    page = priya.go(f"{N}/imports?kind={kind}")
    page.locator("[name=kind]").select_option(kind)
    _read_and_taken(page, file)


def _read_and_taken(page: Any, file: Path) -> None:
    page.locator("input[type=file]").set_input_files(str(file))
    page.get_by_role("button", name=re.compile("^Read it")).click()
    page.get_by_role("button", name=re.compile("^Take it")).first.click()
    page.get_by_role("dialog").get_by_role("button", name="Take it").click()
    page.get_by_text("is taken", exact=False).locator("visible=true").first.wait_for()


def prepared(
    priya: Visitor, schedule: str, pay_date: str, cells: Mapping[tuple[str, str], object], folder: Path
) -> int:
    """The workbook out, filled in, back in; then the run, calculated."""
    page = priya.go(f"{N}/inputs/{schedule}/{pay_date}")
    with page.expect_download() as download:
        page.get_by_role("link", name=re.compile("Download the workbook")).click()
    there = folder / f"{pay_date}.xlsx"
    download.value.save_as(there)
    filled = typed(there, folder / f"filled-{pay_date}.xlsx", cells)
    page.locator("input[type=file]").set_input_files(str(filled))
    page.get_by_role("button", name=re.compile("^Read it")).click()
    page.get_by_role("heading", name="What taking it changes").wait_for()
    priya.shot(f"workbook read {pay_date}")
    page.get_by_role("button", name=re.compile("^Take it")).first.click()
    page.get_by_role("dialog").get_by_role("button", name="Take it").click()
    page.get_by_text("is taken", exact=False).locator("visible=true").first.wait_for()
    page = priya.go(f"{N}/schedules")
    form = page.locator("form[action$='/do/open']")
    form.locator("[name=schedule]").select_option(schedule)
    form.locator("[name=pay_date]").fill(pay_date)
    form.get_by_role("button", name="Open").click()
    page.wait_for_url(re.compile(r"/runs/\d+$"))
    return int(page.url.rsplit("/", 1)[1])


def checked(priya: Visitor, run: int) -> None:
    """The change on the month before is told by the inputs that made it."""
    page = priya.go(f"{N}/runs/{run}/do/variance")
    words = page.locator("table").first.inner_text()
    assert "Bonus" in words and "Commission" in words, words
    assert priya.go(f"{N}/runs/{run}").get_by_role("button", name="Approve").count() == 0, "she prepared it"


def approved(ivor: Visitor, run: int) -> None:
    """The client's approver, in the portal: totals, the person, the yes to exactly that."""
    page = ivor.go(f"/portal/NORTHGATE/runs/{run}/people/{AOIFE}")
    assert "Aoife" in page.locator("h1").inner_text()
    page = ivor.go(f"/portal/NORTHGATE/runs/{run}")
    page.locator("[data-key='a']").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Approve exactly this").click()
    page.get_by_text(f"Pay run {run} is approved", exact=False).locator("visible=true").first.wait_for()
    ivor.shot(f"portal run {run} approved")


def released(omar: Visitor, run: int) -> None:
    page = omar.go(f"{N}/runs/{run}")
    page.locator("[data-key='a']").first.click()
    page.get_by_role("dialog").get_by_role("button", name=re.compile("Release")).click()
    page.get_by_text("Issued and frozen").locator("visible=true").first.wait_for()


def read(aoife: Visitor) -> None:
    """Whom it pays reads what it came to, and why."""
    page = aoife.go("/me/NORTHGATE")
    page.locator("#pay tbody a.row").first.click()
    page.locator("h1", has_text="Net pay").wait_for()
    why = page.locator("main").inner_text()
    assert "2,620.00" in why, "30,000.00 a year is 2,500.00 a month, and 120.00 of commission"
    assert "free pay" in why, "how the tax comes about"
    aoife.shot("payslip of a month")


def looked_at(visit: Visit, schedule: str, run: int) -> None:
    """Screenshots of what a month leaves on the pages, for somebody to look at; nothing scrolls sideways."""
    places = {
        "run board": f"{N}/runs",
        "run of a month": f"{N}/runs/{run}",
        "changes": f"{N}/runs/{run}/do/variance",
        "change of a person": f"{N}/runs/{run}/do/variance/{AOIFE}",
        "person": f"{N}/people/{AOIFE}",
        "payslip": f"{N}/runs/{run}/{AOIFE}",
        "calendar": "/calendar?month=2026-12",
        "batch": f"/pay-batch?pay_date={DECEMBER}",
        "batches": "/pay-batch/earlier",
        "leave": f"{N}/leave",
        "inputs": f"{N}/inputs",
        "inputs of a period": f"{N}/inputs/{schedule}/2027-02-23",
    }
    wide = []
    for theme, width in (("light", 1440), ("dark", 1440), ("light", 360), ("dark", 360)):
        lena = visit("lena", theme=theme, width=width)
        for name, path in places.items():
            lena.go(path)
            lena.shot(f"month {name}")
            if lena.scrolls_sideways():
                wide.append(f"{name} at {width}")
    assert wide == []
