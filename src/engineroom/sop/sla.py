"""The clock of a promise: how much working time has passed, when it is due, and how it stands.

A promise (`Policy`) is so many working seconds. Its clock starts, is paused for declared reasons only, goes
on, is stopped, and may be given another promise or other working hours meanwhile. All of that is a log of
`Event`s, and the log is the truth. It is read in two ways that share nothing but the events:

    clock = Clock.of(log)            the live clock: one event after the other, its sums kept
    clock.reading(now)               in a few days' arithmetic, however long the log

    recount(log, now)                the auditor: the whole log again, by quarters of an hour

Both give the same `Reading` to the second for any history (tests/sop/test_sla.py).

The rules, each where it is decided:
- a pause needs a reason that the promise declares (SLA-02); one begun under an earlier promise stays;
- another promise measures the whole history (SLA-04): what was worked and what was paused stays as it was;
- other hours count `from` the event on, or, as a correction (`whole`), for the whole history;
- due is the first instant at which the promised time is used up; late is whoever runs past it, if only by
  the wall's clock: due Friday 17:30 and done on Saturday is late;
- a paused clock is due at no instant, unless its time was used up before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal, NoReturn
from zoneinfo import ZoneInfo

from engineroom.kernel.errors import EngineroomError
from engineroom.sop.hours import DAY_S, LONGEST_WAIT_DAYS, NeverDue, WorkingHours, hours_from

QUARTER_S = 900

EventKind = Literal["started", "paused", "resumed", "policy_changed", "hours_changed", "finished", "reopened"]
Outcome = Literal["done", "skipped", "cancelled"]


class ClockRefused(EngineroomError):
    """The event does not fit the clock as it stands: says which, and what would."""

    status = 409


class State(StrEnum):
    RUNNING = "running"
    PAUSED = "paused"
    AT_RISK = "at_risk"
    BREACHED = "breached"
    MET = "met"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


STATE_WORDS = {
    State.RUNNING: "running",
    State.PAUSED: "paused",
    State.AT_RISK: "at risk",
    State.BREACHED: "late",
    State.MET: "on time",
    State.SKIPPED: "skipped",
    State.CANCELLED: "cancelled",
}


@dataclass(frozen=True)
class Policy:
    """A promise: working seconds, the reasons for which its clock may stand still, and when to warn.

    warn_percent: without a history to judge by, this much used is at risk.
    """

    name: str
    budget_s: int
    pause_reasons: tuple[str, ...] = ("client",)
    warn_percent: int = 80

    def __post_init__(self) -> None:
        if self.budget_s <= 0:
            raise ClockRefused(f"{self.name}: a promise is at least one working second, not {self.budget_s}")
        if not 1 <= self.warn_percent <= 100:
            raise ClockRefused(f"{self.name}: warn at 1 to 100 percent, not {self.warn_percent}")

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "budget_s": self.budget_s,
            "pause_reasons": list(self.pause_reasons),
            "warn_percent": self.warn_percent,
        }


@dataclass(frozen=True)
class Event:
    """One thing that happened to a clock. at: seconds since 1970, UTC.

    An event that claims to be earlier than the one before it counts at that one's instant: two machines'
    clocks differ, and working time never runs backwards.
    """

    at: int
    kind: EventKind
    reason: str = ""
    policy: Policy | None = None
    hours: WorkingHours | None = None
    whole: bool = False
    """hours_changed: a correction of the whole history, not a change from here on."""
    outcome: Outcome = "done"

    def as_dict(self) -> dict[str, Any]:
        """As JSON can hold it; `event_from` is the way back."""
        kept: dict[str, Any] = {"at": self.at, "kind": self.kind}
        if self.reason:
            kept["reason"] = self.reason
        if self.policy:
            kept["policy"] = self.policy.as_dict()
        if self.hours:
            kept["hours"] = self.hours.as_dict()
        if self.whole:
            kept["whole"] = True
        if self.outcome != "done":
            kept["outcome"] = self.outcome
        return kept


def event_from(kept: dict[str, Any]) -> Event:
    policy = kept.get("policy")
    return Event(
        kept["at"],
        kept["kind"],
        kept.get("reason", ""),
        Policy(policy["name"], policy["budget_s"], tuple(policy["pause_reasons"]), policy["warn_percent"])
        if policy
        else None,
        hours_from(kept["hours"]) if kept.get("hours") else None,
        kept.get("whole", False),
        kept.get("outcome", "done"),
    )


@dataclass(frozen=True)
class Reading:
    """How a promise stands at an instant."""

    elapsed_s: int
    budget_s: int
    due: int | None
    """None: the clock stands still, so it is due at no instant yet."""
    state: State
    paused_s: int
    """Seconds of the wall's clock in pauses; they cost nothing of the promise."""

    @property
    def left_s(self) -> int:
        """Working seconds left; below zero when the promise is broken."""
        return self.budget_s - self.elapsed_s


@dataclass(frozen=True)
class Stretch:
    """A part of the history in which the clock ran, and by which hours."""

    start: int
    end: int
    hours: WorkingHours
    worked_s: int


@dataclass(frozen=True)
class Pause:
    start: int
    reason: str
    end: int | None = None


@dataclass(frozen=True)
class Clock:
    """The live clock: what happened so far, summed. A value; `apply` gives the next one."""

    policy: Policy
    hours: WorkingHours
    started: int
    last: int
    stretches: tuple[Stretch, ...] = ()
    worked_s: int = 0
    """The sum of the stretches."""
    running_since: int | None = None
    pauses: tuple[Pause, ...] = ()
    finished: int | None = None
    outcome: Outcome = "done"

    @classmethod
    def of(cls, log: Iterable[Event]) -> Clock:
        """The clock after the whole log. Raises ClockRefused for a log that no clock could have written."""
        events = iter(log)
        first = next(events, None)
        if first is None or first.kind != "started" or first.policy is None or first.hours is None:
            raise ClockRefused("a clock begins by being started, with a promise and working hours")
        clock = cls(first.policy, first.hours, first.at, first.at, running_since=first.at)
        for event in events:
            clock = clock.apply(event)
        return clock

    @property
    def is_paused(self) -> bool:
        return self.finished is None and self.running_since is None

    def apply(self, event: Event) -> Clock:
        at = max(event.at, self.last)
        step: Callable[[Event, int], Clock] = getattr(self, f"_{event.kind}")
        return replace(step(event, at), last=at)

    def _started(self, event: Event, at: int) -> NoReturn:
        raise ClockRefused("the clock was started before")

    def _paused(self, event: Event, at: int) -> Clock:
        if self.running_since is None:
            raise ClockRefused("the clock does not run, so it cannot be paused")
        if event.reason not in self.policy.pause_reasons:
            declared = ", ".join(self.policy.pause_reasons) or "none"
            raise ClockRefused(
                f"the promise {self.policy.name} is not paused for {event.reason or 'no reason'!r}; "
                f"it declares: {declared}"
            )
        return replace(self._stopped(at), pauses=(*self.pauses, Pause(at, event.reason)))

    def _resumed(self, event: Event, at: int) -> Clock:
        if not self.is_paused:
            raise ClockRefused("the clock is not paused, so it cannot be resumed")
        return replace(self, running_since=at, pauses=self._pause_ended(at))

    def _policy_changed(self, event: Event, at: int) -> Clock:
        if event.policy is None:
            raise ClockRefused("the event names no other promise")
        return replace(self, policy=event.policy)

    def _hours_changed(self, event: Event, at: int) -> Clock:
        if event.hours is None:
            raise ClockRefused("the event names no other working hours")
        if event.whole:
            again = tuple(_stretch(s.start, s.end, event.hours) for s in self.stretches)
            return replace(self, hours=event.hours, stretches=again, worked_s=sum(s.worked_s for s in again))
        if self.running_since is None:
            return replace(self, hours=event.hours)
        return replace(self._stopped(at), hours=event.hours, running_since=at)

    def _finished(self, event: Event, at: int) -> Clock:
        if self.finished is not None:
            raise ClockRefused("the clock was stopped before")
        if event.outcome != "done" and not event.reason.strip():
            raise ClockRefused(f"to be {event.outcome} needs a reason")
        stopped = self._stopped(at) if self.running_since is not None else self
        return replace(stopped, finished=at, outcome=event.outcome, pauses=stopped._pause_ended(at))

    def _reopened(self, event: Event, at: int) -> Clock:
        if self.finished is None:
            raise ClockRefused("the clock was not stopped, so it cannot be taken up again")
        return replace(self, finished=None, outcome="done", running_since=at)

    def _stopped(self, at: int) -> Clock:
        assert self.running_since is not None
        more = _stretch(self.running_since, at, self.hours)
        return replace(
            self,
            stretches=(*self.stretches, more),
            worked_s=self.worked_s + more.worked_s,
            running_since=None,
        )

    def _pause_ended(self, at: int) -> tuple[Pause, ...]:
        if self.pauses and self.pauses[-1].end is None:
            return (*self.pauses[:-1], replace(self.pauses[-1], end=at))
        return self.pauses

    def elapsed(self, now: int) -> int:
        """Working seconds until `now`, which is not before the last event."""
        since = self.running_since
        return self.worked_s + (self.hours.between(since, max(now, self.last)) if since is not None else 0)

    def due(self) -> int | None:
        """The first instant at which the promised time is, or will be, used up."""
        left = self.policy.budget_s
        for stretch in self.stretches:
            if stretch.worked_s >= left:
                return stretch.hours.after(stretch.start, left)
            left -= stretch.worked_s
        if self.running_since is not None:
            return self.hours.after(self.running_since, left)
        return None if self.finished is None else self.hours.after(self.finished, left)

    def reading(self, now: int, prediction: Prediction | None = None) -> Reading:
        now = max(now, self.last)
        elapsed, due = self.elapsed(now), self.due()
        ran_until = now if self.running_since is not None else self._last_ran()
        late = due is not None and ran_until > due
        state = _state(
            self.policy, elapsed, late, self.outcome if self.finished is not None else None,
            self.is_paused, prediction,
        )  # fmt: skip
        paused = sum((p.end if p.end is not None else now) - p.start for p in self.pauses)
        return Reading(elapsed, self.policy.budget_s, due, state, paused)

    def _last_ran(self) -> int:
        return self.stretches[-1].end if self.stretches else self.started


def _stretch(start: int, end: int, hours: WorkingHours) -> Stretch:
    return Stretch(start, end, hours, hours.between(start, end))


def _state(
    policy: Policy,
    elapsed: int,
    late: bool,
    outcome: Outcome | None,
    paused: bool,
    prediction: Prediction | None,
) -> State:
    """How it stands, the strongest word first: what was skipped or cancelled says so, late or not."""
    if outcome in ("skipped", "cancelled"):
        return State(outcome)
    if late:
        return State.BREACHED
    if outcome is not None:
        return State.MET
    if paused:
        return State.PAUSED
    if prediction is not None and prediction.judges:
        return State.AT_RISK if prediction.exceeds(policy.budget_s) else State.RUNNING
    return State.AT_RISK if elapsed * 100 >= policy.budget_s * policy.warn_percent else State.RUNNING


# --- the auditor ------------------------------------------------------------------------------------


def recount(log: Sequence[Event], now: int, prediction: Prediction | None = None) -> Reading:
    """The reading from the log alone, by another way than the live clock's.

    It first writes down of which seconds the clock ran and by which hours, then walks them by quarters of an
    hour of UTC (no zone has changed its clock anywhere else since 2012) and looks at the clock on the wall.
    """
    times = [log[0].at]
    for event in log[1:]:
        times.append(max(times[-1], event.at))
    ran = _when_it_ran(log, [*times, max(now, times[-1])])
    policy = [e.policy for e in log if e.policy is not None][-1]
    last = [e for e in log if e.kind in ("finished", "reopened")][-1:]
    outcome = last[0].outcome if last and last[0].kind == "finished" else None
    paused = _is_paused(log)
    elapsed, due = 0, None
    for start, end, hours in ran:
        for worked in _worked_quarters(start, end, hours):
            if due is None and elapsed + (worked[1] - worked[0]) >= policy.budget_s:
                due = worked[0] + policy.budget_s - elapsed
            elapsed += worked[1] - worked[0]
    if due is None and not paused:
        hours = _hours_in_force(log)[-1]
        stopped = [at for e, at in zip(log, times, strict=True) if e.kind == "finished"][-1:]
        start = stopped[0] if outcome is not None else ran[-1][1]
        due = _goes_on(policy.budget_s - elapsed, start, hours)
    ran_until = ran[-1][1] if ran else times[0]
    late = due is not None and ran_until > due
    state = _state(policy, elapsed, late, outcome, paused, prediction)
    return Reading(elapsed, policy.budget_s, due, state, _paused_seconds(log, [*times, max(now, times[-1])]))


def _hours_in_force(log: Sequence[Event]) -> list[WorkingHours]:
    """By which hours the time after each event counts, as known at the end of the log."""
    in_force: list[WorkingHours] = []
    for number, event in enumerate(log):
        in_force.append(event.hours or in_force[-1])
        if event.kind == "hours_changed" and event.whole and event.hours:
            in_force = [event.hours] * (number + 1)
    return in_force


def _when_it_ran(log: Sequence[Event], times: list[int]) -> list[tuple[int, int, WorkingHours]]:
    """(from, to, hours) between events while the clock ran; the last one ends at the last of the times."""
    runs, ran = False, []
    for number, (event, hours) in enumerate(zip(log, _hours_in_force(log), strict=True)):
        runs = {"paused": False, "finished": False, "started": True, "resumed": True, "reopened": True}.get(
            event.kind, runs
        )
        if runs:
            ran.append((times[number], times[number + 1], hours))
    return ran


def _is_paused(log: Sequence[Event]) -> bool:
    changes = [e.kind for e in log if e.kind not in ("policy_changed", "hours_changed")]
    return changes[-1] == "paused"


def _paused_seconds(log: Sequence[Event], times: list[int]) -> int:
    paused, total = False, 0
    for number, event in enumerate(log):
        paused = event.kind == "paused" or (paused and event.kind in ("policy_changed", "hours_changed"))
        total += times[number + 1] - times[number] if paused else 0
    return total


def _worked_quarters(start: int, end: int, hours: WorkingHours) -> Iterable[tuple[int, int]]:
    """[from, to) in instants of open time, none longer than a quarter of an hour."""
    zone = ZoneInfo(hours.zone)
    at = start
    while at < end:
        until = min(end, (at // QUARTER_S + 1) * QUARTER_S)
        wall = datetime.fromtimestamp(at, UTC).astimezone(zone)
        second = wall.hour * 3600 + wall.minute * 60 + wall.second
        for opens, closes in hours.spans_of(wall.date()):
            a, b = max(second, opens * 60), min(second + until - at, closes * 60)
            if a < b:
                yield at + a - second, at + b - second
        at = until


def _goes_on(left: int, start: int, hours: WorkingHours) -> int:
    """When the rest of the promise will be, or would have been, used up."""
    for day in range(LONGEST_WAIT_DAYS):
        for worked in _worked_quarters(start + day * DAY_S, start + (day + 1) * DAY_S, hours):
            if worked[1] - worked[0] >= left:
                return worked[0] + left
            left -= worked[1] - worked[0]
    raise NeverDue(f"{hours.name}: the rest of the promise never comes")


# --- at risk before it is late ------------------------------------------------------------------------

FEWEST_JUDGES = 5
"""With fewer earlier ones than this a quantile says more about chance than about the step."""

CAUTION_PERCENT = 80
"""At risk when four of five comparable earlier ones would be late from here."""


@dataclass(frozen=True)
class Prediction:
    """What earlier ones of the same step say about this one.

    remaining_s: the working seconds within which `quantile_percent` of the comparable ones were done; None
    when there are too few to say. Comparable are those that took longer than this one has so far.
    before_s: working seconds that the clock had counted when the step began, if the history begins there.
    """

    elapsed_s: int
    remaining_s: int | None
    comparable: int
    earlier: int
    quantile_percent: int
    before_s: int = 0

    @property
    def judges(self) -> bool:
        """Whether the history says anything: it is long enough, and some of it took as long as this."""
        return self.remaining_s is not None

    def exceeds(self, budget_s: int) -> bool:
        """Whether it will probably be late."""
        return self.before_s + self.elapsed_s + (self.remaining_s or 0) > budget_s

    def in_words(self) -> str:
        if self.earlier < FEWEST_JUDGES:
            return f"No prediction: {_many(self.earlier, 'earlier one')}, at least {FEWEST_JUDGES} are needed"
        if self.remaining_s is None:
            return f"It has taken longer than each of {self.earlier} earlier ones, which say no more"
        return (
            f"Of {self.comparable} earlier ones that took longer than {duration(self.elapsed_s)} (of "
            f"{self.earlier}), {self.quantile_percent} % were done within {duration(self.remaining_s)} more"
        )


def predict(
    elapsed_s: int, earlier: Sequence[int], quantile_percent: int = CAUTION_PERCENT, before_s: int = 0
) -> Prediction:
    """The empirical quantile of what was left for the earlier ones that were still at it at `elapsed_s`.

    earlier: working seconds that finished ones of the same step took. Nearest rank: always one that was.
    """
    left = sorted(took - elapsed_s for took in earlier if took > elapsed_s)
    remaining = None
    if left and len(earlier) >= FEWEST_JUDGES:
        rank = -(-len(left) * quantile_percent // 100)
        remaining = left[max(rank, 1) - 1]
    return Prediction(elapsed_s, remaining, len(left), len(earlier), quantile_percent, before_s)


# --- explained ------------------------------------------------------------------------------------------


def explain(log: Sequence[Event], now: int, prediction: Prediction | None = None) -> list[str]:
    """Why the clock stands where it does, line by line, in the client's time."""
    clock = Clock.of(log)
    read = clock.reading(now, prediction)
    hours = clock.hours
    lines = [
        f"Promise: {clock.policy.name}, {duration(clock.policy.budget_s)} of working time",
        f"Counted in: {hours.name} ({hours.in_words()})",
    ]
    before = log[0].at
    for event in log:
        at = max(event.at, before)
        lines.append(f"{_when(hours, at)}: {_happened(event)}{_moved(event, at)}")
        before = at
    lines += [_counted(stretch) for stretch in clock.stretches if stretch.end > stretch.start]
    if clock.running_since is not None and now > clock.running_since:
        lines.append(_counted(_stretch(clock.running_since, now, hours)))
    lines += [_not_counted(pause, hours, now) for pause in clock.pauses]
    lines.append(_sum_of(read))
    lines.append(_due_in_words(clock, read, now))
    if prediction is not None and clock.finished is None:
        lines.append(prediction.in_words())
    return lines


def duration(seconds: int) -> str:
    """3 h 20 min; seconds only where they are all there is, or do not fit into minutes."""
    sign, rest = ("-", -seconds) if seconds < 0 else ("", seconds)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    parts = [f"{hours:,} h"] if hours else []
    parts += [f"{minutes} min"] if minutes else []
    parts += [f"{rest} s"] if rest or not parts else []
    return sign + " ".join(parts)


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _when(hours: WorkingHours, at: int) -> str:
    local = hours.local(at)
    second = f":{local:%S}" if local.second else ""
    return f"{local:%a} {local.day} {local:%b %Y %H:%M}{second} {local.tzname()}"


def _happened(event: Event) -> str:
    if event.kind == "started":
        return "started"
    if event.kind == "paused":
        return f"paused, waiting for: {event.reason}"
    if event.kind == "policy_changed" and event.policy:
        return f"promise is now {event.policy.name}, {duration(event.policy.budget_s)}, for the whole history"
    if event.kind == "hours_changed" and event.hours:
        since = "for the whole history" if event.whole else "from here on"
        return f"hours are now {event.hours.name} ({event.hours.in_words()}), {since}"
    if event.kind == "finished":
        return event.outcome + (f": {event.reason}" if event.reason else "")
    return {"resumed": "went on", "reopened": "taken up again"}.get(event.kind, event.kind)


def _moved(event: Event, at: int) -> str:
    return " (said to be earlier than what came before; counted from there)" if event.at < at else ""


def _counted(stretch: Stretch) -> str:
    return (
        f"Counted from {_when(stretch.hours, stretch.start)} to {_when(stretch.hours, stretch.end)}: "
        f"{duration(stretch.worked_s)}"
    )


def _not_counted(pause: Pause, hours: WorkingHours, now: int) -> str:
    end = pause.end if pause.end is not None else now
    until = _when(hours, end) if pause.end is not None else "now"
    return (
        f"Not counted from {_when(hours, pause.start)} to {until}: waiting for {pause.reason}, "
        f"{duration(hours.between(pause.start, end))} of working time"
    )


def _sum_of(read: Reading) -> str:
    used = f"Used {duration(read.elapsed_s)} of {duration(read.budget_s)}"
    if read.left_s < 0:
        return f"{used}: {duration(-read.left_s)} over"
    return f"{used}: {duration(read.left_s)} left"


def _due_in_words(clock: Clock, read: Reading, now: int) -> str:
    word = STATE_WORDS[read.state]
    if read.due is None:
        since = _when(clock.hours, clock.hours.after(now, read.left_s))
        return f"Stands as {word}: due at no instant while it waits; {since} if it went on now"
    return f"Stands as {word}: due {_when(clock.hours, read.due)}"
