"""Somebody leaves, comes back, and is entitled to leave, for programs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from engineroom.leave import entitling
from engineroom.people.models import Person
from tests.api.conftest import Caller
from tests.firm import Temp, TestClient, set_up


def test_a_leaver_and_what_stands_open_and_a_return(
    client: TestClient, caller: Callable[..., Caller]
) -> None:
    set_up(client, [Temp("L1", "Lou Reed")])
    priya = caller(client.staff["specialist"])
    with client.acting():
        who = Person.objects.get(client_id=client.id).counterparty_id
    at = f"/clients/{client.code}/people/{who}"
    assert priya.get(f"{at}/leaving").body == {"last_day": None, "said": [], "open_matters": []}
    early = priya.post(f"{at}/re-employ", {"starts": "2027-02-01"})
    assert early.status == 409 and "end it first" in early.body["detail"]
    assert priya.post(f"{at}/end-employment", {"last_day": "2026-12-31", "why": "bored"}).status == 422
    left = priya.post(f"{at}/end-employment", {"last_day": "2026-12-31", "why": "resigned", "note": "to sea"})
    assert left.status == 200, left.body
    seen = priya.get(f"{at}/leaving").body
    assert seen["last_day"] == "2026-12-31"
    assert [(one["why"], one["note"]) for one in seen["said"]] == [("Resigned", "to sea")]
    assert priya.post(f"{at}/re-employ", {"starts": "2026-12-31"}).status == 422
    assert priya.post(f"{at}/re-employ", {"starts": "2027-02-01"}).status == 200
    assert [e["starts"] for e in priya.get(at).body["employments"]][-1] == "2027-02-01"


def test_what_a_kind_entitles_to_is_said_and_shown(client: TestClient, caller: Callable[..., Caller]) -> None:
    with client.acting():
        entitling.offer_ready_kinds()
    priya, at = caller(client.staff["specialist"]), f"/clients/{client.code}/leave/entitlements"
    law = [row for row in priya.get(at).body if row["kind"] == "annual"]
    assert [row["ends"] for row in law] == [None]
    starts = date.fromisoformat(law[0]["starts"]).replace(year=2030).isoformat()
    asked = {"kind": "annual", "starts": starts, "weeks": "6.5", "carry_weeks": "1", "carry_months": 3}
    done = priya.post(at, asked)
    assert done.status == 200, done.body
    now = [row for row in priya.get(at).body if row["kind"] == "annual"]
    assert [row["weeks"] for row in now] == [law[0]["weeks"], "6.5"] and now[0]["ends"] is not None
    assert priya.post(at, asked | {"weeks": "6.1234567"}).status == 422
    assert priya.post(at, asked | {"kind": "none"}).status == 404
    assert caller(client.staff["bookkeeper"]).post(at, asked | {"starts": "2031-01-01"}).status == 403
