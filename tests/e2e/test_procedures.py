"""A procedure from its text to the scorecard: written, published, run by three people and the client, moved
to its next version while it runs, and counted.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

import pytest

from tests.e2e.conftest import Visitor

pytestmark = pytest.mark.slow

N = "/c/NORTHGATE"
Visit = Callable[..., Visitor]

TEXT = """---
procedure: {key}
title: {title}
fields:
  month: {{title: Month}}
---
The client is told what changed in a month, and agrees.

## Write the letter
```yaml
who: specialist
sla: 1 working day
evidence:
  - text: What it says
    key: words
checks:
  - The figures are those of the pay run
four_eyes: checker
```
One page, and no word that a payroll clerk would have to look up.

## Who has the letter
```yaml
ask:
  - text: Whom it goes to
    key: addressee
sla: 2 working days
```
Please tell us who is to have the letter.

## Send it
```yaml
who: lead
sla: 1 working day
evidence:
  - date: Sent on
    key: sent_on
```
"""

FILED = """
## File it
```yaml
who: specialist
sla: 1 working day
evidence:
  - text: Where it was filed
    key: filed
```
"""


def test_a_procedure_is_written_run_moved_and_counted(visit: Visit) -> None:
    key = f"letter_{uuid.uuid4().hex[:8]}"
    title = f"Letter {key[-4:]}"
    text = TEXT.format(key=key, title=title)
    lena, priya, omar, ivor = (visit(name) for name in ("lena", "priya", "omar", "ivor"))
    written_and_published(lena, key, text)
    promised(lena, title)
    case = begun(priya, key, title)
    sent_back_and_done_again(priya, omar, title, case)
    asked_and_answered(priya, ivor, title, case)
    another_version(lena, key, text)
    moved(lena, key, case)
    finished(lena, priya, case)
    counted(lena, f"{N}/scorecard", title)
    counted(ivor, "/portal/NORTHGATE/service", title)
    seen_narrow_and_dark(visit, key, case)


def written_and_published(lena: Visitor, key: str, text: str) -> None:
    """What is wrong stands beside the text while it is written; a text with errors is not published."""
    page = lena.go("/procedures/new/edit")
    with page.expect_response("**/check"):
        page.get_by_label("Procedure", exact=True).fill(text.replace("who: lead", "who: conductor"))
    seen = page.locator("#seen")
    seen.get_by_text("conductor", exact=False).first.wait_for()
    assert seen.get_by_text("Error").count() == 1
    assert lena.axe() == []
    lena.shot("sop editor with a problem")
    with page.expect_response("**/check"):
        page.get_by_label("Procedure", exact=True).fill(text)
    seen.get_by_text("It can be published.").wait_for()
    assert seen.locator("svg").get_by_text("Write the letter").count(), "the diagram beside the text"
    lena.shot("sop editor")
    page.get_by_role("button", name="Save draft").click()
    page.get_by_text("The draft is kept.").wait_for()
    published(lena, key, 1)
    assert lena.axe() == []
    lena.shot("sop procedure")


def published(lena: Visitor, key: str, number: int) -> None:
    page = lena.page
    page.get_by_role("button", name="Publish", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Publish", exact=True).click()
    page.get_by_text(f"Version {number} is published.").wait_for()
    assert page.url.endswith(f"/procedures/{key}")


def promised(lena: Visitor, title: str) -> None:
    page = lena.go(f"{N}/promises")
    form = page.locator("#promise")
    form.get_by_label("Procedure").select_option(title)
    form.get_by_label("Name").fill("Three working days")
    form.get_by_label("Working hours").fill("24")
    form.get_by_role("button", name="Promise").click()
    page.get_by_text("Promised.", exact=False).wait_for()
    assert lena.axe() == []
    lena.shot("sop promises")


def begun(priya: Visitor, key: str, title: str) -> str:
    page = priya.go(f"{N}/cases?procedure={key}")
    page.get_by_label("Month").fill("November")
    priya.shot("sop begin a case")
    page.get_by_role("button", name=f"Begin {title}").click()
    page.get_by_text("has begun", exact=False).wait_for()
    assert re.search(r"/cases/\d+$", page.url)
    return str(page.url.removeprefix(priya.address))


def from_inbox(visitor: Visitor, step: str, case: str) -> None:
    """Whoever's turn it is finds it under My work."""
    page = visitor.go("/work")
    page.locator(f"a[href='{case}']").filter(has_text=step).click()
    page.wait_for_url(f"**{case}")


def sent_back_and_done_again(priya: Visitor, omar: Visitor, title: str, case: str) -> None:
    """Priya writes, Omar sends it back, she does it again, he accepts. Her own check she cannot do."""
    from_inbox(priya, "Write the letter", case)
    page = priya.page
    page.get_by_role("button", name="Done", exact=True).click()
    page.get_by_text("evidence is missing", exact=False).first.wait_for()
    priya.shot("sop refused without evidence")
    write(priya, "Pay rose by 3 %.")
    assert page.get_by_role("button", name="Accept", exact=True).count() == 0, "maker is not checker"
    from_inbox(omar, "Check: Write the letter", case)
    page = omar.page
    page.get_by_role("button", name="Send back", exact=True).first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("Say from which day")
    omar.shot("sop send back asks why")
    dialog.get_by_role("button", name="Send back", exact=True).click()
    page.get_by_text("Sent back, with your reason.").wait_for()
    page = priya.go("/work")
    assert page.get_by_role("row").filter(has_text=title).get_by_text("sent back 1 time").is_visible()
    assert priya.axe() == []
    priya.shot("sop inbox")
    from_inbox(priya, "Write the letter", case)
    assert priya.page.get_by_text("Say from which day").first.is_visible()
    assert priya.axe() == []
    priya.shot("sop case sent back")
    write(priya, "Pay rose by 3 % from 1 November.")
    from_inbox(omar, "Check: Write the letter", case)
    assert omar.page.get_by_text("Pay rose by 3 % from 1 November.").first.is_visible()
    omar.shot("sop case to check")
    omar.page.get_by_role("button", name="Accept", exact=True).click()
    omar.page.get_by_text("Accepted.").wait_for()


def write(priya: Visitor, words: str) -> None:
    page = priya.page
    page.get_by_role("textbox", name="What it says").fill(words)
    page.get_by_role("checkbox", name="The figures are those of the pay run").check()
    page.get_by_role("button", name="Done", exact=True).click()
    page.get_by_text("It waits for a second person.", exact=False).wait_for()


def asked_and_answered(priya: Visitor, ivor: Visitor, title: str, case: str) -> None:
    """While the client is asked the clock stands still, and both sides read so."""
    page = priya.go(case)
    assert page.get_by_text("the clock stands still", exact=False).first.is_visible()
    priya.shot("sop case waits for the client")
    page = priya.go("/promises")
    row = page.get_by_role("row").filter(has_text=title)
    assert row.get_by_text("stands still").is_visible()
    assert priya.axe() == []
    priya.shot("sop board")
    page = ivor.go("/portal/NORTHGATE")
    page.get_by_role("row").filter(has_text=title).get_by_role("link", name="Who has the letter").click()
    assert page.get_by_text("Our clock stands still until you answer.").is_visible()
    assert ivor.axe() == []
    page.get_by_label("Whom it goes to").fill("The branch managers")
    ivor.shot("sop portal request")
    page.get_by_role("button", name="Send", exact=True).click()
    page.get_by_text("our clock runs again", exact=False).wait_for()
    page = priya.go(case)
    assert page.get_by_text("The branch managers").first.is_visible()
    assert page.get_by_text("The clock goes on").is_visible()


def another_version(lena: Visitor, key: str, text: str) -> None:
    page = lena.go(f"/procedures/{key}/edit")
    page.get_by_label("Procedure", exact=True).fill(text + FILED)
    page.get_by_label("What is new in this version").fill("The letter is filed")
    published(lena, key, 2)
    page.get_by_role("link", name="What changed").click()
    page.wait_for_url("**/diff")
    assert page.get_by_text("File it").first.is_visible()
    assert lena.axe() == []
    lena.shot("sop what changed")


def moved(lena: Visitor, key: str, case: str) -> None:
    """A rehearsal moves nothing; going moves what is safe."""
    page = lena.go(case)
    page.get_by_role("link", name="A later version is in use").click()
    assert page.get_by_label("From version").input_value() == "1"
    assert page.get_by_label("To version").input_value() == "2"
    page.get_by_role("button", name="Rehearse").click()
    page.get_by_text("Safe", exact=True).wait_for()
    assert page.get_by_text("stays at Send it").is_visible()
    assert lena.axe() == []
    lena.shot("sop move rehearsed")
    reason = page.get_by_label("Reason")
    reason.fill("Letters are filed now")
    page.get_by_role("button", name="Move 1 case").click()
    page.get_by_text("1 case moved.").wait_for()
    lena.shot("sop moved")
    page = lena.go(case)
    assert page.get_by_role("link", name=re.compile("version 2$")).is_visible()
    assert page.get_by_text("The case goes on by version 2").is_visible()


def finished(lena: Visitor, priya: Visitor, case: str) -> None:
    """The step that the new version added is asked for; then the case is over."""
    from_inbox(lena, "Send it", case)
    lena.page.get_by_label("Sent on").fill("2026-11-20")
    lena.page.get_by_role("button", name="Done", exact=True).click()
    lena.page.get_by_text("Done.", exact=True).wait_for()
    from_inbox(priya, "File it", case)
    priya.page.get_by_label("Where it was filed").fill("Letters 2026")
    priya.page.get_by_role("button", name="Done", exact=True).click()
    priya.page.get_by_text("The case is finished.", exact=False).wait_for()
    assert priya.axe() == []
    priya.shot("sop case finished")


def counted(visitor: Visitor, path: str, title: str) -> None:
    """The same figures to the firm and to the client, each leading to its cases."""
    page = visitor.go(path)
    assert visitor.axe() == []
    visitor.shot(path)
    row = page.get_by_role("row").filter(has_text=title)
    assert row.get_by_role("cell").last.inner_text() == "1", "sent back once"
    page.get_by_role("link", name=re.compile("Sent back")).click()
    page.wait_for_url("**show=reworked")
    assert page.get_by_role("link", name=title).is_visible()
    page.get_by_role("link", name=re.compile("Right the first time")).click()
    page.wait_for_url("**show=first-time-right")
    assert page.get_by_role("link", name=title).count() == 0
    visitor.go(f"{path}?show=on-time").get_by_role("link", name=title).click()
    page.get_by_role("heading", name="Why").wait_for()
    assert visitor.axe() == []
    visitor.shot(f"{path} clock")


def seen_narrow_and_dark(visit: Visit, key: str, case: str) -> None:
    for theme, width in (("dark", 1440), ("light", 360), ("dark", 360)):
        lena = visit("lena", theme=theme, width=width)
        for path, name in ((f"/procedures/{key}/edit", "sop editor"), (case, "sop case finished")):
            lena.go(path)
            assert lena.axe() == []
            assert not lena.scrolls_sideways()
            lena.shot(name)
