"""Which lines settle which items, over whole columns: what is certain is confirmed, the rest is suggested.

First every rule that confirms, in order; each takes what it is certain of away from those after it. Certain
means: the amounts are equal to the last minor unit, and nothing else fits, neither another item for the line
nor another line for the item, of all that is left. Then every line that is left gets one suggestion, by the
first rule that has one, or the reason why there is none.

Rows are put in the order of their days and keys first, so that the order in which they come decides nothing.
The cost is that of sorting: rows meet by equal keys, never each with each, and where a key is shared by many
they are counted, not paired.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from engineroom.kernel.money import format_minor
from engineroom.settlement.engine.columns import (
    Flags,
    Hashes,
    Ints,
    Items,
    Lines,
    counted,
    joined,
    mixed,
    ranks,
)
from engineroom.settlement.engine.rules import RULES, Rule
from engineroom.settlement.engine.sums import Sums, subset_sums
from engineroom.settlement.engine.texts import CHUNK, References, flat, names, references

NOWHERE = -1
MOST_OF_A_KEY = 8
"""A key shared by more rows suggests none of them on its own."""
MOST_SHOWN = 50
"""A suggestion of more items than these is none: a person would not check it."""
TIE = 20
"""What a score loses where others fit as well."""


@dataclass(frozen=True)
class Suggestion:
    """What a line may settle, by which rule, out of 100. rivals: how many other rows fit as well.

    items: rows of Items. lines: the rows of Lines that would settle them together.
    """

    line: int
    rule: str
    score: int
    items: tuple[int, ...]
    lines: tuple[int, ...]
    rivals: int


NO_MONEY, AMBIGUOUS, SETTLED, DIFFERS, LIKELY, UNKNOWN = range(6)
REASONS = (
    "no money",
    "ambiguous",
    "settled already",
    "amount differs",
    "likely, not certain",
    "unknown",
)
WORDS = (
    "the line moves no money",
    "several items or lines fit equally well",
    "it names what is settled already",
    "it names an item of another amount",
    "something fits, but no rule is certain of it",
    "it names nothing that is open, and nothing open has its payer and amount",
)
"""Of each reason, in a sentence."""


@dataclass(frozen=True)
class Pairing:
    """line_match, item_match: the match of each row, -1 for none; so no row is in two. rule, fee: of each
    match; the items' amounts less the fee are what its lines come to. reason: of lines without a match.
    """

    line_match: Ints
    item_match: Ints
    rule: tuple[str, ...]
    fee: Ints
    suggestions: tuple[Suggestion, ...]
    reason: Ints

    def why_not(self, line: int) -> str:
        """Why a line is not matched; empty where it is."""
        return "" if self.line_match[line] >= 0 else WORDS[self.reason[line]]


def pair(lines: Lines, items: Items, rules: Sequence[Rule] = RULES) -> Pairing:
    """Confirm what is certain, suggest the rest."""
    line_order = np.lexsort((lines.key, lines.day))
    item_order = np.lexsort((items.key, items.day))
    ground = _Ground.of(_sorted_lines(lines, line_order), _sorted_items(items, item_order))
    for rule in rules:
        if rule.confirms:
            CONFIRM[rule.by](ground, rule)
    ground.begin_suggesting()
    for rule in rules:
        SUGGEST[rule.by](ground, rule)
    return ground.result(line_order, item_order)


def _sorted_lines(lines: Lines, order: Ints) -> Lines:
    return Lines(
        lines.key[order],
        lines.day[order],
        lines.currency[order],
        lines.amount[order],
        _picked(lines.text, order),
        _picked(lines.payer, order),
        lines.is_return[order],
        lines.charge[order],
        lines.whole[order],
        lines.whole_currency[order],
    )


def _sorted_items(items: Items, order: Ints) -> Items:
    return replace(
        items,
        key=items.key[order],
        day=items.day[order],
        currency=items.currency[order],
        amount=items.amount[order],
        reference=_picked(items.reference, order),
        payer=_picked(items.payer, order),
        is_return=items.is_return[order],
    )


def _picked(texts: Sequence[str], order: Ints) -> list[str]:
    return list(map(texts.__getitem__, order.tolist()))


@dataclass
class _Ground:
    """The rows as keys, and what is decided of them so far.

    whole: what a line's items have to come to; lane: in which currency, and whether it is money that comes
    back. ref: an item's reference, -1 for none; (named_line, named_ref): what each line names.
    """

    lines: Lines
    items: Items
    whole: Ints
    lane: Ints
    item_lane: Ints
    ref: Ints
    refs: References
    named_line: Ints
    named_ref: Ints
    looks: Flags
    payer: Hashes
    item_payer: Hashes
    line_match: Ints
    item_match: Ints
    rule: list[str] = field(default_factory=list)
    fee: list[int] = field(default_factory=list)
    contested: Flags = field(default_factory=lambda: np.zeros(0, np.bool_))
    has: Flags = field(default_factory=lambda: np.zeros(0, np.bool_))
    taken: Flags = field(default_factory=lambda: np.zeros(0, np.bool_))
    suggested: list[Suggestion] = field(default_factory=list)

    @classmethod
    def of(cls, lines: Lines, items: Items) -> _Ground:
        refs = references(items.reference)
        named_line, named_ref, looks = refs.named(lines.text)
        payer, item_payer = names(lines.payer, items.payer)
        elsewhere = lines.whole_currency > 0
        sign = np.sign(lines.amount)
        whole = np.where(elsewhere, np.abs(lines.whole) * sign, lines.amount + lines.charge)
        currency = np.where(elsewhere, lines.whole_currency, lines.currency)
        item_lane = items.currency * 2 + items.is_return
        made = cls(
            lines, items, whole, currency * 2, item_lane, refs.code, refs, named_line, named_ref, looks,
            payer, item_payer, np.full(len(lines), NOWHERE), np.full(len(items), NOWHERE),
        )  # fmt: skip
        made.lane = currency * 2 + (lines.is_return | made._names_returns())
        made.contested = np.zeros(len(lines), np.bool_)
        return made

    def _names_returns(self) -> Flags:
        """Lines that name payments of ours and nothing else, though the bank marks no return."""
        back = np.zeros(self.refs.count, np.bool_)
        other = np.zeros(self.refs.count, np.bool_)
        has = self.ref >= 0
        back[self.ref[has & self.items.is_return]] = True
        other[self.ref[has & ~self.items.is_return]] = True
        names_back, names_other = np.zeros((2, len(self.lines)), np.bool_)
        names_back[self.named_line[back[self.named_ref]]] = True
        names_other[self.named_line[other[self.named_ref]]] = True
        return names_back & ~names_other

    def free_lines(self) -> Flags:
        return np.asarray((self.line_match < 0) & (self.lines.amount != 0))

    def free_items(self) -> Flags:
        return np.asarray((self.item_match < 0) & (self.items.amount != 0))

    def names_count(self) -> Ints:
        return np.bincount(self.named_line, minlength=len(self.lines))

    def live(self) -> tuple[Ints, Ints]:
        """(line, ref) of lines that are free, whatever is left of what they name."""
        keep = self.free_lines()[self.named_line]
        return self.named_line[keep], self.named_ref[keep]

    def match(
        self, rule: Rule, line: Ints, line_number: Ints, item: Ints, item_number: Ints, fee: Ints
    ) -> None:
        """Confirm matches 0 to n-1: each line and each item beside the number of its match."""
        base = len(self.rule)
        self.line_match[line] = base + line_number
        self.item_match[item] = base + item_number
        self.rule += [rule.name] * len(fee)
        self.fee += fee.tolist()

    # suggestions

    def begin_suggesting(self) -> None:
        self.has = ~self.free_lines()
        self.taken = ~self.free_items()

    def suggest(self, rule: Rule, line: int, items: Sequence[int], *, with_: Sequence[int] = (),
                rivals: int = 0, more: int = 0) -> None:  # fmt: skip
        if self.has[line] or not 0 < len(items) <= MOST_SHOWN:
            return
        self.has[line] = True
        score = max(1, min(99, rule.score + more - (TIE if rivals else 0)))
        together = tuple(with_) or (line,)
        self.suggested.append(Suggestion(line, rule.name, score, tuple(items), together, rivals))

    def result(self, line_order: Ints, item_order: Ints) -> Pairing:
        reason = self._reasons()
        line_match, item_match, reasons = (
            np.empty(len(o), np.int64) for o in (line_order, item_order, line_order)
        )
        line_match[line_order] = self.line_match
        item_match[item_order] = self.item_match
        reasons[line_order] = reason
        back, there = line_order.tolist(), item_order.tolist()
        suggestions = [
            replace(
                s,
                line=back[s.line],
                items=tuple(there[i] for i in s.items),
                lines=tuple(back[n] for n in s.lines),
            )
            for s in self.suggested
        ]
        return Pairing(
            line_match,
            item_match,
            tuple(self.rule),
            np.array(self.fee, np.int64),
            tuple(suggestions),
            reasons,
        )

    def _reasons(self) -> Ints:
        reason = np.full(len(self.lines), UNKNOWN, np.int64)
        reason[self.line_match >= 0] = NOWHERE
        reason[[s.line for s in self.suggested]] = LIKELY
        free = self.free_items()
        left = np.zeros(self.refs.count, np.bool_)
        left[self.ref[free & (self.ref >= 0)]] = True
        live_line, live_ref = self.live()
        named = np.zeros((2, len(self.lines)), np.bool_)
        named[0, live_line[~left[live_ref]]] = True
        named[1, live_line[left[live_ref]]] = True
        reason[named[0] & ~named[1]] = SETTLED
        reason[named[1]] = DIFFERS
        tied = [s.line for s in self.suggested if s.rivals]
        reason[tied] = AMBIGUOUS
        reason[self.contested & (self.line_match < 0)] = AMBIGUOUS
        reason[self.lines.amount == 0] = NO_MONEY
        return reason


def _kept(rule: Rule, amount: Ints) -> Ints:
    """The fee that the rule says is kept of each amount: rounded half up, of what comes in alone."""
    fee = rule.fee
    if not fee.basis_points and not fee.fixed:
        return np.zeros(len(amount), np.int64)
    return np.where(amount > 0, (np.abs(amount) * fee.basis_points + 5_000) // 10_000 + fee.fixed, 0)


def _alone(left: Hashes, right: Hashes) -> tuple[Ints, Ints]:
    """Pairs of rows whose key stands once on either side."""
    one_left = np.flatnonzero(counted(left, left) == 1)
    one_right = np.flatnonzero(counted(right, right) == 1)
    _, a, b = np.intersect1d(left[one_left], right[one_right], assume_unique=True, return_indices=True)
    return one_left[a], one_right[b]


# --- rules that confirm ---------------------------------------------------------------------------------


def _by_reference_and_amount(g: _Ground, rule: Rule) -> None:
    """One line names one item, and has its amount; no other line that names it has, nor do the others
    together.
    """
    fee = _kept(rule, g.items.amount)
    line, ref = g.live()
    items = np.flatnonzero(g.free_items() & (g.ref >= 0))
    net = (g.items.amount - fee)[items]
    line_keys = mixed(ref, g.lane[line], g.whole[line])
    item_keys = mixed(g.ref[items], g.item_lane[items], net)
    g.contested[line[(counted(item_keys, line_keys) > 0)]] = True
    a, b = _alone(line_keys, item_keys)
    row, named, item = line[a], ref[a], items[b]
    sums = np.zeros(g.refs.count, np.int64)
    np.add.at(sums, ref, g.whole[line])
    good = g.names_count()[row] == 1
    good &= (named == g.ref[item]) & (g.lane[row] == g.item_lane[item])
    good &= g.whole[row] == g.items.amount[item] - fee[item]
    good &= sums[named] - g.whole[row] != g.whole[row]
    number = np.arange(int(good.sum()))
    g.match(rule, row[good], number, item[good], number, fee[item[good]])


def _by_all_it_names(g: _Ground, rule: Rule) -> None:
    """One line is the sum of all that it names, and nobody else names any of it."""
    fee = _kept(rule, g.items.amount)
    line, ref = g.live()
    items = np.flatnonzero(g.free_items() & (g.ref >= 0))
    count, total, least, most, fees = (np.zeros(g.refs.count, np.int64) for _ in range(5))
    np.add.at(count, g.ref[items], 1)
    np.add.at(total, g.ref[items], (g.items.amount - fee)[items])
    np.add.at(fees, g.ref[items], fee[items])
    least[:] = np.iinfo(np.int64).max
    np.minimum.at(least, g.ref[items], g.item_lane[items])
    np.maximum.at(most, g.ref[items], g.item_lane[items])
    named_by = np.bincount(ref, minlength=g.refs.count)
    fits = (
        (named_by[ref] == 1) & (count[ref] > 0) & (least[ref] == g.lane[line]) & (most[ref] == g.lane[line])
    )
    rows = len(g.lines)
    bad = np.bincount(line[~fits], minlength=rows)
    comes_to, kept, several = (np.zeros(rows, np.int64) for _ in range(3))
    np.add.at(comes_to, line, np.where(fits, total[ref], 0))
    np.add.at(kept, line, np.where(fits, fees[ref], 0))
    np.add.at(several, line, count[ref])
    good = g.free_lines() & (bad == 0) & (several > 0) & (comes_to == g.whole)
    row = np.flatnonzero(good)
    number = np.full(rows, NOWHERE)
    number[row] = np.arange(len(row))
    of_ref = np.full(g.refs.count, NOWHERE)
    of_ref[ref[good[line]]] = number[line[good[line]]]
    chosen = items[of_ref[g.ref[items]] >= 0]
    g.match(rule, row, number[row], chosen, of_ref[g.ref[chosen]], kept[row])


MOST_PARTS = 12


def _by_parts(g: _Ground, rule: Rule) -> None:
    """All lines that name an item, and name nothing else, come to it together."""
    line, ref = g.live()
    items = np.flatnonzero(g.free_items() & (g.ref >= 0))
    count, item_of = np.zeros(g.refs.count, np.int64), np.zeros(g.refs.count, np.int64)
    np.add.at(count, g.ref[items], 1)
    item_of[g.ref[items]] = items
    parts = np.bincount(ref, minlength=g.refs.count)
    item = item_of[ref]
    fits = (g.names_count()[line] == 1) & (g.lane[line] == g.item_lane[item])
    fits &= np.sign(g.whole[line]) == np.sign(g.items.amount[item])
    bad = np.bincount(ref[~fits], minlength=g.refs.count)
    sums = np.zeros(g.refs.count, np.int64)
    np.add.at(sums, ref, g.whole[line])
    good = (count == 1) & (parts >= 2) & (parts <= MOST_PARTS) & (bad == 0)
    good &= sums == g.items.amount[item_of]
    number = np.full(g.refs.count, NOWHERE)
    number[good] = np.arange(int(good.sum()))
    row = good[ref]
    g.match(
        rule, line[row], number[ref[row]], item_of[good], number[good], np.zeros(int(good.sum()), np.int64)
    )


def _by_payer_and_amount(g: _Ground, rule: Rule) -> None:
    """The one line of its payer and amount, and the one item; the line names nothing, and nobody the item.

    A line with what looks like a reference of ours speaks of something else, though it be one digit away.
    """
    rows = np.flatnonzero(g.free_lines() & (g.payer != 0))
    items = np.flatnonzero(g.free_items() & (g.item_payer != 0))
    # A payment of ours that came back competes with what is owed to us, though the bank may not mark it.
    line_keys = mixed(g.payer[rows], g.lane[rows] // 2, g.whole[rows])
    item_keys = mixed(g.item_payer[items], g.items.currency[items], g.items.amount[items])
    silent = g.names_count() == 0
    g.contested[rows[silent[rows] & (counted(item_keys, line_keys) > 1)]] = True
    a, b = _alone(line_keys, item_keys)
    row, item = rows[a], items[b]
    spoken = np.zeros(g.refs.count + 1, np.bool_)
    spoken[g.live()[1]] = True
    good = silent[row] & ~spoken[g.ref[item]] & (g.whole[row] == g.items.amount[item])
    good &= (
        (g.payer[row] == g.item_payer[item])
        & (g.lane[row] == g.item_lane[item])
        & _in_days(g, rule, row, item)
    )
    good &= ~g.lines.is_return[row]
    good &= ~g.looks[row]
    number = np.arange(int(good.sum()))
    g.match(rule, row[good], number, item[good], number, np.zeros(len(number), np.int64))


def _in_days(g: _Ground, rule: Rule, row: Ints, item: Ints) -> Flags:
    late = g.lines.day[row] - g.items.day[item]
    return np.asarray((late >= -rule.days[0]) & (late <= rule.days[1]))


def _near(g: _Ground, rows: Ints, items: Ints, row_keys: Hashes, item_keys: Hashes) -> tuple[Ints, Ints]:
    """(line, item) of equal keys where the line's text has almost the item's reference."""
    here = np.flatnonzero(np.isin(row_keys, item_keys))
    there = np.flatnonzero(np.isin(item_keys, row_keys) & (g.ref[items] >= 0))
    if not len(here) or not len(there):
        return here[:0], there[:0]
    codes = items[there]
    begin, end = g.refs.begin[codes], g.refs.end[codes]
    which, hashes = g.refs.flat.alike().near(begin, end)
    wanted = mixed(hashes, item_keys[there][which])
    shortest, longest = int((end - begin).min()), int((end - begin).max())
    found_lines, found_items = [here[:0]], [there[:0]]
    for start in range(0, len(here), CHUNK):
        some = here[start : start + CHUNK]
        text = flat(_picked(g.lines.text, rows[some]))
        at, to = text.stretches()
        fits = (to - at >= shortest - 1) & (to - at <= longest + 1) & (text.digits(at, to) >= 2)
        at, to = at[fits], to[fits]
        stretch, seen = text.alike().near(at, to)
        row = some[text.row[at[stretch]]]
        left, right = joined(mixed(seen, row_keys[row]), wanted, MOST_OF_A_KEY)
        pairs = np.unique(row[left] * len(items) + there[which[right]])
        found_lines.append(rows[pairs // len(items)])
        found_items.append(items[pairs % len(items)])
    return np.concatenate(found_lines), np.concatenate(found_items)


# --- rules that suggest ---------------------------------------------------------------------------------


def _in_turn(g: _Ground, rule: Rule, line: Ints, line_keys: Hashes, item: Ints, item_keys: Hashes) -> None:
    """Within each key the first line gets the first item, and so on; lines beyond the items begin again."""
    keep = ~g.has[line]
    line, line_keys = line[keep], line_keys[keep]
    fits = counted(item_keys, line_keys)
    line, line_keys, fits = line[fits > 0], line_keys[fits > 0], fits[fits > 0]
    here = counted(line_keys, line_keys)
    turn = mixed(line_keys, ranks(line_keys) % fits)
    a, b = joined(turn, mixed(item_keys, ranks(item_keys)), 1)
    rivals = np.maximum(fits, here) - 1
    for n, one, rival in zip(line[a].tolist(), item[b].tolist(), rivals[a].tolist(), strict=True):
        g.suggest(rule, n, [one], rivals=rival)
    g.taken[item[b]] = True


def _suggest_reference_and_amount(g: _Ground, rule: Rule) -> None:
    line, ref = g.live()
    items = np.flatnonzero(~g.taken & (g.ref >= 0))
    net = g.items.amount[items] - _kept(rule, g.items.amount[items])
    line_keys, item_keys = (
        mixed(ref, g.lane[line], g.whole[line]),
        mixed(g.ref[items], g.item_lane[items], net),
    )
    _in_turn(g, rule, line, line_keys, items, item_keys)


def _suggest_payer_and_amount(g: _Ground, rule: Rule) -> None:
    rows = np.flatnonzero(~g.has & (g.payer != 0))
    items = np.flatnonzero(~g.taken & (g.item_payer != 0))
    line_keys = mixed(g.payer[rows], g.lane[rows], g.whole[rows])
    item_keys = mixed(g.item_payer[items], g.item_lane[items], g.items.amount[items])
    _in_turn(g, rule, rows, line_keys, items, item_keys)


def _suggest_amount(g: _Ground, rule: Rule) -> None:
    rows, items = np.flatnonzero(~g.has), np.flatnonzero(~g.taken)
    line_keys = mixed(g.lane[rows], g.whole[rows])
    item_keys = mixed(g.item_lane[items], g.items.amount[items] - _kept(rule, g.items.amount[items]))
    few = counted(item_keys, item_keys) <= MOST_OF_A_KEY
    _in_turn(g, rule, rows, line_keys, items[few], item_keys[few])
    first, total, lane = _under_one_reference(g, rule)
    rows = np.flatnonzero(~g.has)
    a, b = _alone(mixed(g.lane[rows], g.whole[rows]), mixed(lane, total))
    _all_under_one(g, rule, rows[a], first[b])


def _best(g: _Ground, rule: Rule, line: Ints, item: Ints) -> None:
    """Of pairs the nearest each, those of one payer first; an item once. Three rounds settle nearly all."""
    other = (g.payer[line] != g.item_payer[item]) | (g.payer[line] == 0)
    apart = np.abs(g.lines.day[line] - g.items.day[item])
    order = np.lexsort((item, line, apart, other))
    line, item = line[order], item[order]
    rivals = np.bincount(line, minlength=len(g.lines))
    for _ in range(3):
        keep = ~g.has[line] & ~g.taken[item]
        line, item = line[keep], item[keep]
        first = np.zeros(len(line), np.bool_)
        first[np.unique(line, return_index=True)[1]] = True
        chosen = np.flatnonzero(first)
        chosen = chosen[np.unique(item[chosen], return_index=True)[1]]
        for n, one in zip(line[chosen].tolist(), item[chosen].tolist(), strict=True):
            g.suggest(rule, n, [one], rivals=int(rivals[n]) - 1)
        g.taken[item[chosen]] = True


def _suggest_near_and_amount(g: _Ground, rule: Rule) -> None:
    rows, items = np.flatnonzero(~g.has), np.flatnonzero(~g.taken)
    keys = mixed(g.lane[rows], g.whole[rows])
    net = g.items.amount[items] - _kept(rule, g.items.amount[items])
    _best(g, rule, *_near(g, rows, items, keys, mixed(g.item_lane[items], net)))
    first, total, lane = _under_one_reference(g, rule)
    rows = np.flatnonzero(~g.has)
    line, item = _near(g, rows, first, mixed(g.lane[rows], g.whole[rows]), mixed(lane, total))
    _all_under_one(g, rule, line, item)


def _under_one_reference(g: _Ground, rule: Rule) -> tuple[Ints, Ints, Ints]:
    """(first item, sum net of fees, lane) of each reference that several open items share."""
    items = np.flatnonzero(~g.taken & (g.ref >= 0))
    items = items[np.argsort(g.ref[items], kind="stable")]
    ref = g.ref[items]
    begins = np.flatnonzero(np.r_[True, ref[1:] != ref[:-1]]) if len(items) else items
    lengths = np.diff(np.r_[begins, len(items)])
    net = (g.items.amount - _kept(rule, g.items.amount))[items]
    total = np.add.reduceat(net, begins) if len(items) else items
    lane = np.maximum.reduceat(g.item_lane[items], begins) if len(items) else items
    one = (np.minimum.reduceat(g.item_lane[items], begins) == lane) if len(items) else items > 0
    several = (lengths > 1) & (lengths <= MOST_SHOWN) & one
    return items[begins[several]], total[several], lane[several]


def _all_under_one(g: _Ground, rule: Rule, line: Ints, first: Ints) -> None:
    """Suggest for each line all open items of the reference of this one."""
    if not len(line):
        return
    open_ = np.flatnonzero(~g.taken & np.isin(g.ref, g.ref[first]))
    of: dict[int, list[int]] = {}
    for item in open_.tolist():
        of.setdefault(int(g.ref[item]), []).append(item)
    rivals = np.bincount(line, minlength=len(g.lines))
    for n, item in zip(line.tolist(), first.tolist(), strict=True):
        chosen = of[int(g.ref[item])]
        if not g.has[n] and not g.taken[chosen].any():
            g.suggest(rule, n, chosen, rivals=int(rivals[n]) - 1)
            g.taken[chosen] = True


def _suggest_near_and_payer(g: _Ground, rule: Rule) -> None:
    rows, items = np.flatnonzero(~g.has & (g.payer != 0)), np.flatnonzero(~g.taken & (g.item_payer != 0))
    line, item = _near(g, rows, items, mixed(g.payer[rows]), mixed(g.item_payer[items]))
    _best(g, rule, line, item)


def _suggest_some_named(g: _Ground, rule: Rule) -> None:
    """A line names several items and pays some of them."""
    line, ref = g.live()
    keep = ~g.has[line]
    items = np.flatnonzero(~g.taken & (g.ref >= 0))
    a, b = joined(ref[keep].astype(np.uint64), g.ref[items].astype(np.uint64), MOST_OF_A_KEY)
    row, item = line[keep][a], items[b]
    same = g.lane[row] == g.item_lane[item]
    row, item = row[same], item[same]
    rows = np.unique(row)
    sums = subset_sums(mixed(row), g.items.amount[item], mixed(rows), g.whole[rows])
    sums = Sums(rows[sums.target], np.where(sums.elements >= 0, item[sums.elements], NOWHERE))
    _items_of_a_line(g, rule, sums)


def _suggest_named_and_others(g: _Ground, rule: Rule) -> None:
    """A line names some items, and what is left of it is a sum of others of the same payer."""
    line, ref = g.live()
    keep = ~g.has[line]
    items = np.flatnonzero(~g.taken & (g.ref >= 0))
    a, b = joined(ref[keep].astype(np.uint64), g.ref[items].astype(np.uint64), MOST_OF_A_KEY)
    row, item = line[keep][a], items[b]
    same = (g.lane[row] == g.item_lane[item]) & (g.item_payer[item] != 0)
    row, item = row[same], item[same]
    base, payer = np.zeros(len(g.lines), np.int64), np.zeros(len(g.lines), np.uint64)
    np.add.at(base, row, g.items.amount[item])
    payer[row] = g.item_payer[item]
    rows = np.unique(row)
    rows = rows[np.sign(g.whole[rows] - base[rows]) == np.sign(g.whole[rows])]
    others = np.flatnonzero(~g.taken & (g.item_payer != 0))
    group = mixed(g.item_payer[others], g.item_lane[others])
    sums = subset_sums(
        group, g.items.amount[others], mixed(payer[rows], g.lane[rows]), (g.whole - base)[rows], 1
    )
    named: dict[int, list[int]] = {}
    for n, one in zip(row.tolist(), item.tolist(), strict=True):
        named.setdefault(n, []).append(one)
    rivals = np.bincount(rows[sums.target], minlength=len(g.lines))
    for place, elements in zip(sums.target.tolist(), sums.elements.tolist(), strict=True):
        n = int(rows[place])
        chosen = [*named[n], *(int(others[e]) for e in elements if e >= 0)]
        if g.has[n] or g.taken[chosen].any() or len(set(chosen)) < len(chosen):
            continue
        g.suggest(rule, n, chosen, rivals=int(rivals[n]) - 1)
        g.taken[chosen] = True


def _suggest_items_of_payer(g: _Ground, rule: Rule) -> None:
    rows = np.flatnonzero(~g.has & (g.payer != 0))
    items = np.flatnonzero(~g.taken & (g.item_payer != 0))
    group = mixed(g.item_payer[items], g.item_lane[items])
    sums = subset_sums(group, g.items.amount[items], mixed(g.payer[rows], g.lane[rows]), g.whole[rows])
    sums = Sums(rows[sums.target], np.where(sums.elements >= 0, items[sums.elements], NOWHERE))
    _items_of_a_line(g, rule, sums)


def _items_of_a_line(g: _Ground, rule: Rule, sums: Sums) -> None:
    """Choices in their order; each line takes the first whose items nobody took."""
    rivals = np.bincount(sums.target, minlength=len(g.lines))
    for line, elements in zip(sums.target.tolist(), sums.elements.tolist(), strict=True):
        chosen = [i for i in elements if i >= 0]
        if g.has[line] or g.taken[chosen].any():
            continue
        g.suggest(rule, line, chosen, rivals=int(rivals[line]) - 1)
        g.taken[chosen] = True


def _suggest_lines_of_payer(g: _Ground, rule: Rule) -> None:
    rows = np.flatnonzero(~g.has & (g.payer != 0))
    items = np.flatnonzero(~g.taken & (g.item_payer != 0))
    target = mixed(g.item_payer[items], g.item_lane[items])
    sums = subset_sums(mixed(g.payer[rows], g.lane[rows]), g.whole[rows], target, g.items.amount[items])
    sums = _not_speaking_of_others(g, sums, rows, items)
    rivals = np.bincount(sums.target, minlength=len(items))
    for place, elements in zip(sums.target.tolist(), sums.elements.tolist(), strict=True):
        together = [int(rows[e]) for e in elements if e >= 0]
        item = int(items[place])
        if g.taken[item] or g.has[together].any():
            continue
        for line in together:
            g.suggest(rule, line, [item], with_=together, rivals=int(rivals[place]) - 1)
        g.taken[item] = True


def _not_speaking_of_others(g: _Ground, sums: Sums, rows: Ints, items: Ints) -> Sums:
    """Without the sums of lines that name something, but not this item."""
    line, ref = g.live()
    names = np.zeros(len(g.lines), np.bool_)
    names[line] = True
    spoken = np.unique(line * (g.refs.count + 1) + ref)
    member = rows[sums.elements]
    this = np.isin(member * (g.refs.count + 1) + g.ref[items[sums.target]][:, None], spoken)
    fine = ~((sums.elements >= 0) & names[member] & ~this).any(axis=1)
    return Sums(sums.target[fine], sums.elements[fine])


def _suggest_reference(g: _Ground, rule: Rule) -> None:
    """A line names something of another amount: part of it, more than it, or in another currency."""
    line, ref = g.live()
    keep = ~g.has[line]
    items = np.flatnonzero(~g.taken & (g.ref >= 0))
    a, b = joined(ref[keep].astype(np.uint64), g.ref[items].astype(np.uint64), MOST_SHOWN)
    row, item = line[keep][a], items[b]
    fits = np.sign(g.lines.amount[row]) == np.sign(g.items.amount[item])
    row, item = row[fits], item[fits]
    order = np.argsort(row, kind="stable")
    row, item = row[order], item[order]
    if not len(row):
        return
    begins = np.flatnonzero(np.r_[True, row[1:] != row[:-1]])
    for start, end in zip(begins.tolist(), [*begins[1:].tolist(), len(row)], strict=True):
        same = g.payer[row[start]] == g.item_payer[item[start]] != 0
        g.suggest(rule, int(row[start]), item[start:end].tolist(), more=5 if same else 0)


def _suggest_less_a_charge(g: _Ground, rule: Rule) -> None:
    """The payer's next larger item, which the line falls short of by what a bank may have kept."""
    rows = np.flatnonzero(~g.has & (g.payer != 0) & (g.whole > 0))
    items = np.flatnonzero(~g.taken & (g.item_payer != 0) & (g.items.amount > 0))
    if not len(rows) or not len(items):
        return
    groups = np.unique(mixed(g.item_payer[items], g.item_lane[items]), return_inverse=True)
    keys = mixed(g.payer[rows], g.lane[rows])
    place = np.minimum(np.searchsorted(groups[0], keys), len(groups[0]) - 1)
    known = groups[0][place] == keys
    rows, place = rows[known], place[known]
    order = np.lexsort((g.items.amount[items], groups[1]))
    # Where each line would stand among the items of its payer, in the order of amounts: both sorted as one.
    merged = np.lexsort((
        np.r_[np.ones(len(items), np.int64), np.zeros(len(rows), np.int64)],
        np.r_[g.items.amount[items], g.whole[rows]],
        np.r_[groups[1], place],
    ))  # fmt: skip
    is_item = merged < len(items)
    before = np.cumsum(is_item)
    mine = np.flatnonzero(~is_item)
    line = rows[merged[mine] - len(items)]
    following = before[mine]
    there = following < len(items)
    line, item = line[there], items[order[following[there]]]
    short = g.items.amount[item] - g.whole[line]
    good = (g.item_payer[item] == g.payer[line]) & (g.item_lane[item] == g.lane[line])
    good &= (short > 0) & (short * 10_000 <= g.items.amount[item] * rule.tolerance_bp)
    good &= _in_days(g, rule, line, item)
    _best(g, rule, line[good], item[good])


Confirm = Callable[[_Ground, Rule], None]

CONFIRM: dict[str, Confirm] = {
    "reference and amount": _by_reference_and_amount,
    "references and sum": _by_all_it_names,
    "parts by reference": _by_parts,
    "payer and amount": _by_payer_and_amount,
}


def _nothing(_: _Ground, __: Rule) -> None:
    """What this rule is not certain of, "reference alone" suggests."""


SUGGEST: dict[str, Confirm] = {
    "reference and amount": _suggest_reference_and_amount,
    "references and sum": _nothing,
    "parts by reference": _nothing,
    "near reference and amount": _suggest_near_and_amount,
    "payer and amount": _suggest_payer_and_amount,
    "some of those named": _suggest_some_named,
    "those named and others": _suggest_named_and_others,
    "sum of a payer's items": _suggest_items_of_payer,
    "sum of a payer's lines": _suggest_lines_of_payer,
    "reference": _suggest_reference,
    "near reference and payer": _suggest_near_and_payer,
    "payer, less a charge": _suggest_less_a_charge,
    "amount": _suggest_amount,
}


def difference(lines: Lines, items: Items, suggestion: Suggestion, currency: str) -> str:
    """In words how far the lines of a suggestion are from its items; empty where they agree."""
    rows, chosen = list(suggestion.lines), list(suggestion.items)
    if (items.currency[chosen] != lines.currency[rows[0]]).any():
        return "another currency"
    gap = int(items.amount[chosen].sum() - lines.amount[rows].sum())
    if not gap:
        return ""
    word = "stays open" if (gap > 0) == (int(lines.amount[rows].sum()) > 0) else "is left over"
    return f"{format_minor(abs(gap), currency)} {currency} {word}"
