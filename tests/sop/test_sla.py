"""The clock of a promise: in the client's hours, paused for declared reasons only, the same from the log."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engineroom.kernel.calendar import CalendarNotKnown
from engineroom.sop.hours import OFFICE, HoursRefused, NeverDue, WorkingHours, hours_from, week_from
from engineroom.sop.sla import (
    Clock,
    ClockRefused,
    Event,
    Policy,
    State,
    duration,
    event_from,
    explain,
    predict,
    recount,
)

LONDON = WorkingHours("Europe/London", OFFICE, "ENG")
NIGHTS = WorkingHours("Europe/London", (((0, 360), (1320, 1440)),) * 7, name="nights")
AROUND = WorkingHours("UTC", (((0, 1440),),) * 7, name="around the clock")
KOLKATA = WorkingHours("Asia/Kolkata", OFFICE)
H = 3600
EXAMPLES = int(os.environ.get("SLA_EXAMPLES", "100"))
"""Thousands when the arithmetic was changed: SLA_EXAMPLES=5000 ./test tests/sop/test_sla.py."""


def at(text: str, zone: str = "Europe/London", fold: int = 0) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp())


# --- hours ------------------------------------------------------------------------------------------------


def test_a_working_day_has_its_hours_and_a_weekend_none() -> None:
    assert LONDON.between(at("2026-11-23 00:00"), at("2026-11-24 00:00")) == 8 * H + 1800
    assert LONDON.between(at("2026-11-21 00:00"), at("2026-11-23 00:00")) == 0


def test_a_bank_holiday_does_not_count() -> None:
    assert LONDON.between(at("2026-12-25 00:00"), at("2026-12-29 00:00")) == 0  # 28 December is Boxing Day's
    assert LONDON.why_closed(date(2026, 12, 25)) == "Christmas Day"
    assert LONDON.after(at("2026-12-24 17:00"), H) == at("2026-12-29 09:30")


@pytest.mark.behaviour("SLA-01")
def test_hours_are_those_of_the_clients_wall_wherever_the_work_is_done() -> None:
    nine_in_kolkata = at("2026-11-23 09:00", "Asia/Kolkata")
    assert KOLKATA.open_at(nine_in_kolkata) and not KOLKATA.open_at(nine_in_kolkata - 1)
    assert not LONDON.open_at(nine_in_kolkata)
    assert KOLKATA.after(nine_in_kolkata, 8 * H) == at("2026-11-23 17:00", "Asia/Kolkata")


@pytest.mark.behaviour("SLA-01")
@pytest.mark.parametrize(
    ("day", "worked"), [("2026-03-29", 7 * H), ("2026-10-25", 9 * H), ("2026-11-01", 8 * H)]
)
def test_a_night_shift_is_an_hour_shorter_or_longer_when_clocks_change(day: str, worked: int) -> None:
    assert NIGHTS.between(at(f"{day} 00:00"), at(f"{day} 23:59:59") + 1) == worked


def test_an_hour_that_the_wall_skips_is_not_worked_and_one_shown_twice_is_worked_twice() -> None:
    small = WorkingHours("Europe/London", (((60, 120),),) * 7)  # 01:00 to 02:00
    assert small.between(at("2026-03-29 00:00"), at("2026-03-30 00:00")) == 0
    assert small.between(at("2026-10-25 00:00"), at("2026-10-26 00:00")) == 2 * H
    assert small.after(at("2026-10-25 00:00"), H + 60) == at("2026-10-25 01:01", fold=1)


def test_a_zone_of_half_an_hours_change_keeps_its_hours() -> None:
    lord_howe = WorkingHours("Australia/Lord_Howe", (((0, 240),),) * 7)
    changes = [date(2026, 4, 5), date(2026, 10, 4)]
    worked = [
        lord_howe.between(at(f"{d} 00:00", "Australia/Lord_Howe"), at(f"{d} 23:00", "Australia/Lord_Howe"))
        for d in changes
    ]
    assert worked == [4 * H + 1800, 4 * H - 1800]


def test_named_days_close_and_special_days_have_hours_of_their_own() -> None:
    eve = date(2026, 12, 24)
    hours = WorkingHours(
        "Europe/London", OFFICE, "ENG", ((date(2026, 12, 23), "stocktaking"),), ((eve, ((540, 720),)),)
    )
    assert hours.after(at("2026-12-22 17:00"), H) == at("2026-12-24 09:30")
    assert hours.between(at("2026-12-24 00:00"), at("2026-12-25 00:00")) == 3 * H
    assert hours.why_closed(date(2026, 12, 23)) == "stocktaking"
    assert hours_from(hours.as_dict()) == hours


def test_beyond_the_known_holidays_nothing_is_said() -> None:
    with pytest.raises(CalendarNotKnown, match="ENG holidays are known"):
        LONDON.after(at("2026-11-23 09:00"), 10_000 * H)


@pytest.mark.parametrize(
    ("zone", "week", "says"),
    [
        ("Europe/Lundun", OFFICE, "there is no time zone"),
        ("../../etc/passwd", OFFICE, "there is no time zone"),
        ("UTC", OFFICE[:5], "a week has 7 days"),
        ("UTC", ((),) * 7, "nothing would ever be due"),
        ("UTC", (((540, 540),),) * 7, "not a span of one day"),
        ("UTC", (((540, 720), (700, 800)),) * 7, "not a span of one day"),
        ("UTC", (((1320, 1800),),) * 7, "write a night as two spans"),
    ],
)
def test_hours_that_no_desk_can_keep_are_refused(zone: str, week: tuple, says: str) -> None:
    with pytest.raises(HoursRefused, match=says):
        WorkingHours(zone, week)


def test_hours_that_never_reach_the_promise_are_refused() -> None:
    minute = WorkingHours("UTC", (((0, 1),), (), (), (), (), (), ()))
    with pytest.raises(NeverDue):
        minute.after(0, 1_000 * H)


def test_hours_in_words() -> None:
    assert LONDON.in_words() == (
        "Mon-Fri 09:00-17:30, Europe/London, closed on the bank holidays of England and Wales"
    )
    assert NIGHTS.in_words() == "Mon-Sun 00:00-06:00, 22:00-24:00, Europe/London"


@given(st.deferred(lambda: working_hours()))
def test_a_week_in_words_is_read_as_it_was_meant(hours: WorkingHours) -> None:
    assert week_from(hours.week_in_words()) == hours.week


@pytest.mark.parametrize("words", ["always", "Mon-Fri nine to five", "Moo 09:00-17:00", "Mon 9-5"])
def test_a_week_that_cannot_be_read_says_how_to_write_it(words: str) -> None:
    with pytest.raises(HoursRefused, match="write it like"):
        week_from(words)


def _wall_says_open(hours: WorkingHours, instant: int) -> bool:
    wall = datetime.fromtimestamp(instant, UTC).astimezone(ZoneInfo(hours.zone))
    minute = wall.hour * 60 + wall.minute
    return any(opens <= minute < closes for opens, closes in hours.spans_of(wall.date()))


ZONES = ("Europe/London", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Chatham", "UTC")


@st.composite
def working_hours(draw: st.DrawFn) -> WorkingHours:
    day = st.lists(st.integers(0, 1440), min_size=0, max_size=4, unique=True).map(
        lambda cuts: tuple(zip(sorted(cuts)[::2], sorted(cuts)[1::2], strict=False))
    )
    week = draw(st.lists(day, min_size=7, max_size=7).filter(any))
    division = draw(st.sampled_from([None, "ENG", "SCT"]))
    closed = draw(st.lists(st.dates(date(2026, 3, 20), date(2026, 4, 10)), max_size=2, unique=True))
    return WorkingHours(
        draw(st.sampled_from(ZONES)), tuple(week), division, tuple((d, "closed") for d in closed)
    )


CHANGES = [at("2026-03-27 00:00"), at("2026-10-23 00:00"), at("2026-04-02 00:00")]
"""Shortly before clocks change in spring and in autumn, in London, New York's own days, and down under."""


@settings(max_examples=40, deadline=None)
@given(working_hours(), st.sampled_from(CHANGES), st.integers(0, 3 * 1440), st.integers(0, 2 * 1440))
def test_working_time_is_what_the_wall_shows_minute_by_minute(
    hours: WorkingHours, start: int, shift: int, length: int
) -> None:
    first = start + shift * 60
    counted = sum(60 for m in range(length) if _wall_says_open(hours, first + m * 60))
    assert hours.between(first, first + length * 60) == counted


@settings(max_examples=60, deadline=None)
@given(working_hours(), st.sampled_from(CHANGES), st.integers(0, 10**6), st.integers(1, 40 * H))
def test_after_is_the_first_instant_that_between_counts_up_to(
    hours: WorkingHours, start: int, shift: int, seconds: int
) -> None:
    first = start + shift
    due = hours.after(first, seconds)
    assert hours.between(first, due) == seconds
    assert hours.between(first, due - 1) == seconds - 1


# --- the clock ----------------------------------------------------------------------------------------------

DAY = Policy("One working day", 8 * H + 1800, ("client", "bank"))


def started(text: str, policy: Policy = DAY, hours: WorkingHours = LONDON) -> Event:
    return Event(at(text), "started", policy=policy, hours=hours)


def test_a_promise_of_a_working_day_made_in_the_afternoon_is_due_the_next_one() -> None:
    clock = Clock.of([started("2026-11-20 15:00")])  # a Friday
    assert clock.due() == at("2026-11-23 15:00")
    assert clock.reading(at("2026-11-22 12:00")).elapsed_s == 2 * H + 1800


@pytest.mark.behaviour("SLA-02")
def test_a_clock_is_paused_for_a_declared_reason_only() -> None:
    clock = Clock.of([started("2026-11-23 09:00")])
    for reason in ("", "lunch"):
        with pytest.raises(ClockRefused, match="it declares: client, bank"):
            clock.apply(Event(at("2026-11-23 10:00"), "paused", reason))
    paused = clock.apply(Event(at("2026-11-23 10:00"), "paused", "client"))
    assert paused.reading(at("2026-12-01 10:00")).state is State.PAUSED
    assert paused.reading(at("2026-12-01 10:00")).elapsed_s == H
    assert paused.due() is None
    with pytest.raises(ClockRefused, match="does not run"):
        paused.apply(Event(at("2026-11-23 11:00"), "paused", "bank"))
    resumed = paused.apply(Event(at("2026-12-01 10:00"), "resumed"))
    assert resumed.due() == at("2026-12-01 17:30")


@pytest.mark.behaviour("SLA-04")
def test_another_promise_measures_the_whole_history_and_loses_no_pause() -> None:
    log = [
        started("2026-11-23 09:00"),
        Event(at("2026-11-23 10:00"), "paused", "client"),
        Event(at("2026-11-24 10:00"), "policy_changed", policy=Policy("Two hours", 2 * H, ("bank",))),
        Event(at("2026-11-25 10:00"), "resumed"),
    ]
    clock = Clock.of(log)
    assert clock.due() == at("2026-11-25 11:00")  # an hour was used; the pause of the old promise stands
    assert [p.reason for p in clock.pauses] == ["client"]
    with pytest.raises(ClockRefused, match="it declares: bank"):
        clock.apply(Event(at("2026-11-25 10:30"), "paused", "client"))


@pytest.mark.behaviour("SLA-04")
def test_other_hours_count_from_here_on_and_a_correction_for_the_whole_history() -> None:
    log = [
        started("2026-11-23 16:30"),
        Event(at("2026-11-23 16:45"), "paused", "client"),
        Event(at("2026-11-23 17:00"), "resumed"),
    ]
    longer = WorkingHours("Europe/London", (*[((540, 1260),)] * 5, (), ()), "ENG", name="until 21:00")
    change = Event(at("2026-11-24 09:00"), "hours_changed", hours=longer)
    now = at("2026-11-24 09:00")
    assert Clock.of([*log, change]).elapsed(now) == 45 * 60  # 15 and 30 minutes until 17:30
    corrected = Clock.of([*log, Event(change.at, "hours_changed", hours=longer, whole=True)])
    assert corrected.elapsed(now) == 15 * 60 + 4 * H
    assert len(corrected.pauses) == 1


def test_done_on_the_saturday_after_a_friday_is_late() -> None:
    clock = Clock.of([started("2026-11-20 09:00")])
    assert clock.due() == at("2026-11-20 17:30")
    friday = clock.apply(Event(at("2026-11-20 17:30"), "finished"))
    saturday = clock.apply(Event(at("2026-11-21 10:00"), "finished"))
    assert friday.reading(friday.last).state is State.MET
    assert saturday.reading(saturday.last).state is State.BREACHED
    assert saturday.reading(saturday.last).elapsed_s == 8 * H + 1800


@pytest.mark.behaviour("SOP-05", part="clock")
@pytest.mark.parametrize("outcome", ["skipped", "cancelled"])
def test_what_was_skipped_or_cancelled_says_so_and_why(outcome: str) -> None:
    clock = Clock.of([started("2026-11-23 09:00")])
    with pytest.raises(ClockRefused, match="needs a reason"):
        clock.apply(Event(at("2026-11-23 10:00"), "finished", outcome=outcome))
    log = [
        started("2026-11-23 09:00"),
        Event(at("2026-11-23 10:00"), "finished", "nobody is paid this month", outcome=outcome),
    ]
    assert Clock.of(log).reading(at("2027-01-01 00:00")).state == outcome
    assert any("nobody is paid this month" in line for line in explain(log, at("2026-11-24 10:00")))


def test_work_that_is_taken_up_again_goes_on_counting() -> None:
    clock = Clock.of(
        [
            started("2026-11-23 09:00"),
            Event(at("2026-11-23 12:00"), "finished"),
            Event(at("2026-11-24 09:00"), "reopened"),
        ]
    )
    assert clock.elapsed(at("2026-11-24 10:00")) == 4 * H
    assert clock.due() == at("2026-11-24 14:30")


def test_an_event_that_claims_to_be_earlier_counts_where_the_log_stands() -> None:
    log = [
        started("2026-11-23 10:00"),
        Event(at("2026-11-23 12:00"), "paused", "client"),
        Event(at("2026-11-23 11:00"), "resumed"),
    ]
    assert Clock.of(log).elapsed(at("2026-11-23 13:00")) == 3 * H
    assert any("said to be earlier" in line for line in explain(log, at("2026-11-23 13:00")))


@pytest.mark.parametrize(
    "log",
    [
        [],
        [Event(0, "finished")],
        [Event(0, "started", policy=DAY)],
        [Event(0, "started", policy=DAY, hours=AROUND), Event(1, "started", policy=DAY, hours=AROUND)],
        [Event(0, "started", policy=DAY, hours=AROUND), Event(1, "resumed")],
        [Event(0, "started", policy=DAY, hours=AROUND), Event(1, "reopened")],
        [Event(0, "started", policy=DAY, hours=AROUND), Event(1, "policy_changed")],
        [Event(0, "started", policy=DAY, hours=AROUND), Event(1, "hours_changed")],
        [Event(0, "started", policy=DAY, hours=AROUND), Event(1, "finished"), Event(2, "finished")],
    ],
)
def test_a_log_that_no_clock_could_have_written_is_refused(log: list[Event]) -> None:
    with pytest.raises(ClockRefused):
        Clock.of(log)


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Event], int]:
    """Any log that a clock accepts, around a change of the clocks, and an instant after it."""
    policies = st.builds(
        Policy,
        st.just("a promise"),
        st.integers(1, 60 * H),
        st.sampled_from([("client", "bank"), ("client",), ("bank",)]),
        st.integers(1, 100),
    )
    now = draw(st.sampled_from(CHANGES)) + draw(st.integers(0, 2 * 86_400))
    log = [Event(now, "started", policy=draw(policies), hours=draw(working_hours()))]
    clock = Clock.of(log)
    for _ in range(draw(st.integers(0, 8))):
        now += draw(
            st.one_of(st.just(0), st.integers(-600, 3 * 86_400), st.integers(0, 20).map(lambda q: q * 900))
        )
        if clock.due() is not None and draw(st.integers(0, 5)) == 0:
            now = max(clock.last, clock.due() or 0)
        kind = draw(
            st.sampled_from(
                [
                    "paused",
                    "resumed",
                    "policy_changed",
                    "hours_changed",
                    "hours_changed",
                    "finished",
                    "reopened",
                ]
            )
        )
        event = Event(
            now,
            kind,
            draw(st.sampled_from(["client", "bank"])),
            draw(policies) if kind == "policy_changed" else None,
            draw(working_hours()) if kind == "hours_changed" else None,
            draw(st.booleans()),
            draw(st.sampled_from(["done", "done", "skipped", "cancelled"])),
        )
        try:
            clock = clock.apply(event)
        except ClockRefused:
            continue
        log.append(event)
        now = clock.last
    return log, now + draw(st.integers(0, 4 * 86_400))


@pytest.mark.behaviour("SLA-03")
@pytest.mark.behaviour("SLA-04")
@settings(max_examples=EXAMPLES, deadline=None)
@given(histories(), st.lists(st.integers(0, 40 * H), max_size=12))
def test_the_live_clock_is_what_the_log_says_to_the_second(
    history: tuple[list[Event], int], earlier: list[int]
) -> None:
    log, now = history
    clock = Clock.of(log)
    prediction = predict(clock.elapsed(now), earlier)
    assert clock.reading(now, prediction) == recount(log, now, prediction)
    assert Clock.of([event_from(e.as_dict()) for e in log]) == clock


@settings(max_examples=20, deadline=None)
@given(histories())
def test_nothing_ever_unsays_an_explanation(history: tuple[list[Event], int]) -> None:
    """Every history can be explained, and the explanation adds up: what it counts is what was used."""
    log, now = history
    lines = explain(log, now)
    assert any(line.startswith("Used " + duration(recount(log, now).elapsed_s)) for line in lines)


# --- predicted, explained -----------------------------------------------------------------------------------


@pytest.mark.behaviour("SLA-05", part="predicted")
def test_a_breach_is_predicted_by_the_history_of_the_same_step_before_it_happens() -> None:
    earlier = [2 * H, 3 * H, 9 * H, 10 * H, 11 * H, 12 * H, 30 * H]
    clock = Clock.of([started("2026-11-23 09:00")])
    now = at("2026-11-23 13:00")  # 4 of 8.5 hours: far from the 80 percent at which it would warn by itself
    prediction = predict(clock.elapsed(now), earlier)
    assert (prediction.comparable, prediction.earlier, prediction.remaining_s) == (5, 7, 8 * H)
    assert clock.reading(now).state is State.RUNNING
    assert clock.reading(now, prediction).state is State.AT_RISK
    assert clock.due() is not None and now < clock.due()
    assert "Of 5 earlier ones that took longer than 4 h (of 7), 80 % were done within 8 h more" in explain(
        clock_log(), now, prediction
    )


def clock_log() -> list[Event]:
    return [started("2026-11-23 09:00")]


def test_a_few_earlier_ones_predict_nothing_and_say_so() -> None:
    prediction = predict(H, [2 * H] * 4)
    assert not prediction.judges and prediction.remaining_s is None
    assert prediction.in_words() == "No prediction: 4 earlier ones, at least 5 are needed"
    clock = Clock.of(clock_log())
    assert clock.reading(at("2026-11-23 16:00"), prediction).state is State.AT_RISK  # 80 percent are used


def test_what_takes_longer_than_all_before_it_is_judged_by_what_is_used_of_its_time() -> None:
    prediction = predict(3 * H, [H, H, 2 * H, 2 * H, 3 * H])
    assert not prediction.judges
    assert prediction.in_words() == "It has taken longer than each of 5 earlier ones, which say no more"
    clock = Clock.of(clock_log())
    assert clock.reading(at("2026-11-23 12:00"), prediction).state is State.RUNNING
    assert clock.reading(at("2026-11-23 16:00"), prediction).state is State.AT_RISK


def test_what_was_used_before_the_step_counts_too() -> None:
    assert not predict(0, [H] * 5).exceeds(2 * H)
    assert predict(0, [H] * 5, before_s=H + 1).exceeds(2 * H)


@given(st.integers(0, 100), st.lists(st.integers(0, 200), min_size=5), st.integers(1, 100))
def test_the_quantile_is_one_of_what_was_left_and_enough_of_them_were_done_by_it(
    elapsed: int, earlier: list[int], percent: int
) -> None:
    prediction = predict(elapsed, earlier, percent)
    left = [d - elapsed for d in earlier if d > elapsed]
    assert prediction.comparable == len(left)
    if prediction.remaining_s is None:
        assert not left
    else:
        assert prediction.remaining_s in left
        done = sum(d <= prediction.remaining_s for d in left)
        assert done * 100 >= percent * len(left)
        assert sum(d < prediction.remaining_s for d in left) * 100 < percent * len(left)


@pytest.mark.behaviour("SLA-05", part="explained")
def test_the_explanation_reads_like_an_account() -> None:
    log = [
        started("2026-11-20 15:00"),
        Event(at("2026-11-20 16:00"), "paused", "client"),
        Event(at("2026-11-23 11:00"), "resumed"),
    ]
    assert explain(log, at("2026-11-23 12:00")) == [
        "Promise: One working day, 8 h 30 min of working time",
        f"Counted in: office hours ({LONDON.in_words()})",
        "Fri 20 Nov 2026 15:00 GMT: started",
        "Fri 20 Nov 2026 16:00 GMT: paused, waiting for: client",
        "Mon 23 Nov 2026 11:00 GMT: went on",
        "Counted from Fri 20 Nov 2026 15:00 GMT to Fri 20 Nov 2026 16:00 GMT: 1 h",
        "Counted from Mon 23 Nov 2026 11:00 GMT to Mon 23 Nov 2026 12:00 GMT: 1 h",
        "Not counted from Fri 20 Nov 2026 16:00 GMT to Mon 23 Nov 2026 11:00 GMT: waiting for client, "
        "3 h 30 min of working time",
        "Used 2 h of 8 h 30 min: 6 h 30 min left",
        "Stands as running: due Tue 24 Nov 2026 10:00 GMT",
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59, "59 s"), (3600, "1 h"), (-5400, "-1 h 30 min"), (3661, "1 h 1 min 1 s")],
)
def test_durations(seconds: int, words: str) -> None:
    assert duration(seconds) == words
