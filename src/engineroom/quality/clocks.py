"""The clocks of cases, counted from their events whenever they are asked for: nothing kept could differ.

A clock's log is made of what stands: the case's own events say when it started, waited for the client, went
on and ended; the client's promises and hours say what was in force meanwhile. `sop.sla` does the counting.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.utils import timezone

from engineroom.quality.models import Hours, Promise
from engineroom.sop.hours import WorkingHours, hours_from
from engineroom.sop.models import Case, CaseEvent, Task
from engineroom.sop.sla import Clock, Event, Policy, Prediction, Reading, explain, predict

MOST_CASES = 2_000
"""Cases counted for one answer. What is beyond is said, not counted."""

JUDGES = 200
"""Finished cases of a procedure that predict the running ones: the latest."""

ANSWERED = ("resumed", "withdrawn", "cancelled", "skipped", "done")
TELLING = (*ANSWERED, "paused", "opened", "moved", "finished", "case_cancelled", "rejected")
OFFICE = WorkingHours("Europe/London", division="ENG", name="office hours")


@dataclass(frozen=True)
class Terms:
    """A client's promises and hours, each as (instant, what), the earliest first."""

    promises: dict[str, list[tuple[int, Policy | None]]]
    hours: list[tuple[int, WorkingHours, bool]]

    @property
    def any(self) -> bool:
        return bool(self.promises)

    def policies(self, procedure_key: str) -> list[tuple[int, Policy | None]]:
        """What was in force for a procedure: its own promise, else the one for all; each change once."""
        own, general = self.promises.get(procedure_key, []), self.promises.get("", [])
        found: list[tuple[int, Policy | None]] = []
        for at in sorted({t for t, _ in [*own, *general]}):
            policy = _latest(own, at) or _latest(general, at)
            if not found or found[-1][1] != policy:
                found.append((at, policy))
        return found


def _latest(rows: Sequence[tuple[int, Policy | None]], at: int) -> Policy | None:
    return next((policy for t, policy in reversed(rows) if t <= at), None)


def terms_of(client_id: UUID) -> Terms:
    return terms_of_all([client_id])[client_id]


def terms_of_all(client_ids: Iterable[UUID]) -> dict[UUID, Terms]:
    """The promises and hours of clients, those without any too."""
    found = {client_id: Terms({}, []) for client_id in client_ids}
    for row in Promise.objects.filter(client_id__in=found).order_by("at", "id"):
        policy = (
            Policy(row.name, row.budget_s, tuple(row.pause_reasons), row.warn_percent)
            if row.budget_s
            else None
        )
        promises = found[row.client_id].promises.setdefault(row.procedure_key, [])
        promises.append((_second(row.at), policy))
    for kept in Hours.objects.filter(client_id__in=found).order_by("at", "id"):
        hours = hours_from(kept.definition)
        found[kept.client_id].hours.append((_second(kept.at), hours, kept.whole))
    return found


def _second(moment: datetime) -> int:
    return int(moment.timestamp())


@dataclass(frozen=True)
class Told:
    """An event of a case, as far as clocks need it."""

    kind: str
    at: int
    task_id: UUID | None
    step: str
    reason: str
    places: tuple[str, ...] = ()


@dataclass
class CaseClock:
    """A case, its log and its clock. steps: open worked steps with the instant they were opened."""

    row: Case
    log: list[Event]
    clock: Clock
    told: list[Told]
    reading: Reading
    prediction: Prediction | None = None
    open_steps: dict[str, int] = field(default_factory=dict)
    waits_at: list[str] = field(default_factory=list)

    @property
    def reworks(self) -> int:
        return sum(1 for t in self.told if t.kind == "rejected")

    @property
    def skipped(self) -> int:
        return sum(1 for t in self.told if t.kind == "skipped")

    def explained(self, now: int) -> list[str]:
        return explain(self.log, now, self.prediction)


def log_of(row: Case, told: Iterable[Told], terms: Terms) -> list[Event] | None:
    """The log of a case's clock; None where nothing was promised, or is any more."""
    started = _second(row.started_at)
    policies, hours = terms.policies(row.procedure_key), terms.hours
    before = [p for t, p in policies if t <= started]
    first = before[-1] if before else None
    later = [(t, p) for t, p in policies if t > started]
    if first is None:  # promised while it ran: a promise measures the whole history
        first = next((p for _, p in later if p is not None), None)
    if first is None or (policies and policies[-1][1] is None):
        return None
    in_force = [h for t, h, _ in hours if t <= started]
    begin = Event(started, "started", policy=first, hours=in_force[-1] if in_force else OFFICE)
    changes = [Event(t, "policy_changed", policy=p) for t, p in later if p is not None]
    changes += [Event(t, "hours_changed", hours=h, whole=w) for t, h, w in hours if t > started]
    return [begin, *_in_turn(_waits(told), changes, first)]


def _waits(told: Iterable[Told]) -> list[Event]:
    """Pauses and the end: the clock stands while the client is asked for anything at all."""
    waiting: set[UUID] = set()
    found: list[Event] = []
    for event in told:
        before = bool(waiting)
        if event.kind == "paused" and event.task_id:
            waiting.add(event.task_id)
        elif event.kind == "moved":
            waiting = {w for w in waiting if str(w) in event.places}
        elif event.task_id in waiting and event.kind in ANSWERED:
            waiting.discard(event.task_id)
        if bool(waiting) != before:
            found.append(Event(event.at, "paused" if waiting else "resumed", "client" if waiting else ""))
        if event.kind == "finished":
            found.append(Event(event.at, "finished"))
        elif event.kind == "case_cancelled":
            found.append(
                Event(event.at, "finished", event.reason or "no reason was kept", outcome="cancelled")
            )
    return found


def _in_turn(waits: list[Event], changes: list[Event], policy: Policy) -> list[Event]:
    """By time; a wait that the promise of its time does not declare costs the firm its own time."""
    found: list[Event] = []
    paused = False
    for event in sorted([*waits, *changes], key=lambda e: e.at):
        if event.policy is not None:
            policy = event.policy
        if event.kind == "paused":
            if event.reason not in policy.pause_reasons:
                continue
            paused = True
        elif event.kind == "resumed":
            if not paused:
                continue
            paused = False
        elif found and found[-1].kind == "finished":
            continue  # what changes afterwards measures nothing any more
        found.append(event)
    return found


# --- many cases -----------------------------------------------------------------------------------------


def clocks(rows: Sequence[Case], terms: Terms, now: int | None = None) -> list[CaseClock]:
    """The clocks of one client's cases, without those to which nothing was promised."""
    return _clocks(rows, {row.client_id: terms for row in rows}, now)


def _clocks(rows: Sequence[Case], terms: Mapping[UUID, Terms], now: int | None = None) -> list[CaseClock]:
    now = _second(timezone.now()) if now is None else now
    told: dict[UUID, list[Told]] = defaultdict(list)
    if rows:
        events = CaseEvent.objects.filter(
            client_id__in={r.client_id for r in rows}, case_id__in=[r.id for r in rows], kind__in=TELLING
        )
        for e in events.order_by("case_id", "seq").iterator(chunk_size=10_000):
            told[e.case_id].append(
                Told(
                    e.kind, _second(e.at), e.task_id, e.step, str(e.data.get("reason", "")),
                    tuple(e.data.get("places", ())),
                )
            )  # fmt: skip
    found = []
    for row in rows:
        log = log_of(row, told[row.id], terms[row.client_id])
        if log is not None:
            clock = Clock.of(log)
            found.append(CaseClock(row, log, clock, told[row.id], clock.reading(now)))
    return found


RUNNING = """
SELECT c.* FROM unnest(%s::uuid[]) AS g (client_id) CROSS JOIN LATERAL (
  SELECT * FROM sop_case w WHERE w.client_id = g.client_id AND w.state = 'running'
  ORDER BY w.id LIMIT %s) c
"""
FINISHED = """
SELECT c.* FROM unnest(%s::uuid[], %s::text[]) AS g (client_id, key) CROSS JOIN LATERAL (
  SELECT * FROM sop_case w WHERE w.client_id = g.client_id AND w.procedure_key = g.key AND w.state = 'done'
  ORDER BY w.ended_at DESC LIMIT %s) c
"""


def running(client_id: UUID, now: int | None = None) -> list[CaseClock]:
    """The clocks of a client's running cases, each with what earlier ones of its step predict."""
    return running_of([client_id], now)


def running_of(client_ids: Iterable[UUID], now: int | None = None) -> list[CaseClock]:
    """The same of many clients, asked once for all; MOST_CASES of each."""
    terms = {client_id: found for client_id, found in terms_of_all(client_ids).items() if found.any}
    if not terms:
        return []
    rows = list(Case.objects.raw(RUNNING, [list(terms), MOST_CASES]))
    return _predicted(rows, terms, _second(timezone.now()) if now is None else now)


def _predicted(rows: Sequence[Case], terms: Mapping[UUID, Terms], now: int) -> list[CaseClock]:
    found = _clocks(rows, terms, now)
    _open_steps(found)
    took = _took({(one.row.client_id, one.row.procedure_key) for one in found}, terms)
    for one in found:
        step, opened = next(iter(one.open_steps.items()), ("", 0))
        if step:
            since = worked_since(one.clock, opened, now)
            before = one.reading.elapsed_s - since
            judges = took[(one.row.client_id, one.row.procedure_key, step)]
            one.prediction = predict(since, judges, before_s=before)
            one.reading = one.clock.reading(now, one.prediction)
    return found


def _open_steps(found: Sequence[CaseClock]) -> None:
    by_case = {one.row.id: one for one in found}
    tasks = Task.objects.filter(
        client_id__in={one.row.client_id for one in found}, case_id__in=by_case, ended_at=None
    ).exclude(kind__in=("timer", "escalation"))
    columns = ("case_id", "step", "opened_at", "title")
    for case_id, step, opened, title in tasks.order_by("id").values_list(*columns):
        by_case[case_id].open_steps.setdefault(step, _second(opened))
        by_case[case_id].waits_at.append(title)


def _took(of: set[tuple[UUID, str]], terms: Mapping[UUID, Terms]) -> dict[tuple[UUID, str, str], list[int]]:
    """Working seconds from the first opening of each step to the end of its case, for finished cases, by
    client, procedure and step."""
    took: dict[tuple[UUID, str, str], list[int]] = defaultdict(list)
    pairs = sorted(of)
    done = Case.objects.raw(FINISHED, [[c for c, _ in pairs], [k for _, k in pairs], JUDGES])
    for one in _clocks(list(done) if pairs else [], terms):
        end = one.clock.finished or one.clock.last
        seen: dict[str, int] = {}
        for event in one.told:
            if event.kind == "opened" and event.step:
                seen.setdefault(event.step, event.at)
        for step, at in seen.items():
            took[(one.row.client_id, one.row.procedure_key, step)].append(worked_since(one.clock, at, end))
    return took


def worked_since(clock: Clock, instant: int, now: int) -> int:
    """Working seconds that the clock counted after an instant."""
    counted = sum(s.hours.between(max(s.start, instant), s.end) for s in clock.stretches if s.end > instant)
    if clock.running_since is not None:
        counted += clock.hours.between(max(clock.running_since, instant), now)
    return counted


def clock_of(row: Case, now: int | None = None) -> CaseClock | None:
    """The clock of one case, predicted while it runs."""
    now = _second(timezone.now()) if now is None else now
    terms = terms_of_all([row.client_id])
    found = _predicted([row], terms, now) if row.state == "running" else _clocks([row], terms, now)
    return found[0] if found else None
