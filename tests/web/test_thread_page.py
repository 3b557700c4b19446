"""The thread as a page: the whole chain, both ways, for whoever may see it."""

from __future__ import annotations

from uuid import UUID

import pytest

from engineroom.foundation import thread
from engineroom.foundation.audit.models import AuditEvent
from engineroom.foundation.tenancy.scope import acting
from engineroom.timesheets import selectors as timesheets
from tests.firm import MONDAY, Temp, TestClient, run_payday, set_up
from tests.web.conftest import signed_in

KINDS_OF_AN_HOUR = {
    "import", "hour", "payable", "billable", "payslip", "item", "payment", "batch", "invoice_line", "invoice",
    "entry",
}  # fmt: skip


@pytest.fixture
def paid(client: TestClient) -> TestClient:
    temps = [Temp("T1", "Asha Rao"), Temp("T2", "Ben Okri")]
    set_up(client, temps)
    run_payday(client, temps)
    return client


def an_hour(client: TestClient, number: str = "T1") -> UUID:
    with acting(client.staff["lead"], read=[client.id]):
        return thread.find(f"hour:{number}@{MONDAY}")[1]


def test_an_hour_is_followed_to_everything_it_became(paid: TestClient):
    with acting(paid.staff["lead"], read=[paid.id]):
        found = thread.graph("hour", an_hour_inside("T1"))
        kinds = {kind for kind, _ in found.nodes}
        assert kinds == KINDS_OF_AN_HOUR and not found.more
        assert {key for edge in found.edges for key in edge} == set(found.nodes), "everything hangs together"


def an_hour_inside(number: str) -> UUID:
    return thread.find(f"hour:{number}@{MONDAY}")[1]


def test_the_graph_says_what_the_trees_say(paid: TestClient):
    """The picture and the command line's trees are two walks of the same thread."""

    def keys(tree: thread.Tree) -> set[thread.Key]:
        return {(tree.node.kind, tree.node.id)}.union(*(keys(branch) for branch in tree.branches))

    with acting(paid.staff["lead"], read=[paid.id]):
        for reference in (f"hour:T1@{MONDAY}", "payslip:1/T2", "invoice:INV-000001", "batch:ER000001"):
            kind, node_id = thread.find(reference)
            trees = [keys(thread.walk(kind, node_id, forward=way)) for way in (True, False)]
            assert set(thread.graph(kind, node_id).nodes) == trees[0] | trees[1], reference


def test_what_is_left_out_is_counted(paid: TestClient):
    with acting(paid.staff["lead"], read=[paid.id]):
        kind, node_id = thread.find("batch:ER000001")
        found = thread.graph(kind, node_id, limit=1)
        assert found.more["payment"] == 1


@pytest.mark.parametrize("number", ["T1", "T2", "T3"])
def test_what_one_came_from_is_among_those_drawn(client: TestClient, number: str):
    """However few are drawn of what a payment paid: the hour that was followed here, and its way, are."""
    temps = [Temp("T1", "Asha Rao"), Temp("T2", "Ben Okri"), Temp("T3", "Cy Bell")]
    set_up(client, temps)
    run_payday(client, temps)
    with acting(client.staff["lead"], read=[client.id]):
        hour = ("hour", an_hour_inside(number))
        kind, node_id = thread.find("batch:ER000001")
        found = thread.graph(kind, node_id, limit=1, came_from=hour)
        assert hour in found.nodes
        way = set(thread.graph(*hour).nodes) & {key for key in found.nodes if key[0] != "entry"}
        assert {"payable", "payslip", "payment", "hour"} <= {each for each, _ in way}
        of_each = [sum(k == each for k, _ in found.nodes) for each in thread.DESCRIBE]
        assert max(of_each) == 1, "and no more than the limit"
        assert thread.graph(kind, node_id, limit=1, came_from=("hour", node_id)).nodes
    text = signed_in(client.staff["lead"]).get(f"/c/{client.code}/thread/hour/{hour[1]}").content.decode()
    assert f"/thread/{kind}/{node_id}?from=hour%3A{hour[1]}" in text
    for odd in (f"hour:{hour[1]}", "hour:zz", "nothing", f"hour:{node_id}"):
        url = f"/c/{client.code}/thread/{kind}/{node_id}"
        assert signed_in(client.staff["lead"]).get(url, {"from": odd}).status_code == 200


def test_the_page_shows_each_node_the_books_and_says_that_it_was_read(paid: TestClient):
    node_id = an_hour(paid)
    answer = signed_in(paid.staff["specialist"]).get(f"/c/{paid.code}/thread/hour/{node_id}")
    text = answer.content.decode()
    assert answer.status_code == 200
    for word in ("Asha Rao", "INV-000001", "ER000001", "Balanced", "Paid £", "Worked", "Became"):
        assert word in text, word
    assert "Ben Okri" not in text, "a sister is not on this thread"
    with paid.acting("lead"):
        event = AuditEvent.objects.filter(verb="read", subject_kind="thread").latest("at")
        assert event.subject_id == node_id and event.user_id == paid.staff["specialist"].id


def test_a_reference_leads_to_its_thread_and_an_unknown_one_says_what_to_write(paid: TestClient):
    browser = signed_in(paid.staff["lead"])
    answer = browser.get(f"/c/{paid.code}/thread", {"reference": "INV-000001"})
    assert answer.status_code == 302 and "/thread/invoice/" in answer["Location"]
    answer = browser.get(f"/c/{paid.code}/thread", {"reference": "INV-999999"})
    assert answer.status_code == 404 and "nothing here is called" in answer.content.decode()


def test_another_clients_thread_is_not_there(paid: TestClient, other_client: TestClient):
    node_id = an_hour(paid)
    answer = signed_in(other_client.staff["lead"]).get(f"/c/{other_client.code}/thread/hour/{node_id}")
    assert answer.status_code == 404
    assert (
        signed_in(other_client.staff["lead"]).get(f"/c/{paid.code}/thread/hour/{node_id}").status_code == 404
    )


def test_an_hour_says_which_file_and_row_it_came_in_with_who_took_it_in_and_when_and_back(paid: TestClient):
    lead = signed_in(paid.staff["lead"])
    hour = an_hour(paid, "T2")
    page = lead.get(f"/c/{paid.code}/thread/hour/{hour}").content.decode()
    assert "Brought in" in page and "Row 7 of its file" in page.replace("row 7", "Row 7")
    assert "File hours-2026-11-27.csv, 10 rows of timesheets" in page and "taken in by" in page
    with acting(paid.staff["lead"], read=[paid.id]):
        graph = thread.graph("hour", hour)
        [node] = [node for (kind, _), node in graph.nodes.items() if kind == "import"]
        assert [each for each, _ in graph.nodes].count("hour") == 1, "not the file's other hours"
    assert f"/c/{paid.code}/thread/import/{node.id}" in page
    seen = lead.get(f"/c/{paid.code}/imports/{node.page[1][0]}").content.decode()
    assert seen.count("/thread/hour/") >= 10 and f"/thread/hour/{hour}" in seen
    assert f"/c/{paid.code}/thread/import/{node.id}" in seen
    whole = lead.get(f"/c/{paid.code}/thread/import/{node.id}").content.decode()
    assert f"/thread/hour/{hour}" in whole


def test_a_long_file_lists_its_hours_in_parts(paid: TestClient, other_client: TestClient):
    with acting(paid.staff["lead"], read=[paid.id]):
        _, hour = thread.find(f"hour:T1@{MONDAY}")
        [imported] = [i for kind, i in thread.graph("hour", hour).nodes if kind == "import"]
        first, onward = timesheets.hours_of_import(imported, most=6)
        rest, end = timesheets.hours_of_import(imported, after=onward or 0, most=6)
        assert [h.file_row for h in (*first, *rest)] == list(range(2, 12)) and end is None
    with acting(other_client.staff["lead"], read=[other_client.id]):
        assert timesheets.hours_of_import(imported) == ([], None)
