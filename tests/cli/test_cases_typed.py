"""Cases from their first step to their last, moved between versions, and answers by mail, as typed."""

from __future__ import annotations

import mailbox
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from tests.cli.conftest import Cli
from tests.firm import Firm, TestClient, give_token
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


def test_a_step_goes_from_hand_to_hand_and_each_says_why(
    cli: Cli, staffed: TestClient, mail: dict[str, str], procedure: str
) -> None:
    here, priya, lena = staffed.code, mail["specialist"], mail["lead"]
    begin(cli, staffed, procedure, priya)
    assert re.search(r"collect\s+Collect", cli("cases", "inbox", who=priya).out)
    assert cli("cases", "claim", here, 1, "collect", who=priya).code == 0
    nobody = cli("cases", "delegate", here, 1, "collect", "--to", "x@x.example", "--reason", "x", who=priya)
    assert nobody.code == 1 and "there is no user x@x.example" in nobody.err
    given = cli("cases", "delegate", here, 1, "collect", "--to", lena, "--reason", "on leave", who=priya)
    assert given.code == 0 and "collect: open" in given.out, given.err
    taken = cli("cases", "release", here, 1, "collect", who=priya)
    assert taken.code == 1 and "ask them to release it" in taken.err
    back = cli("cases", "release", here, 1, "collect", "--reason", "no time", who=lena)
    assert back.code == 0, back.err
    called = cli("cases", "escalate", here, 1, "collect", "--to", "lead", "--reason", "they wait", who=priya)
    assert called.code == 0, called.err
    wrong = cli("cases", "escalate", here, 1, "collect", "--to", "auditor", "--reason", "x", who=priya)
    assert wrong.code == 2 and "cannot be called here" in wrong.out
    assert cli("cases", "comment", here, 1, "They wait for us.", "--step", "collect", who=priya).code == 0
    none = cli("cases", "comment", here, 9, "Hello", who=priya)
    assert none.code == 1 and "there is no case 9" in none.err
    shown = cli("cases", "show", here, 1, who=priya).out
    for words in ("on leave", "no time", "they wait", "They wait for us."):
        assert words in shown


def test_evidence_is_shown_piece_by_piece(
    cli: Cli, staffed: TestClient, mail: dict[str, str], procedure: str, tmp_path: Path
) -> None:
    here, priya = staffed.code, mail["specialist"]
    begin(cli, staffed, procedure, priya)
    none = cli("cases", "evidence", here, 1, "collect", who=priya)
    assert none.code == 1 and "give --field or --file" in none.err
    wrong = cli("cases", "evidence", here, 1, "collect", "--field", "colour=red", who=priya)
    assert wrong.code == 2 and "asks for no colour" in wrong.out
    paper = tmp_path / "list.csv"
    paper.write_text("the list")
    shown = cli("cases", "evidence", here, 1, "collect", "--file", f"list={paper}", who=priya)
    assert shown.code == 0 and "collect: list is shown" in shown.out, shown.err
    assert cli("cases", "complete", here, 1, "collect", "--check", 1, who=priya).code == 0


def test_what_is_due_moves_to_a_moment_still_to_come(
    cli: Cli, staffed: TestClient, mail: dict[str, str], procedure: str
) -> None:
    here, priya = staffed.code, mail["specialist"]
    begin(cli, staffed, procedure, priya)
    due = ("cases", "due", here, 1, "collect", "--reason", "the client is closed", "--at")
    for at, code, words in (("soon", 1, "is no day and time"), ("2020-01-01T10:00", 2, "is over already")):
        refused = cli(*due, at, who=priya)
        assert refused.code == code and words in refused.out + refused.err
    moment = datetime.now(UTC) + timedelta(days=9)
    assert cli(*due, f"{moment:%Y-%m-%dT%H:%M}", who=priya).code == 0
    shown = cli("cases", "show", here, 1, who=priya).out
    assert f"{moment:%H:%M} UTC" in shown and "the client is closed" in shown


@pytest.mark.usefixtures("outbox")
def test_a_client_answers_what_it_is_asked_and_sees_no_case(
    cli: Cli, firm: Firm, staffed: TestClient, mail: dict[str, str], contact: Identity, tmp_path: Path
) -> None:
    text = procedure_text("typed_answer").replace("  - text: What is missing", "  - file: What is missing")
    with acting(firm.owner, write=firm.house_id):
        drafts.publish(text)
    give_token(firm, contact)
    here, priya, them = staffed.code, mail["specialist"], contact.email
    begin(cli, staffed, "typed_answer", priya)
    cli("cases", "skip", here, 1, "collect", "--reason", "known", who=mail["lead"])
    assert "missing (file)" in cli("cases", "requests", here, who=them).out
    assert "missing (file)" in cli("cases", "requests", here, who=priya).out
    assert "there is no client" in cli("cases", "show", here, 1, who=them).err
    assert "there is no client" in cli("cases", "comment", here, 1, "Hello", who=them).err
    assert (
        "1 of the client's were asked by mail"
        in cli("cases", "ask", here, 1, "ask_the_client", who=priya).out
    )
    staff = cli("cases", "answer", here, 1, "ask_the_client", who=priya)
    assert staff.code == 1 and "sop.answer" in staff.err
    empty = cli("cases", "answer", here, 1, "ask_the_client", who=them)
    assert empty.code == 1 and "evidence is missing: What is missing" in empty.err
    paper = tmp_path / "missing.csv"
    paper.write_text("nothing")
    done = cli("cases", "answer", here, 1, "ask_the_client", "--file", f"missing={paper}", who=them)
    assert done.code == 0 and "ask_the_client: done" in done.out, done.err
    again = cli("cases", "answer", here, 1, "ask_the_client", who=them)
    assert again.code == 1 and f"engineroom cases requests {here}" in again.err


def test_a_case_that_waits_goes_on_when_what_it_waits_for_is_said_to_have_come(
    cli: Cli, firm: Firm, staffed: TestClient, mail: dict[str, str]
) -> None:
    text = "---\nprocedure: typed_wait\ntitle: Waits\n---\n## The bank\n```yaml\nwait: statement\n```\n"
    with acting(firm.owner, write=firm.house_id):
        drafts.publish(text + "## Look\n```yaml\nwho: specialist\n```\n")
    assert cli("cases", "start", staffed.code, "typed_wait", who=mail["specialist"]).code == 0
    other = cli("cases", "message", staffed.code, 1, "payslip", who=mail["specialist"])
    assert other.code == 1 and "but for statement" in other.err
    came = cli("cases", "message", staffed.code, 1, "statement", who=mail["specialist"])
    assert came.code == 0 and "case 1 goes on" in came.out
    assert "look" in cli("cases", "show", staffed.code, 1, who=mail["specialist"]).out
