"""Commands: who may, what happens once, what is left after an error."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from tests.firm import TestClient

from engineroom.foundation import numbering, prepared
from engineroom.foundation.access import services as access
from engineroom.foundation.audit.models import AuditEvent
from engineroom.foundation.commands import REGISTRY, KeyReused, KeyTooLong, command
from engineroom.foundation.commands.models import CommandRun
from engineroom.foundation.numbering.models import NumberSeries
from engineroom.foundation.tenancy.scope import OutsideActing, acting
from engineroom.kernel.errors import Conflict, NotPermitted
from engineroom.kernel.ids import uuid7


@dataclass(frozen=True)
class Counted:
    """A receipt with every kind of value that receipts have."""

    thing_id: UUID
    day: date
    first: int
    names: list[str]

    @property
    def subject(self) -> str:
        return f"thing:{self.thing_id}"


class Broken(Conflict):
    pass


@pytest.fixture(scope="module")
def commands() -> Iterator[dict[str, Any]]:
    """Commands of the test's own, gone from the registry afterwards."""

    @command("payroll.prepare", name="test.count")
    def count(day: date, *, many: int = 1, note: str = "") -> Counted:
        """Take numbers."""
        return Counted(uuid7(), day, numbering.take("counted", many), [note, "é"])

    @command("payroll.prepare", name="test.count_twice")
    def count_twice(day: date) -> list[int]:
        return [count(day).first, count(day).first]

    @command("payroll.prepare", name="test.also_count")
    def also_count(day: date) -> int:
        return count(day).first

    @command("payroll.prepare", name="test.break")
    def break_off(day: date) -> int:
        count(day)
        raise Broken("half way")

    @command("payroll.prepare", name="test.carry_on")
    def carry_on(day: date) -> int:
        try:
            break_off(day)
        except Broken:
            return numbering.take("carried on")
        raise AssertionError("it did not break")

    def threshold() -> int | None:
        return connection.connection.prepare_threshold

    @command("payroll.prepare", name="test.large")
    def large() -> int | None:
        return threshold()

    @command("payroll.prepare", name="test.brief", brief=True)
    def brief() -> list[int | None]:
        return [threshold(), large(), threshold()]

    made = {
        "large": large,
        "brief": brief,
        "count": count,
        "count_twice": count_twice,
        "also_count": also_count,
        "break": break_off,
        "carry_on": carry_on,
    }
    yield made
    for name in [n for n in REGISTRY if n.startswith("test.")]:
        del REGISTRY[name]


DAY = date(2026, 11, 27)


def runs(client: TestClient, name: str = "test.count") -> list[CommandRun]:
    with acting(client.staff["lead"], read=[client.id]):
        return list(CommandRun.objects.filter(client_id=client.id, name=name).order_by("id"))


def taken(client: TestClient, series: str = "counted") -> int:
    with acting(client.staff["lead"], read=[client.id]):
        row = NumberSeries.objects.filter(client_id=client.id, series=series).first()
        return row.next_number - 1 if row else 0


def test_a_command_runs_only_for_a_role_that_holds_its_permission(commands, client):
    for role in ("owner", "checker", "bookkeeper"):
        with pytest.raises(NotPermitted, match=r"payroll\.prepare"), client.acting(role):
            commands["count"](DAY)
    assert taken(client) == 0
    for role in ("specialist", "lead"):
        with client.acting(role):
            commands["count"](DAY)
    assert taken(client) == 2


def test_a_command_runs_only_inside_acting_and_only_with_a_client_to_write(commands, client):
    with pytest.raises(OutsideActing):
        commands["count"](DAY)
    with pytest.raises(OutsideActing), acting(client.staff["specialist"], read=[client.id]):
        commands["count"](DAY)


def test_a_permission_on_one_client_is_none_on_another(commands, firm, client, other_client):
    user = client.staff["specialist"]
    firm.grant(user, other_client.id, "checker")
    with acting(user, read=[client.id], write=other_client.id), pytest.raises(NotPermitted):
        commands["count"](DAY)


def test_the_system_may_what_the_one_who_set_it_off_still_may(commands, client):
    with acting(access.system_user(), write=client.id, on_behalf=client.staff["specialist"]):
        commands["count"](DAY)
    with (
        pytest.raises(NotPermitted, match=client.staff["checker"].email),
        acting(access.system_user(), write=client.id, on_behalf=client.staff["checker"]),
    ):
        commands["count"](DAY)
    with pytest.raises(NotPermitted), acting(access.system_user(), write=client.id):
        commands["count"](DAY)


def test_the_same_key_returns_the_stored_receipt_and_does_nothing_again(commands, client):
    with client.acting():
        first = commands["count"](DAY, many=2, note="x", key="k1")
    with client.acting():
        again = commands["count"](DAY, many=2, note="x", key="k1")
        assert commands["count"](DAY, many=2, note="x", key="k1") == first, "also in the same transaction"
    assert again == first and isinstance(again, Counted)
    assert (again.day, again.first, again.names) == (DAY, 1, ["x", "é"])
    assert taken(client) == 2 and len(runs(client)) == 1


def test_defaults_and_order_of_arguments_do_not_make_another_request(commands, client):
    with client.acting():
        first = commands["count"](DAY, key="k1")
        assert commands["count"](day=DAY, note="", many=1, key="k1") == first


def test_the_same_key_with_another_request_is_a_conflict(commands, client):
    with client.acting():
        commands["count"](DAY, key="k1")
    with pytest.raises(KeyReused) as refused, client.acting():
        commands["count"](DAY, many=3, key="k1")
    assert refused.value.status == 409
    assert taken(client) == 1


def test_a_key_is_of_one_client_and_one_command(commands, client, other_client):
    with client.acting():
        commands["count"](DAY, key="k1")
        commands["also_count"](DAY, key="k1")
    with other_client.acting():
        commands["count"](DAY, many=4, key="k1")
    assert (taken(client), taken(other_client)) == (2, 4)


def test_somebody_who_may_not_gets_no_stored_receipt_either(commands, client):
    with client.acting("specialist"):
        commands["count"](DAY, key="k1")
    with pytest.raises(NotPermitted), client.acting("checker"):
        commands["count"](DAY, key="k1")


def test_without_a_key_every_call_is_its_own(commands, client):
    with client.acting():
        assert commands["count"](DAY) != commands["count"](DAY)


def test_a_key_longer_than_is_kept_is_refused_before_anything_happens(commands, client):
    with pytest.raises(KeyTooLong), client.acting():
        commands["count"](DAY, key="k" * 101)
    with client.acting():
        commands["count_twice"](DAY, key="k" * 100)


def test_two_connections_that_race_on_one_key_do_the_work_once(commands, client):
    together = Barrier(4)

    def call(_: int) -> Counted:
        try:
            together.wait(timeout=10)
            with client.acting():
                return commands["count"](DAY, many=3, key="race")
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        receipts = list(pool.map(call, range(4)))
    assert len(set(map(repr, receipts))) == 1
    assert taken(client) == 3 and len(runs(client)) == 1


def test_a_race_lost_to_another_request_is_a_conflict(commands, client):
    together = Barrier(2)

    def call(many: int) -> object:
        try:
            together.wait(timeout=10)
            with client.acting():
                return commands["count"](DAY, many=many, key="race")
        except KeyReused as refused:
            return refused
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(call, (1, 2)))
    assert sorted(type(o).__name__ for o in outcomes) == ["Counted", "KeyReused"]
    assert taken(client) in (1, 2) and len(runs(client)) == 1


def test_a_nested_command_runs_under_its_parents_name_and_key(commands, client):
    with client.acting():
        assert commands["also_count"](DAY, key="outer") == 1
    [nested] = runs(client)
    assert nested.key.startswith("outer/test.also_count/")
    with client.acting():
        assert commands["also_count"](DAY, key="outer") == 1
    assert taken(client) == 1


def test_the_same_nested_request_happens_once_under_one_parent(commands, client):
    with client.acting():
        assert commands["count_twice"](DAY, key="outer") == [1, 1]
        assert commands["count_twice"](DAY, key="another") == [2, 2]


def test_two_commands_with_one_key_do_not_take_each_others_nested_work_for_done(commands, client):
    with client.acting():
        assert commands["also_count"](DAY, key="same") == 1
        assert commands["count_twice"](DAY, key="same") == [2, 2]


def test_only_a_brief_command_prepares_what_it_asks_and_not_for_those_it_calls(commands, client):
    with client.acting("specialist"):
        assert commands["large"]() is None
        assert commands["brief"]() == [prepared.OFTEN, None, prepared.OFTEN]
        assert connection.connection.prepare_threshold is None
    assert connection.connection.prepare_threshold == prepared.OFTEN


def test_an_error_leaves_nothing_of_the_command(commands, client):
    with pytest.raises(Broken), client.acting():
        commands["break"](DAY, key="k1")
    assert taken(client) == 0 and not runs(client) and not runs(client, "test.break")
    with acting(client.staff["lead"], read=[client.id]):
        assert not AuditEvent.objects.filter(client_id=client.id, verb__startswith="test.").exists()


def test_an_error_that_the_caller_survives_leaves_nothing_of_the_command_either(commands, client):
    with client.acting():
        assert commands["carry_on"](DAY, key="k1") == 1
    assert taken(client) == 0, "what the broken command wrote is undone"
    assert taken(client, "carried on") == 1
    assert not runs(client) and not runs(client, "test.break") and len(runs(client, "test.carry_on")) == 1


def test_a_command_leaves_an_audit_event_with_who_what_and_on_which_subject(commands, client):
    lead, checker = client.staff["lead"], client.staff["checker"]
    with acting(lead, write=client.id, on_behalf=checker):
        receipt = commands["count"](DAY, note="why", key="k1")
    with acting(lead, read=[client.id]):
        event = AuditEvent.objects.get(client_id=client.id, verb="test.count")
    assert (event.user_id, event.on_behalf_id) == (lead.id, checker.id)
    assert (event.subject_kind, event.subject_id) == ("thing", receipt.thing_id)
    assert event.detail["request"] == {"day": "2026-11-27", "many": 1, "note": "why"}
    assert event.detail["result"]["first"] == 1 and event.detail["key"] == "k1"


def test_two_commands_cannot_have_one_name(commands):
    with pytest.raises(RuntimeError, match="two commands"):
        command("payroll.prepare", name="test.count")(lambda: None)


def test_every_command_names_a_permission_of_some_role_and_says_what_it_does():
    from engineroom.foundation.access.roles import ROLES

    ours = [c for c in REGISTRY.values() if not c.name.startswith("test.")]
    assert len(ours) > 20
    for registered in ours:
        assert registered.summary, registered.name
        assert any(role.may(registered.permission) for role in ROLES.values()), registered


def test_no_command_has_an_argument_that_would_be_taken_for_its_key() -> None:
    def takes_a_key(key: str) -> None:
        pass

    with pytest.raises(RuntimeError, match="idempotency key"):
        command("payroll.prepare", name="test.takes_a_key")(takes_a_key)
