"""What hours become, against an oracle written from the definitions in plain Decimals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engineroom.timesheets.engine import (
    BASIC,
    KINDS,
    OVERTIME,
    WEEKEND,
    ChargeColumns,
    HourColumns,
    interpret,
)

MONDAY = date(2026, 11, 16)


class Terms(NamedTuple):
    """One week's terms: minutes before overtime, pence an hour, multipliers in parts per million."""

    threshold: int
    pay_rate: int
    bill_rate: int
    overtime_ppm: int
    weekend_ppm: int


class Entry(NamedTuple):
    week: int
    day: date
    minutes: int


Weeks = tuple[list[Terms], list[Entry]]

terms = st.builds(
    Terms,
    st.integers(0, 3000),
    st.integers(1, 500_000),
    st.integers(1, 500_000),
    st.sampled_from([1_000_000, 1_250_000, 1_333_333, 1_500_000, 2_000_000]),
    st.sampled_from([1_000_000, 1_500_000, 2_000_000]),
)


@st.composite
def weeks(draw: st.DrawFn) -> Weeks:
    """One to four weeks with any days worked, sorted as the service hands them over."""
    agreed = draw(st.lists(terms, min_size=1, max_size=4))
    entries = [
        Entry(week, MONDAY + timedelta(days=day), draw(st.integers(1, 1440)))
        for week in range(len(agreed))
        for day in sorted(draw(st.sets(st.integers(0, 6), max_size=7)))
    ]
    return agreed, entries


def columns(agreed: Sequence[Terms], entries: Sequence[Entry]) -> HourColumns:
    def of(name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
        return np.array([getattr(agreed[e.week], name) for e in entries], dtype=np.int64)

    return HourColumns(
        timesheet=np.array([e.week for e in entries], dtype=np.int64),
        day=np.array([e.day for e in entries], dtype="datetime64[D]"),
        minutes=np.array([e.minutes for e in entries], dtype=np.int64),
        threshold=of("threshold"),
        pay_rate=of("pay_rate"),
        bill_rate=of("bill_rate"),
        overtime_ppm=of("overtime_ppm"),
        weekend_ppm=of("weekend_ppm"),
    )


def charged(agreed: Sequence[Terms], entries: Sequence[Entry]) -> ChargeColumns:
    return interpret(columns(agreed, entries))


def penny(value: Decimal) -> int:
    return int(value.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def oracle(agreed: Sequence[Terms], entries: Sequence[Entry]) -> list[tuple[int, int, int, int, int]]:
    """(entry, kind, minutes, pay, bill), minute by minute: the definition, not the method."""
    worked: dict[int, int] = defaultdict(int)
    spent: dict[tuple[int, int, str], int] = defaultdict(int)
    out = []
    for i, entry in enumerate(entries):
        t = agreed[entry.week]
        kinds: dict[int, int] = defaultdict(int)
        for _ in range(entry.minutes):
            if entry.day.weekday() >= 5:
                kinds[WEEKEND] += 1
                continue
            kinds[BASIC if worked[entry.week] < t.threshold else OVERTIME] += 1
            worked[entry.week] += 1
        for kind, minutes in sorted(kinds.items()):
            ppm = {BASIC: 1_000_000, OVERTIME: t.overtime_ppm, WEEKEND: t.weekend_ppm}[kind]
            amounts = []
            for side, base in (("pay", t.pay_rate), ("bill", t.bill_rate)):
                rate = penny(Decimal(base) * ppm / 1_000_000)
                before = spent[entry.week, kind, side]
                spent[entry.week, kind, side] += minutes
                through = Decimal(spent[entry.week, kind, side])
                amounts.append(penny(through * rate / 60) - penny(Decimal(before) * rate / 60))
            out.append((i, kind, minutes, amounts[0], amounts[1]))
    return out


@given(weeks())
def test_every_charge_is_what_the_definitions_say_minute_by_minute(given_weeks: Weeks) -> None:
    agreed, entries = given_weeks
    c = charged(agreed, entries)
    ours = zip(
        c.entry.tolist(),
        c.kind.tolist(),
        c.minutes.tolist(),
        c.pay_amount.tolist(),
        c.bill_amount.tolist(),
        strict=True,
    )
    assert list(ours) == oracle(agreed, entries)


@pytest.mark.behaviour("PAY-09", part="weekly")
@given(weeks())
def test_every_minute_is_in_exactly_one_kind(given_weeks: Weeks) -> None:
    agreed, entries = given_weeks
    c = charged(agreed, entries)
    minutes = np.zeros(len(entries), dtype=np.int64)
    np.add.at(minutes, c.entry, c.minutes)
    assert minutes.tolist() == [e.minutes for e in entries]
    assert (c.minutes > 0).all()
    assert len(set(zip(c.entry.tolist(), c.kind.tolist(), strict=True))) == len(c.entry)


@given(weeks())
def test_there_is_overtime_only_beyond_the_threshold_of_the_week(given_weeks: Weeks) -> None:
    agreed, entries = given_weeks
    c = charged(agreed, entries)
    for week, t in enumerate(agreed):
        weekday = sum(e.minutes for e in entries if e.week == week and e.day.weekday() < 5)
        here = np.array([entries[i].week == week for i in c.entry], dtype=bool)
        overtime = int(c.minutes[here & (c.kind == OVERTIME)].sum())
        assert overtime == max(0, weekday - t.threshold)


@given(weeks())
def test_the_charges_of_a_week_kind_and_rate_add_to_its_minutes_times_the_rate(given_weeks: Weeks) -> None:
    agreed, entries = given_weeks
    c = charged(agreed, entries)
    sums: dict[tuple[int, int, int], list[int]] = defaultdict(lambda: [0, 0])
    for i, kind, minutes, rate, amount in zip(
        c.entry.tolist(),
        c.kind.tolist(),
        c.minutes.tolist(),
        c.bill_rate.tolist(),
        c.bill_amount.tolist(),
        strict=True,
    ):
        parts = sums[entries[i].week, kind, rate]
        parts[0] += minutes
        parts[1] += amount
    for (_, _, rate), (minutes, amount) in sums.items():
        assert amount == penny(Decimal(minutes) * rate / 60)


@given(weeks())
def test_weeks_do_not_touch_each_other(given_weeks: Weeks) -> None:
    """Each week alone gives what it gives among others: chunks and files may be cut anywhere between
    weeks."""
    agreed, entries = given_weeks
    together = charged(agreed, entries)
    alone: list[int] = []
    for week, t in enumerate(agreed):
        own = [e._replace(week=0) for e in entries if e.week == week]
        alone += charged([t], own).pay_amount.tolist()
    assert together.pay_amount.tolist() == alone


def test_a_friday_with_overtime_becomes_two_charges_at_two_rates() -> None:
    agreed = [Terms(2400, 1895, 2520, 1_500_000, 2_000_000)]
    days = [Entry(0, MONDAY + timedelta(days=d), 480) for d in range(4)] + [
        Entry(0, MONDAY + timedelta(days=4), 630)
    ]
    c = charged(agreed, days)
    friday = c.entry == 4
    assert [KINDS[k] for k in c.kind[friday]] == ["basic", "overtime"]
    assert c.minutes[friday].tolist() == [480, 150]
    assert c.pay_rate[friday].tolist() == [1895, 2843]
    assert c.pay_amount[friday].tolist() == [15160, 7108]
