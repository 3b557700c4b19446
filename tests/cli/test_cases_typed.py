"""Cases from their first step to their last, moved between versions, and answers by mail, as typed."""

from __future__ import annotations

import mailbox
import re
from pathlib import Path
from uuid import UUID

import pytest
from tests.cli.conftest import Cli
from tests.firm import Firm, TestClient
from tests.sop.writing import procedure_text
from tests.web.conftest import letters, outbox, reply  # noqa: F401  the fixture is used by its name

from engineroom.foundation.tenancy.scope import Identity, acting
from engineroom.sop import drafts, services
from engineroom.sop.models import Task
from engineroom.web import request_pages


@pytest.fixture(scope="module")
def procedure(firm: Firm) -> str:
    with acting(firm.owner, write=firm.house_id):
        return drafts.publish(procedure_text("typed_case")).key


@pytest.fixture
def contact(firm: Firm, staffed: TestClient) -> Identity:
    user = firm.new_user("client")
    firm.grant(user, staffed.id, "client_finance")
    return user


def begin(cli: Cli, client: TestClient, procedure: str, who: str) -> None:
    done = cli("cases", "start", client.code, procedure, "--field", "day=2026-11-27", who=who)
    assert done.code == 0, done.err


def the_task(client: TestClient, step: str) -> UUID:
    with client.acting("lead"):
        return Task.objects.get(client_id=client.id, step=step, ended_at=None).id


def test_a_case_is_worked_from_start_to_end(
    cli: Cli, staffed: TestClient, mail: dict[str, str], procedure: str, contact: Identity, tmp_path: Path
) -> None:
    here, priya, lena, omar = staffed.code, mail["specialist"], mail["lead"], mail["checker"]
    begun = cli("cases", "start", here, procedure, "--title", "Nov", "--field", "day=2026-11-27", who=priya)
    assert begun.code == 0 and f"case 1 of {procedure} version 1 has begun" in begun.out, begun.err
    assert cli("cases", "claim", here, 1, "collect", who=priya).code == 0
    nothing = cli("cases", "complete", here, 1, "collect", "--check", 1, who=priya)
    assert nothing.code == 1 and "evidence is missing: The list" in nothing.err
    lost = cli("cases", "complete", here, 1, "collect", "--file", f"list={tmp_path}/no.csv", who=priya)
    assert lost.code == 1 and "there is no file" in lost.err
    paper = tmp_path / "list.csv"
    paper.write_text("the list")
    done = cli("cases", "complete", here, 1, "collect", "--check", 1, "--file", f"list={paper}", who=priya)
    assert done.code == 0 and "collect: done; case 1 is running" in done.out, done.err
    again = cli("cases", "claim", here, 1, "collect", who=priya)
    assert again.code == 1 and "engineroom cases show" in again.err
    asked = the_task(staffed, "ask_the_client")
    with acting(contact, write=staffed.id):
        services.answer(asked, values={"missing": "none"})
    assert cli("cases", "complete", here, 1, "count", "--field", "total=12", who=priya).code == 0
    assert "pay: check" in cli("cases", "complete", here, 1, "pay", "--field", "reference=R1", who=lena).out
    back = cli("cases", "reject", here, 1, "pay", "--reason", "the wrong one", who=omar)
    assert back.code == 0 and "pay: open" in back.out
    assert cli("cases", "complete", here, 1, "pay", "--field", "reference=R2", who=lena).code == 0
    mine = cli("cases", "accept", here, 1, "pay", who=lena)
    assert mine.code == 1 and "maker is not checker" in mine.err
    assert cli("cases", "accept", here, 1, "pay", who=omar).code == 0
    skipped = cli("cases", "skip", here, 1, "finish", "--reason", "all is well", who=lena)
    assert skipped.code == 0 and "case 1 is done" in skipped.out
    shown = cli("cases", "show", here, 1, who=priya).out
    assert "Case 1, Nov: done" in shown and "the wrong one" in shown and "all is well" in shown
    assert "Nov" in cli("cases", "list", here, "--state", "done", who=priya).out
    assert "Nov" not in cli("cases", "list", here, who=priya).out


def test_a_step_that_runs_a_command_is_run_and_what_is_no_command_is_not(
    cli: Cli, staffed: TestClient, mail: dict[str, str], procedure: str
) -> None:
    begin(cli, staffed, procedure, mail["specialist"])
    refused = cli("cases", "run", staffed.code, 1, "collect", who=mail["specialist"])
    assert refused.code == 1 and "runs no command" in refused.err


def test_a_case_is_cancelled_with_what_is_open_in_it(
    cli: Cli, staffed: TestClient, mail: dict[str, str], procedure: str
) -> None:
    begin(cli, staffed, procedure, mail["specialist"])
    empty = cli("cases", "cancel", staffed.code, 1, "--reason", " ", who=mail["specialist"])
    assert empty.code == 2 and "no reason is given" in empty.out
    done = cli("cases", "cancel", staffed.code, 1, "--reason", "sold", who=mail["specialist"])
    assert done.code == 0 and "case 1 is cancelled, 1 open step with it" in done.out
    gone = cli("cases", "cancel", staffed.code, 7, "--reason", "sold", who=mail["specialist"])
    assert gone.code == 1 and "there is no case 7" in gone.err


def test_what_cannot_begin_is_said_field_by_field(
    cli: Cli, staffed: TestClient, mail: dict[str, str], procedure: str
) -> None:
    for fields, code, words in (
        ((), 2, "Day is missing"),
        (("--field", "day=soon"), 2, "is no date"),
        (("--field", "day"), 1, "is no KEY=VALUE"),
        (("--field", "day=2026-11-27", "--field", "x=1"), 2, "no field x"),
    ):
        refused = cli("cases", "start", staffed.code, procedure, *fields, who=mail["specialist"])
        assert refused.code == code and words in refused.out + refused.err, fields
    unknown = cli("cases", "start", staffed.code, "no_such", who=mail["specialist"])
    assert unknown.code == 1 and "no published procedure" in unknown.err
    assert "running" not in cli("cases", "list", staffed.code, who=mail["specialist"]).out


def test_cases_are_rehearsed_moved_and_moved_back(
    cli: Cli, firm: Firm, staffed: TestClient, mail: dict[str, str]
) -> None:
    text = procedure_text("typed_move")
    with acting(firm.owner, write=firm.house_id):
        drafts.publish(text)
    begin(cli, staffed, "typed_move", mail["specialist"])
    with acting(firm.owner, write=firm.house_id):
        drafts.publish(text.replace("## Both", "## Look\n```yaml\nwho: lead\n```\n\n## Both"))
    move = ("cases", "move", staffed.code, "typed_move", "--from", 1, "--to", 2)
    rehearsed = cli(*move, who=mail["lead"])
    assert rehearsed.code == 0 and "safe" in rehearsed.out and "nothing was moved" in rehearsed.out
    assert "version 1" in cli("cases", "show", staffed.code, 1, who=mail["lead"]).out
    refused = cli(*move, "--reason", "better", who=mail["specialist"])
    assert refused.code == 1 and "sop.approve" in refused.err
    moved = cli(*move, "--reason", "better", who=mail["lead"])
    assert moved.code == 0, moved.err
    [batch] = re.findall(r"1 case moved, as one move: (\S+)", moved.out)
    assert "version 2" in cli("cases", "show", staffed.code, 1, who=mail["lead"]).out
    back = cli("cases", "move-back", staffed.code, batch, "--reason", "not yet", who=mail["lead"])
    assert back.code == 0 and "1 case moved back" in back.out
    assert "version 1" in cli("cases", "show", staffed.code, 1, who=mail["lead"]).out


@pytest.mark.usefixtures("outbox")
def test_replies_of_a_maildir_are_answers_and_what_is_none_stays(
    cli: Cli, firm: Firm, staffed: TestClient, mail: dict[str, str], contact: Identity, tmp_path: Path
) -> None:
    ask = "---\nprocedure: typed_ask\ntitle: Asks\n---\n## Ask for it\n```yaml\nask:\n  - text: What it is\n"
    with acting(firm.owner, write=firm.house_id):
        drafts.publish(ask + "```\nPlease tell us.\n")
    for _ in range(2):
        with staffed.acting("specialist"):
            services.start_case("typed_ask")
    with staffed.acting("specialist"):
        tasks = list(Task.objects.filter(client_id=staffed.id, kind="client_request").order_by("id"))
    for task in tasks:
        with staffed.acting("specialist"):
            request_pages.ask_client(task.id)
    first, second = letters(contact.email)
    box = mailbox.Maildir(tmp_path / "box")
    for letter in (reply(first, contact.email, "A lease."), reply(second, "x@elsewhere.example", "A lease.")):
        box.add(mailbox.MaildirMessage(letter))
    taken = cli("mail", "import", tmp_path / "box", who=mail["specialist"])
    assert taken.code == 1 and "answers case 1" in taken.out and "not from whom was asked" in taken.out
    assert len(list((tmp_path / "box" / "cur").iterdir())) == 1
    assert len(list((tmp_path / "box" / "new").iterdir())) == 1
    paper = tmp_path / "answer.eml"
    paper.write_bytes(bytes(reply(second, contact.email, "Another lease.")))
    alone = cli("mail", "import", paper, who=mail["specialist"])
    assert alone.code == 0 and "answer.eml: answers case 2" in alone.out, alone.out + alone.err
    nowhere = cli("mail", "import", tmp_path / "nothing", who=mail["specialist"])
    assert nowhere.code == 1 and "there is no file or maildir" in nowhere.err
