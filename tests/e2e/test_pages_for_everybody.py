"""The pages of the demonstration, for everybody: nothing that axe finds; no sideways scrolling on a
telephone; nothing asked of strangers; a screenshot of each to look at. Every address, in both themes and by
keyboard alone, is asked in `tests/web/test_in_the_browser.py`.
"""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.slow

N = "/c/NORTHGATE"
PAGES = [
    ("lena", "/today"),
    ("lena", "/clients"),
    ("lena", "/settings"),
    ("ada", "/settings/users"),
    ("lena", N),
    ("lena", f"{N}/people"),
    ("priya", f"{N}/people/N1036"),
    ("priya", f"{N}/leave"),
    ("priya", f"{N}/leave/kinds"),
    ("priya", f"{N}/leave/people/N1036"),
    ("fiona", f"{N}/leave"),
    ("lena", f"{N}/time"),
    ("lena", f"{N}/runs"),
    ("lena", f"{N}/runs/2"),
    ("lena", f"{N}/runs/1/N1036"),
    ("priya", f"{N}/imports"),
    ("lena", f"{N}/bills"),
    ("lena", f"{N}/bills/runs"),
    ("lena", f"{N}/bills/runs/2"),
    ("lena", f"{N}/bills/held"),
    ("lena", f"{N}/bills/reconciliation"),
    ("lena", f"{N}/invoices/INV-000005"),
    ("lena", f"{N}/invoices/INV-000005/lines/1"),
    ("lena", f"{N}/payments"),
    ("lena", f"{N}/payments/1"),
    ("lena", f"{N}/payments/returned"),
    ("priya", f"{N}/back-pay"),
    ("lena", f"{N}/bank"),
    ("lena", f"{N}/open"),
    ("lena", f"{N}/books"),
    ("lena", f"{N}/books/accounts/1100"),
    ("lena", f"{N}/books/periods"),
    ("lena", f"{N}/books/proof"),
    ("lena", f"{N}/thread?reference=INV-000005"),
    ("lena", f"{N}/thread?reference=N1036@2026-11-20"),
    ("lena", f"{N}/engagement"),
    ("lena", f"{N}/access"),
    ("lena", f"{N}/bank/accounts"),
    ("lena", f"{N}/audit"),
    ("lena", "/search?q=aoife"),
    ("lena", "/notices"),
    ("lena", "/jobs"),
    ("lena", "/demo/break"),
    ("priya", "/work"),
    ("lena", "/promises"),
    ("lena", "/procedures"),
    ("lena", "/procedures/client_transition"),
    ("lena", "/procedures/client_transition/edit"),
    ("lena", "/procedures/new/edit"),
    ("lena", "/models"),
    ("lena", "/staff"),
    ("ada", "/teams"),
    ("priya", f"{N}/cases"),
    ("lena", f"{N}/promises"),
    ("lena", f"{N}/scorecard"),
    ("fiona", "/portal"),
    ("fiona", "/portal/NORTHGATE"),
    ("ivor", "/portal/NORTHGATE/runs/2"),
    ("fiona", "/portal/NORTHGATE/invoices"),
    ("fiona", "/portal/NORTHGATE/imports"),
    ("fiona", "/portal/NORTHGATE/engagement"),
    ("fiona", "/portal/NORTHGATE/service"),
    ("aoife", "/me"),
    ("aoife", "/me/NORTHGATE/leave"),
]


BEHIND = [
    ("letters", "priya", "/jobs", "main a[href*='/letters/']"),
    ("hours of a file", "priya", f"{N}/imports", "main a:has-text('timesheets-week-47.csv')"),
    ("hours of a workbook", "priya", f"{N}/imports?kind=timesheets", "main a:has-text('week-47-harbour')"),
    ("terms", "lena", f"{N}/people/N1036", "main a:has-text('Terms')"),
    ("open item", "lena", f"{N}/open", "main a.row"),
    ("bank line", "lena", f"{N}/bank", "main a.row"),
    ("entry", "lena", f"{N}/books/accounts/1100", "main a.row"),
    ("timesheet", "priya", f"{N}/time", "main a.row"),
    ("event", "lena", f"{N}/audit", "main a.row"),
    ("my payslip", "aoife", "/me", "main a.row"),
]
"""Pages whose address nobody knows beforehand: the page they are found on, and the link there."""


@pytest.mark.parametrize(("what", "who", "path", "link"), BEHIND, ids=[row[0] for row in BEHIND])
def test_what_stands_behind_a_page_is_accessible_too(
    visit, what: str, who: str, path: str, link: str
) -> None:
    for theme, width in (("light", 1440), ("dark", 360)):
        visitor = visit(who, theme=theme, width=width)
        page = visitor.go(path)
        url = page.locator(link).first.get_attribute("href")
        visitor.go(url.removeprefix(visitor.address))
        visitor.shot(what)
        assert visitor.axe() == []
        assert not visitor.scrolls_sideways()


@pytest.mark.parametrize(("who", "path"), PAGES, ids=[path for _, path in PAGES])
def test_a_page_is_accessible_in_both_themes_and_narrow(visit, who: str, path: str) -> None:
    for theme, width in (("light", 1440), ("dark", 360)):
        visitor = visit(who, theme=theme, width=width)
        visitor.go(path)
        visitor.shot(path)
        assert visitor.axe() == []
        assert not visitor.scrolls_sideways()
