"""Procedures: read from Markdown, checked by line, published and frozen, compared, edited on pages."""

from __future__ import annotations

import textwrap
from pathlib import Path

import psycopg
import pytest
from django.urls import reverse

from engineroom.foundation.tenancy.scope import Identity, acting
from engineroom.kernel.errors import Conflict, InputRefused, NotPermitted
from engineroom.sop import drafts, words
from engineroom.sop.formats import markdown
from engineroom.sop.graph import canonical
from engineroom.sop.models import Procedure, Version
from tests.firm import Firm, connect, enter, typed
from tests.sop.writing import TEXT, procedure_text
from tests.web.conftest import signed_in


@pytest.fixture(scope="module")
def author(firm: Firm) -> Identity:
    """Somebody who may write and publish in the house."""
    user = firm.new_user()
    firm.grant(user, firm.house_id, "lead")
    return user


def versions_of(author: Identity, firm: Firm, key: str) -> list[str]:
    """The hashes of what is published of a procedure."""
    with acting(author, read=[firm.house_id]):
        return list(Version.objects.filter(procedure__key=key).values_list("sha256", flat=True))


def draft_of(author: Identity, firm: Firm, key: str) -> str | None:
    with acting(author, read=[firm.house_id]):
        return Procedure.objects.filter(key=key).values_list("draft", flat=True).first()


def told(text: str) -> list[str]:
    return [f"{p.row}: {p.problem}" for p in markdown.read(textwrap.dedent(text)).problems]


def test_a_text_becomes_the_graph_it_says() -> None:
    graph = markdown.read(TEXT).graph
    assert graph is not None
    assert [(s.key, s.kind) for s in graph.steps] == [
        ("start", "start"),
        ("collect", "task"),
        ("ask_the_client", "client_request"),
        ("both", "fork"),
        ("count", "task"),
        ("count_decides", "choice"),
        ("pay", "task"),
        ("finish", "task"),
        ("finish_escalate", "escalation"),
        ("end", "end"),
        ("both_joins", "join"),
    ]
    assert {(f.source, f.target) for f in graph.flows} == {
        ("start", "collect"),
        ("collect", "ask_the_client"),
        ("ask_the_client", "both"),
        ("both", "count"),
        ("both", "pay"),
        ("count", "count_decides"),
        ("count_decides", "count"),
        ("count_decides", "both_joins"),
        ("pay", "both_joins"),
        ("both_joins", "finish"),
        ("finish", "end"),
    }
    assert graph.by_key["pay"].line == TEXT.split("\n").index("## Pay") + 1


@pytest.mark.parametrize("key", sorted(drafts.library()))
def test_every_ready_procedure_can_be_published(key: str) -> None:
    checked = drafts.check_alone(drafts.library()[key], format="md", file=key)
    assert checked.problems == ()
    assert checked.graph is not None and checked.graph.key == key


def test_problems_of_a_text_name_the_line() -> None:
    front = "---\nprocedure: p\ntitle: P\n---\n"
    assert told("no front") == ["1: the front is missing", "1: no step"]
    assert told(front) == ["5: no step"]
    assert told(front + "## A\n```yaml\nwho: [lead\n```\n") == [
        "7: the head cannot be read: expected ',' or ']', but got '<stream end>'"
    ]
    assert told(front + "## A\n```yaml\nwho: lead\nnext: nowhere\n```\n") == ["8: there is no step 'nowhere'"]
    assert told(front + "## A\n```yaml\nwho: lead\nslaa: 2 days\n```\n") == ["8: a task has no 'slaa'"]
    assert told(front + "## A\n```yaml\nwho: lead\nsla: soon\n```\n")[0].startswith(
        "8: 'soon' is no span of time"
    )
    assert told(front + "## A\n```yaml\nwho: &a lead\ntext: *a\n```\n")[0].startswith(
        "7: the head points at another"
    )
    assert told(front + "## A\n```yaml\nchoice:\n  - if: x\n```\n") == ["7: a branch cannot be read"]
    assert told(front + "## A\n```yaml\nwho: lead\nevidence:\n  - paper: x\n```\n") == [
        "8: a piece of evidence cannot be read"
    ]


def test_a_published_version_is_what_its_hash_says(author: Identity, firm: Firm) -> None:
    with acting(author, write=firm.house_id):
        done = drafts.publish(procedure_text("frozen"))
        row = Version.objects.get(id=done.version_id)
        assert canonical(drafts.graph_of(row.id)).decode() == row.graph
        assert (row.number, row.published_by_id) == (1, author.id)
        with pytest.raises(Conflict, match="says exactly this already"):
            drafts.publish(procedure_text("frozen"))
        assert drafts.publish(procedure_text("frozen", title="Another title")).number == 2


@pytest.mark.behaviour("SOP-01", part="versions")
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE sop_version SET graph = graph || ' '",
        "UPDATE sop_version SET number = number + 1",
        "DELETE FROM sop_version",
        "UPDATE sop_versionstep SET four_eyes = NOT four_eyes",
        "DELETE FROM sop_versionstep",
        "INSERT INTO sop_versionstep (id, version_id, key, kind, four_eyes, may_skip, needs, apart_from) "
        "SELECT gen_random_uuid(), id, 'x', 'task', false, false, '{}', '{}' FROM sop_version LIMIT 1",
    ],
)
def test_a_published_version_cannot_be_changed_even_by_raw_sql(
    author: Identity, firm: Firm, statement: str
) -> None:
    key = f"fixed_{abs(hash(statement)) % 10**9}"
    with acting(author, write=firm.house_id):
        drafts.publish(procedure_text(key))
    with connect() as raw:
        enter(raw, author, read=[firm.house_id], write=firm.house_id)
        with pytest.raises(
            (psycopg.errors.InsufficientPrivilege, psycopg.errors.RaiseException, psycopg.Error)
        ) as e:
            raw.execute(statement)
        assert e.value.sqlstate in ("42501", "ER409")


@pytest.mark.behaviour("SOP-01", part="versions")
def test_a_version_with_another_hash_or_number_is_refused_by_the_database(
    author: Identity, firm: Firm
) -> None:
    with acting(author, write=firm.house_id):
        done = drafts.publish(procedure_text("forged"))
    insert = (
        "INSERT INTO sop_version (id, procedure_id, number, format, source, graph, sha256, note) "
        "SELECT gen_random_uuid(), procedure_id, %s, format, source, %s, sha256, '' "
        "FROM sop_version WHERE id = %s"
    )
    for number, graph, state in ((2, "{}", "ER422"), (7, None, "ER409")):
        with connect() as raw:
            enter(raw, author, read=[firm.house_id], write=firm.house_id)
            if graph is None:
                graph = raw.execute(
                    "SELECT graph FROM sop_version WHERE id = %s", [done.version_id]
                ).fetchone()[0]
            with pytest.raises(psycopg.Error) as refused:
                raw.execute(insert, [number, graph, done.version_id])
            assert refused.value.sqlstate == state


def test_nobody_publishes_without_the_right_to_even_by_raw_sql(author: Identity, firm: Firm) -> None:
    with acting(author, write=firm.house_id):
        done = drafts.publish(procedure_text("not_yours"))
    client = firm.new_client(with_books=False)
    other = client.staff["specialist"]
    with acting(other, write=client.id), pytest.raises(NotPermitted):
        drafts.publish(procedure_text("mine"))
    with connect() as raw:
        enter(raw, other, read=[client.id], write=client.id)
        with pytest.raises(psycopg.Error) as refused:
            raw.execute(
                "INSERT INTO sop_version (id, procedure_id, number, format, source, graph, sha256, note) "
                "SELECT gen_random_uuid(), procedure_id, 2, format, source, graph, sha256, '' "
                "FROM sop_version WHERE id = %s",
                [done.version_id],
            )
        assert refused.value.sqlstate == "ER403"


def test_a_text_with_errors_is_kept_as_a_draft_and_not_published(author: Identity, firm: Firm) -> None:
    text = procedure_text("unfinished").replace("who: specialist", "who: nobody")
    with acting(author, write=firm.house_id):
        with pytest.raises(InputRefused, match="no role 'nobody'"):
            drafts.publish(text)
        assert drafts.save_draft(text).errors == 2
        row = Procedure.objects.get(key="unfinished")
        assert row.draft == text
        assert not row.versions.exists()


def test_what_changed_is_said_step_by_step() -> None:
    before = markdown.read(TEXT).graph
    after = markdown.read(TEXT.replace("## Pay\n", "## Pay\n").replace("The sum", "The total")).graph
    assert before and after
    changed = [c for c in words.changes(before, after) if c.changed]
    assert [c.label for c in changed] == ["Count"]
    assert "The sum" in changed[0].before and "The total" in changed[0].after


# --- pages


def test_a_procedure_is_written_checked_published_and_compared_on_pages(author: Identity, firm: Firm) -> None:
    browser = signed_in(author)
    page = browser.get(reverse("sop:edit", args=["new"]))
    assert page.status_code == 200 and b"new_procedure" in page.content
    text = procedure_text("from_the_page")
    seen = browser.post(
        reverse("sop:check", args=["new"]), {"text": text.replace("go: count", "go: nowhere")}
    )
    assert "no step &#x27;nowhere&#x27;" in seen.content.decode()
    assert draft_of(author, firm, "from_the_page") is None
    kept = browser.post(reverse("sop:save", args=["new"]), {"text": text}, follow=True)
    assert "The draft is kept." in kept.content.decode()
    browser.post(reverse("sop:publish", args=["from_the_page"]), {"text": text, "note": "first"})
    browser.post(
        reverse("sop:publish", args=["from_the_page"]),
        {"text": text.replace("The sum", "The total")},
        follow=True,
    )
    shown = browser.get(reverse("sop:procedure", args=["from_the_page"])).content.decode()
    assert "Version 2" in shown and "first" in shown
    compared = browser.get(
        reverse("sop:diff", args=["from_the_page"]), {"before": 1, "after": 2}
    ).content.decode()
    assert "1 change" in compared and "The total" in compared
    old = browser.get(reverse("sop:version", args=["from_the_page", 1])).content.decode()
    assert "A later version is in use" in old


def test_a_page_that_publishes_errors_keeps_the_draft_and_says_so(author: Identity, firm: Firm) -> None:
    browser = signed_in(author)
    text = procedure_text("half_done")
    browser.post(reverse("sop:save", args=["new"]), {"text": text})
    answer = browser.post(
        reverse("sop:publish", args=["half_done"]),
        {"text": text.replace("who: specialist", "who: boss")},
        follow=True,
    )
    assert "Not published: 2 problems left" in answer.content.decode()
    assert versions_of(author, firm, "half_done") == []
    assert draft_of(author, firm, "half_done")


def test_what_is_published_is_what_was_looked_at_and_by_a_checker_only_what_is_kept(
    author: Identity, firm: Firm
) -> None:
    checker = firm.new_user()
    firm.grant(checker, firm.house_id, "checker")
    text = procedure_text("looked_at")
    with acting(author, write=firm.house_id):
        drafts.save_draft(text)
    browser, publish = signed_in(checker), reverse("sop:publish", args=["looked_at"])
    shown = browser.get(reverse("sop:procedure", args=["looked_at"])).content.decode()
    seen = drafts.check_alone(text, format="md", file="x").sha256
    assert f'name="seen" value="{seen}"' in shown
    with acting(author, write=firm.house_id):
        drafts.save_draft(text.replace("The sum", "The total"))
    for sent in ({"seen": seen}, {}, {"text": text.replace("The sum", "Mine")}):
        page = reverse("sop:procedure", args=["looked_at"])
        refused = browser.post(publish, sent, follow=True, headers={"referer": f"http://testserver{page}"})
        assert "look again" in refused.content.decode()
    assert versions_of(author, firm, "looked_at") == []
    kept = drafts.check_alone(text.replace("The sum", "The total"), format="md", file="x").sha256
    browser.post(publish, {"seen": kept, "text": text.replace("The sum", "Mine")})
    assert versions_of(author, firm, "looked_at") == [kept]


def test_of_two_who_write_one_text_the_second_is_told_and_keeps_what_was_typed(
    author: Identity, firm: Firm
) -> None:
    browser, text = signed_in(author), procedure_text("two_writers")
    browser.post(reverse("sop:save", args=["new"]), {"text": text, "mark": ""})
    mark = drafts.mark_of(text)
    edit, save = (reverse(f"sop:{verb}", args=["two_writers"]) for verb in ("edit", "save"))
    assert f'name="mark" value="{mark}"' in browser.get(edit).content.decode()
    first, second = text.replace("The sum", "First"), text.replace("The sum", "Second")
    browser.post(save, {"text": first, "mark": mark})
    publish = reverse("sop:publish", args=["two_writers"])
    for address, begun in ((save, mark), (publish, mark), (reverse("sop:save", args=["new"]), "")):
        refused = browser.post(address, {"text": second, "mark": begun})
        shown = refused.content.decode()
        assert refused.status_code == 409 and "since you began" in shown and "Second" in shown
        assert draft_of(author, firm, "two_writers") == first
    assert f'name="mark" value="{drafts.mark_of(first)}"' in shown
    browser.post(save, {"text": second, "mark": drafts.mark_of(first)})
    assert draft_of(author, firm, "two_writers") == second


def test_the_command_line_checks_files_by_line(tmp_path: Path, firm: Firm) -> None:
    good = tmp_path / "good.md"
    good.write_text(procedure_text("typed"))
    assert typed("procedures", "check", good, "pay_and_bill_week").returncode == 0
    good.write_text(procedure_text("typed").replace("go: count", "go: nowhere"))
    done = typed("procedures", "check", good)
    assert done.returncode == 1 and "no step 'nowhere'" in done.stdout


def test_a_note_that_does_not_fit_is_refused_and_a_long_title_is_warned_of(firm: Firm) -> None:
    text = procedure_text("said_at_length").replace("## Collect\n", f"## {'Collect ' * 30}\n```yaml\n", 1)
    text = text.replace("```yaml\n```yaml\n", "```yaml\nkey: collect\n", 1)
    [long] = [p for p in drafts.check(text).problems if "letters" in p.problem]
    assert long.severity == "warning" and "the title of collect has 239 letters" in long.problem
    with (
        acting(firm.owner, write=firm.house_id),
        pytest.raises(InputRefused, match="the note has 301 letters"),
    ):
        drafts.publish(text, note="x" * 301)
    with acting(firm.owner, write=firm.house_id):
        done = drafts.publish(text, note="x" * 300)
        assert drafts.version_of(done.version_id).note == "x" * 300
