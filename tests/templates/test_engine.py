"""What a template, a client's own values and what stands come to; pure."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engineroom.templates import engine
from engineroom.templates.engine import WHOLE

TEXTS = st.sampled_from(["", "1", "2", "3"])
FIELDS = st.dictionaries(st.sampled_from(["f", "g", "h"]), TEXTS, min_size=1)
ITEMS = st.dictionaries(st.sampled_from(["a", "b", "c"]), FIELDS)
PARTS = st.dictionaries(st.sampled_from(["p", "q"]), ITEMS)
ADDRESSES = st.tuples(
    st.sampled_from(["p", "q"]), st.sampled_from(["a", "b", "c"]), st.sampled_from(["f", "g", "h", WHOLE])
)
OWN = st.dictionaries(ADDRESSES, TEXTS)


def flat(parts: engine.Parts) -> dict[engine.Address, str]:
    return {
        (p, i, f): text
        for p, items in parts.items()
        for i, fields in items.items()
        for f, text in fields.items()
    }


@given(PARTS, OWN, PARTS)
def test_once_it_is_done_everything_stands_as_wanted_and_nothing_is_left_to_do(said, own, stands):
    made = engine.changes(engine.compare(said, own, stands), stands)
    after = engine.done(stands, made)
    again = engine.compare(said, own, after)
    assert not any(value.is_open for value in again)
    assert engine.changes(again, after) == []


@given(PARTS, OWN, PARTS)
def test_a_clients_own_value_wins_and_what_it_is_without_is_left_alone(said, own, stands):
    after = flat(engine.done(stands, engine.changes(engine.compare(said, own, stands), stands)))
    before = flat(stands)
    for part, item, field in engine.addresses(said):
        if (part, item, WHOLE) in own:
            assert after.get((part, item, field)) == before.get((part, item, field))
        else:
            assert after[(part, item, field)] == own.get((part, item, field), said[part][item][field])


@given(PARTS, OWN, PARTS)
def test_what_nobody_says_is_never_changed(said, own, stands):
    after = flat(engine.done(stands, engine.changes(engine.compare(said, own, stands), stands)))
    unsaid = set(flat(stands)) - engine.addresses(said)
    assert {at: after[at] for at in unsaid} == {at: text for at, text in flat(stands).items() if at in unsaid}
    assert set(after) <= set(flat(stands)) | engine.addresses(said)


@given(PARTS, OWN, PARTS)
def test_every_value_said_is_told_once_and_only_what_differs_is_changed(said, own, stands):
    values = engine.compare(said, own, stands)
    told = [value.address for value in values]
    assert len(told) == len(set(told))
    covered = {(p, i) for p, i, _ in told}
    assert covered == {(p, i) for p, i, _ in engine.addresses(said)}
    for change in engine.changes(values, stands):
        before = change.before or {}
        differs = {name for name, text in change.after.items() if before.get(name) != text}
        assert differs <= set(change.changed) or change.before is None


@given(PARTS, PARTS)
def test_what_differs_between_versions_leads_from_one_to_the_other(before, after):
    found = engine.between(before, after)
    old, new = flat(before), flat(after)
    changed = {(b.part, b.item, b.field) for b in found}
    assert all(old.get(at) == new.get(at) for at in set(old) | set(new) if at not in changed)
    assert all(old.get(at) != new.get(at) for at in changed)
    for b in found:
        at = (b.part, b.item, b.field)
        assert (b.before, b.after) == (old.get(at, ""), new.get(at, ""))


def test_a_value_that_stands_otherwise_is_said_with_all_three():
    said = {"p": {"a": {"f": "1", "g": "2"}, "b": {"f": "1"}}}
    own = {("p", "a", "g"): "3", ("p", "b", WHOLE): ""}
    [f, g, b] = engine.compare(said, own, {"p": {"a": {"f": "9", "g": "3"}}})
    assert (f.state, f.wanted, f.stands) == ("differs", "1", "9")
    assert (g.state, g.wanted, g.stands) == ("own", "3", "3")
    assert (b.state, b.stands, b.is_open) == ("without", None, False)
