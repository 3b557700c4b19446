"""The thread's layout: every node has a place of its own inside the grid; lines end at centres."""

import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from engineroom.ui.parts import Edge, Node, Thread
from engineroom.ui.picture import MAX_ROWS, picture_of

LANES = ("a", "b", "c", "d")


@st.composite
def threads(draw):
    sizes = draw(st.lists(st.integers(0, MAX_ROWS + 3), min_size=1, max_size=4))
    nodes = [Node(f"{lane}{i}", lane, "x") for lane, n in zip(LANES, sizes, strict=False) for i in range(n)]
    ids = [n.id for n in nodes]
    edges = []
    if ids:
        end = st.sampled_from(ids)
        edges = draw(st.lists(st.builds(Edge, end, end), max_size=30))
    return Thread(LANES[: len(sizes)], nodes, edges)


@given(threads())
def test_no_two_nodes_share_a_place_and_all_stand_inside_the_grid(thread):
    picture = picture_of(thread)
    for lane in picture.lanes:
        starts = [p.half_row for p in lane.placed]
        assert all(1 <= s <= picture.half_rows - 1 for s in starts)
        assert all(b - a >= 2 for a, b in pairwise(starts))
    shown = sum(len(lane.placed) for lane in picture.lanes)
    assert (f"{len(thread.nodes) - shown} more" in picture.more) == (shown < len(thread.nodes))


@given(threads())
def test_every_line_stays_inside_the_picture(thread):
    picture = picture_of(thread)
    for path, _ in picture.lines:
        assert re.fullmatch(r"[MHVC0-9 ]+", path)


def test_one_node_stands_in_the_middle_of_the_two_it_became():
    nodes = [Node("h", "a", "Hour"), Node("p", "b", "Pay"), Node("c", "b", "Bill")]
    picture = picture_of(Thread(("a", "b"), nodes, [Edge("h", "p"), Edge("h", "c")]))
    assert [[p.half_row for p in lane.placed] for lane in picture.lanes] == [[2], [1, 3]]
    assert [line for line, _ in picture.lines] == [
        "M50 100H93C100 100 100 50 107 50H150",
        "M50 100H93C100 100 100 150 107 150H150",
    ]


def test_an_empty_thread_is_no_error():
    assert picture_of(Thread((), ())).lines == []
    assert picture_of(Thread(("a",), ())).half_rows == 2


def test_a_line_that_skips_a_lane_has_a_place_of_its_own_there():
    """Beside the node of that lane, not behind it: it would seem to come from it."""
    nodes = [Node("a", "a", "Item"), Node("b", "b", "File"), Node("c", "c", "Bank line")]
    picture = picture_of(Thread(("a", "b", "c"), nodes, [Edge("a", "c")]))
    assert [[p.node.id for p in lane.placed] for lane in picture.lanes] == [["a"], ["b"], ["c"]]
    passing = picture.lines[0][0].rpartition(" ")[2]
    (of_file,) = picture.lanes[1].placed
    assert passing != f"{of_file.half_row * 50}H150" and len(picture.lines) == 2
