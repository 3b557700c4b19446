"""References and names in texts, by whole columns: normalised, cut into pieces, hashed, never row by row.

A text becomes its letters and digits alone, in capitals and without accents. Where anything else stood, and
where letters meet digits, is a seam; a reference is found only from seam to seam, so "inv 000 012" and
"INV-000012" name one thing and INV-0000123 another.

A hash of letters c0 c1 .. is the sum of v(c) * B^k, modulo 2^64, so that the hash of any stretch comes from
two prefix sums. Stretches that are found by their hash are compared letter by letter.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engineroom.settlement.engine.columns import Flags, Hashes, Ints, mixed

SHORTEST = 5
"""A reference of fewer letters stands in too many texts by chance to name anything."""
FEWEST_DIGITS = 3
LONGEST = 40
PIECES = 5
"""A reference is looked for in up to so many pieces of a text."""
CHUNK = 65_536
"""Texts at a time: bounds the memory."""

CUT_AT = 18
"""The width at which a name is known to be cut: fields of Bacs Standard 18 (facts/gb.md, 2.2)."""
LEGAL_FORMS = ("LTD", "LIMITED", "PLC", "LLP")

BASE = 0x9E3779B97F4A7C15
DIGIT, LETTER = 1, 2


def _classes() -> NDArray[np.uint8]:
    kinds = np.zeros(256, np.uint8)
    kinds[ord("0") : ord("9") + 1] = DIGIT
    kinds[ord("A") : ord("Z") + 1] = LETTER
    kinds[128:] = LETTER  # other alphabets, byte by byte
    return kinds


CLASSES = _classes()
VALUES = mixed(np.arange(1, 257))
SHAPES = np.where(CLASSES == DIGIT, ord("9"), np.arange(256)).astype(np.uint8)

LOOKS_LIKE = np.arange(256, dtype=np.uint8)
LOOKS_LIKE[list(b"OILSB")] = list(b"01158")


def _powers(length: int) -> tuple[Hashes, Hashes]:
    """B to the power of 0 to length, and of 0 to -length."""
    up, down = (np.full(length + 1, b, np.uint64) for b in (BASE, pow(BASE, -1, 2**64)))
    up[0] = down[0] = 1
    return np.multiply.accumulate(up), np.multiply.accumulate(down)


@dataclass
class Flat:
    """Texts without what is no letter and no digit. row: whose text a letter is of; seams: pieces begin."""

    letters: NDArray[np.uint8]
    row: Ints
    seams: Ints
    rows: int
    _up: Hashes = field(init=False)
    _down: Hashes = field(init=False)
    _sums: Hashes = field(init=False)

    def __post_init__(self) -> None:
        self._up, self._down = _powers(len(self.letters))
        self._sums = self._prefix(self.letters)

    def _prefix(self, letters: NDArray[np.uint8]) -> Hashes:
        sums = np.zeros(len(letters) + 1, np.uint64)
        np.cumsum(VALUES[letters] * self._up[:-1], out=sums[1:])
        return sums

    def bounds(self) -> tuple[Ints, Ints]:
        """Where each row's letters begin and end."""
        edges = np.searchsorted(self.row, np.arange(self.rows + 1))
        return edges[:-1], edges[1:]

    def hashes(self, begin: Ints, end: Ints) -> Hashes:
        return (self._sums[end] - self._sums[begin]) * self._down[begin]

    def shapes(self, begin: Ints, end: Ints) -> Hashes:
        """Of the stretches with every digit as a 9: INV-000012 and INV-000345 have one shape."""
        sums = self._prefix(SHAPES[self.letters])
        return (sums[end] - sums[begin]) * self._down[begin]

    def digits(self, begin: Ints, end: Ints) -> Ints:
        sums = np.r_[0, np.cumsum(CLASSES[self.letters] == DIGIT)]
        return np.asarray(sums[end] - sums[begin])

    def near(self, begin: Ints, end: Ints) -> tuple[Ints, Hashes]:
        """(stretch, hash) of each stretch, whole and with any one letter left out.

        Two stretches that share a hash are equal but for a letter missing, added, other or moved.
        """
        length = end - begin
        which = np.repeat(np.arange(len(begin)), length)
        at = np.arange(len(which)) - np.repeat(np.cumsum(length) - length, length) + begin[which]
        left = self.hashes(begin[which], at)
        right = self.hashes(at + 1, end[which]) * self._up[at - begin[which]]
        return np.r_[np.arange(len(begin)), which], np.r_[self.hashes(begin, end), left + right]

    def alike(self) -> Flat:
        """The same with letters that are taken for digits as these."""
        return Flat(LOOKS_LIKE[self.letters], self.row, self.seams, self.rows)

    def stretches(self) -> tuple[Ints, Ints]:
        """From any seam of a text to any other, over up to PIECES pieces."""
        ends = np.r_[self.seams[1:], len(self.letters)] if len(self.seams) else self.seams
        rows = self.row[self.seams]
        begins, found = [], []
        for more in range(min(PIECES, len(self.seams))):
            last = len(self.seams) - more
            same = rows[:last] == rows[more:]
            begins.append(self.seams[:last][same])
            found.append(ends[more:][same])
        if not begins:
            return self.seams, self.seams
        return np.concatenate(begins), np.concatenate(found)


def flat(texts: Sequence[str], *, by_class: bool = True) -> Flat:
    """The texts as one run of letters. by_class: a seam stands where letters meet digits, too."""
    one = "\0".join(texts)
    if one.count("\0") != max(len(texts) - 1, 0):
        one = "\0".join([text.replace("\0", " ") for text in texts])
    one = unicodedata.normalize("NFKD", one.upper()).replace("&", " AND ")
    raw = np.frombuffer(one.encode("utf-8", "replace"), np.uint8)
    following = np.r_[raw[1:], np.uint8(0)] if len(raw) else raw
    accent = (raw == 0xCC) | ((raw == 0xCD) & (following < 0xB0))  # U+0300 to U+036F
    raw = raw[~(accent | np.r_[False, accent[:-1]])] if len(raw) else raw
    row = np.cumsum(raw == 0)
    kept = np.flatnonzero(CLASSES[raw])
    letters, row = raw[kept], row[kept].astype(np.int64)
    begins = np.ones(len(kept), np.bool_)
    begins[1:] = (np.diff(kept) > 1) | (np.diff(row) > 0)
    if by_class:
        begins[1:] |= CLASSES[letters[1:]] != CLASSES[letters[:-1]]
    return Flat(letters, row, np.flatnonzero(begins), len(texts))


def _alike(a: Flat, at: Ints, b: Flat, there: Ints, length: Ints) -> Flags:
    """Whether stretches of equal length are equal, letter by letter."""
    same = np.ones(len(at), np.bool_)
    for n in range(int(length.max(initial=0))):
        in_it = length > n
        same[in_it] &= a.letters[at[in_it] + n] == b.letters[there[in_it] + n]
    return same


@dataclass
class References:
    """The references of items. code: the number of an item's reference, -1 where it has none that counts."""

    code: Ints
    flat: Flat
    begin: Ints
    end: Ints
    _hashes: Hashes
    _first: Ints
    _shapes: Hashes

    @property
    def count(self) -> int:
        return len(self._hashes)

    def named(self, texts: Sequence[str]) -> tuple[Ints, Ints, Flags]:
        """(row, code) of what each text names, each once; and whether the text has what looks like one."""
        rows, codes, looks = [], [], np.zeros(len(texts), np.bool_)
        for start in range(0, len(texts), CHUNK):
            row, code, like = self._named(flat(texts[start : start + CHUNK]))
            rows.append(row + start)
            codes.append(code)
            looks[start : start + CHUNK] = like
        if not rows:
            return np.zeros(0, np.int64), np.zeros(0, np.int64), looks
        pairs = np.unique(np.concatenate(rows) * max(self.count, 1) + np.concatenate(codes))
        return pairs // max(self.count, 1), pairs % max(self.count, 1), looks

    def _named(self, text: Flat) -> tuple[Ints, Ints, Flags]:
        looks = np.zeros(text.rows, np.bool_)
        begin, end = text.stretches()
        if not self.count or not len(begin):
            return np.zeros(0, np.int64), np.zeros(0, np.int64), looks
        lengths = np.unique(self.end[self._first] - self.begin[self._first])
        fits = np.isin(end - begin, lengths) & (text.digits(begin, end) >= FEWEST_DIGITS)
        begin, end = begin[fits], end[fits]
        looks[text.row[begin[np.isin(text.shapes(begin, end), self._shapes)]]] = True
        hashes = text.hashes(begin, end)
        code = np.minimum(np.searchsorted(self._hashes, hashes), self.count - 1)
        found = np.flatnonzero(self._hashes[code] == hashes)
        begin, end, code = begin[found], end[found], code[found]
        there = self._first[code]
        same = (self.end[there] - self.begin[there]) == end - begin
        same &= _alike(text, begin, self.flat, self.begin[there], np.where(same, end - begin, 0))
        return text.row[begin[same]], code[same], looks


def references(texts: Sequence[str]) -> References:
    """What may be named: references of SHORTEST to LONGEST letters with at least FEWEST_DIGITS digits."""
    made = flat(texts)
    begin, end = made.bounds()
    length = end - begin
    counts = (length >= SHORTEST) & (length <= LONGEST) & (made.digits(begin, end) >= FEWEST_DIGITS)
    those = np.flatnonzero(counts)
    hashes, first, inverse = np.unique(
        made.hashes(begin[those], end[those]), return_index=True, return_inverse=True
    )
    first = those[first]
    code = np.full(len(texts), -1, np.int64)
    code[those] = inverse
    there = first[inverse]
    same = length[there] == length[those]
    same &= _alike(made, begin[those], made, begin[there], np.where(same, length[those], 0))
    code[those[~same]] = -1
    return References(code, made, begin, end, hashes, first, np.unique(made.shapes(begin[first], end[first])))


def names(lines: Sequence[str], items: Sequence[str]) -> tuple[Hashes, Hashes]:
    """Who pays, of lines and of items: equal where it is one name, 0 where it is none.

    LTD and PLC left off is no difference, nor are accents or "&" for "and". A name that the bank cut at
    CUT_AT is the one name among the items' that begins so.
    """
    (item_names, item_at), (line_names, line_at) = _distinct(items), _distinct(lines)
    whole, known = _bare(item_names)
    made = np.zeros(len(line_names), np.uint64)
    for start in range(0, len(line_names), CHUNK):
        made[start : start + CHUNK] = _payers(line_names[start : start + CHUNK], whole, known)
    return made[line_at], whole[item_at]


def _distinct(texts: Sequence[str]) -> tuple[list[str], Ints]:
    """Each text once, and where in these each row's stands."""
    place = dict.fromkeys(texts, 0)
    once = list(place)
    place.update(zip(once, range(len(once)), strict=True))
    return once, np.fromiter(map(place.__getitem__, texts), np.int64, len(texts))


def _payers(lines: list[str], whole: Hashes, known: Flat) -> Hashes:
    shown, cut = _bare(lines)
    widths = np.fromiter(map(len, map(str.strip, lines)), np.int64, len(lines))
    begin, end = cut.bounds()
    starts, ends = known.bounds()
    for width in range(CUT_AT // 2, CUT_AT + 1):
        mine = np.flatnonzero((widths == CUT_AT) & (end - begin == width) & ~np.isin(shown, whole))
        long = np.flatnonzero((ends - starts >= width) & (whole != 0))
        if not len(mine) or not len(long):
            continue
        heads = known.hashes(starts[long], starts[long] + width)
        names_of = np.unique(np.stack([heads, whole[long]]), axis=1)
        head, at, many = np.unique(names_of[0], return_index=True, return_counts=True)
        mine_heads = cut.hashes(begin[mine], end[mine])
        place = np.minimum(np.searchsorted(head, mine_heads), len(head) - 1)
        one = (head[place] == mine_heads) & (many[place] == 1)
        shown[mine[one]] = names_of[1][at[place[one]]]
    return shown


def _bare(texts: Sequence[str]) -> tuple[Hashes, Flat]:
    """The hash of each name without its legal form, and all of its letters."""
    made = flat(texts, by_class=False)
    ends = np.r_[made.seams[1:], len(made.letters)] if len(made.seams) else made.seams
    forms = flat(LEGAL_FORMS, by_class=False)
    drop = np.isin(made.hashes(made.seams, ends), forms.hashes(*forms.bounds()))
    keep = np.repeat(~drop, ends - made.seams)
    bare = Flat(made.letters[keep], made.row[keep], made.seams[:0], made.rows)
    begin, end = bare.bounds()
    return np.where(end > begin, bare.hashes(begin, end), np.uint64(0)), made
