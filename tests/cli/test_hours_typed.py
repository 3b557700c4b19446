"""Hours at the terminal: a worker enters and sends their own, the firm takes the customer's answer in."""

from __future__ import annotations

from datetime import timedelta

from tests.cli.conftest import Cli
from tests.firm import Firm, give_token
from tests.timesheets.test_entered_weeks import ENDING, MONDAY, placed


def test_a_week_goes_from_its_worker_to_the_customers_answer(cli: Cli, firm: Firm) -> None:
    place = placed(firm)
    here, jo, priya = place.client.code, place.jo, place.client.staff["specialist"]
    for user in (jo, priya):
        give_token(firm, user)
    assert "T1-ACME" in cli("hours", "mine", here, who=jo.email).out
    tuesday = MONDAY + timedelta(days=1)
    days = ("--day", f"{MONDAY}=08:00-16:30-30", "--day", f"{tuesday}=7:30")
    kept = cli("hours", "enter", here, "T1-ACME", str(ENDING), *days, who=jo.email)
    assert kept.code == 0 and "120.00" in kept.out and "112.50" in kept.out, kept.err
    wrong = cli("hours", "enter", here, "T1-ACME", str(ENDING), "--day", f"{MONDAY}=soon", who=jo.email)
    assert wrong.code == 2 and "Write hours as 7:30" in wrong.out
    assert "15.50 hours" in cli("hours", "send", here, "T1-ACME", str(ENDING), who=jo.email).out
    assert "draft again" in cli("hours", "take-back", here, "T1-ACME", str(ENDING), who=jo.email).out
    assert cli("hours", "send", here, "T1-ACME", str(ENDING), who=jo.email).code == 0
    assert cli("hours", "sent", here, who=jo.email).code != 0, "the firm's list is not a worker's"
    with place.client.acting():
        from engineroom.timesheets import entered

        [view] = entered.waiting()
    assert "Jo Bloggs" in cli("hours", "sent", here, who=priya.email).out
    said = ("--said-by", "Ann, by phone", "--dispute", f"{MONDAY}=left early")
    done = cli("hours", "answer", here, str(view.id), *said, who=priya.email)
    assert done.code == 0 and "2 days, 1 charges held" in done.out, done.err
