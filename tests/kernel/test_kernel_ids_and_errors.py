from uuid import RFC_4122, UUID

import pytest

from engineroom.kernel.errors import Conflict, InputRefused, NotFound, Problem, errors_of, too_long
from engineroom.kernel.ids import column_to_uuids, uuid7, uuid7_column, uuid7s, uuids_to_column


def test_ids_are_version_7_with_the_rfc_variant():
    for made in (uuid7(), *uuid7s(3)):
        assert made.version == 7
        assert made.variant == RFC_4122


def test_ids_of_one_call_ascend_and_differ_over_every_part_of_the_counter():
    ids = uuid7s(70_000)
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)


def test_a_later_millisecond_gives_a_later_id(monkeypatch):
    moments = iter([1_000_000_000, 1_001_000_000, 2**47 * 1_000_000])
    monkeypatch.setattr("engineroom.kernel.ids.time.time_ns", lambda: next(moments))
    first, second, far = uuid7(), uuid7(), uuid7()
    assert first < second < far
    assert first.bytes[:6] == (1000).to_bytes(6, "big")


def test_ids_go_to_a_column_and_back():
    ids = [UUID(int=0), *uuid7s(5)]
    assert column_to_uuids(uuids_to_column(ids)) == ids
    assert uuid7_column(0).shape == (0, 16)
    with pytest.raises(ValueError, match="ids a call"):
        uuid7_column(-1)


def test_a_refusal_carries_a_status_and_a_stable_code():
    assert (NotFound("x").status, NotFound("x").code) == (404, "NotFound")
    assert Conflict("x").status == 409


def test_problems_say_where_what_and_what_to_do():
    bad = Problem("£5 is not an amount", "Write 5.00", file="hours.csv", row=7, field="rate")
    odd = Problem("nobody worked", "Check the week", severity="warning")
    assert str(bad) == "hours.csv, row 7, rate: £5 is not an amount. Write 5.00"
    assert str(odd) == "nobody worked. Check the week"
    refused = InputRefused([bad, odd])
    assert refused.status == 422
    assert str(refused).splitlines()[0] == "1 problem in the input; nothing was taken"
    assert errors_of(refused.problems) == [bad]
    assert bad.as_dict()["row"] == 7


def test_a_text_that_does_not_fit_is_refused_and_the_limit_is_said():
    assert too_long("reason", " " + "x" * 300 + "\n", 300) == []
    (bad,) = too_long("note", "x" * 4_001, 4_000)
    assert str(bad) == "note: the note has 4,001 letters. Say it in up to 4,000"
