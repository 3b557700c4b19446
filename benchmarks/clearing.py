"""clearing: a month's bank lines against as many open items, matched by the pure engine in one process.

Claims: 300,000 against 300,000 in under 60 s and 1 GB, cost near linear, at least 0.9999 of what is confirmed
right and at least 0.97 of the lines right by what is confirmed or suggested first. SEED says which month; the
rules were written on seeds 1 to 3. CLEARING_SIZES=10000,100000,300000,1000000 asks for a million, too.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections import Counter
from dataclasses import dataclass

from benchmarks._month import PLATFORM_BP, PLATFORM_FIXED, Month, month
from benchmarks.ground import bench
from engineroom.settlement.engine.pairing import Pairing, pair
from engineroom.settlement.engine.rules import Fee, with_fees

SEED = int(os.environ.get("SEED") or "4")
SIZES = [int(n) for n in os.environ.get("CLEARING_SIZES", "10000,100000,300000").split(",")]
CLAIMED = 300_000
CLAIM_S, CLAIM_MB, CLAIM_PRECISION, CLAIM_RECALL = 60, 1024, 0.9999, 0.97
RULES = with_fees(("card platform", Fee(PLATFORM_BP, PLATFORM_FIXED)))


def main() -> None:
    print(f"# seed {SEED}")
    each = {size: _one(size) for size in SIZES}
    smallest, largest = min(each), max(each)
    if smallest < largest:
        ratio = each[largest] / each[smallest]
        bench("cost_of_a_line", ratio, f"times from {smallest:,} to {largest:,} lines (1 is linear)")


def _one(size: int) -> float:
    """Prints one month's figures; returns processor microseconds a line."""
    asked = month(SEED, size)
    begun, clock = time.process_time(), time.perf_counter()
    found = pair(asked.lines, asked.items, RULES)
    took, by_clock = time.process_time() - begun, time.perf_counter() - clock
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1024**2 if sys.platform == "darwin" else 1024
    )
    each = took * 1e6 / size
    print(f"# {size:,} lines, {len(asked.items):,} items")
    bench("matched_cpu", took, "s", ratio=took / CLAIM_S, vs=f"{CLAIM_S} s for {CLAIMED:,}")
    bench("matched_clock", by_clock, "s")
    bench("line_us", each, "us")
    bench(
        "peak_memory",
        peak,
        "MB",
        ratio=peak / CLAIM_MB,
        vs=f"{CLAIM_MB} MB for {CLAIMED:,}, the month itself in it",
    )
    figures = judged(asked, found)
    for case in figures.cases:
        print(f"# {case}")
    print(
        f"BENCH precision_confirmed={figures.precision:.6f} of {figures.confirmed:,} claim={CLAIM_PRECISION}"
    )
    print(
        f"BENCH recall_first={figures.recall:.4f} of {figures.answerable:,} claim={CLAIM_RECALL}", flush=True
    )
    return each


@dataclass(frozen=True)
class Judged:
    """confirmed, wrong: lines; recall: of lines with an answer, confirmed or suggested first."""

    cases: list[str]
    confirmed: int
    precision: float
    recall: float
    answerable: int


def judged(asked: Month, found: Pairing) -> Judged:
    """Against the truth: a line is right where its items are exactly the true ones."""
    items_of: dict[int, list[int]] = {}
    for item, match in enumerate(found.item_match.tolist()):
        if match >= 0:
            items_of.setdefault(match, []).append(item)
    first = {s.line: s.items for s in found.suggestions}
    sure, right, lines, hits = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for line, (truth, case, match) in enumerate(
        zip(asked.truth, asked.case, found.line_match.tolist(), strict=True)
    ):
        answer = tuple(items_of[match]) if match >= 0 else tuple(sorted(first.get(line, ())))
        lines[case] += bool(truth)
        hits[case] += bool(truth) and answer == truth
        sure[case] += match >= 0
        right[case] += match >= 0 and answer == truth
    said = []
    for case in sorted(set(asked.case)):
        words = f"{case}: {lines[case]:,} lines with an answer, {sure[case]:,} confirmed"
        words += f", {sure[case] - right[case]} of them wrong"
        said.append(words + (f", recall_first {hits[case] / lines[case]:.4f}" if lines[case] else ""))
    precision, recall = right.total() / max(sure.total(), 1), hits.total() / max(lines.total(), 1)
    return Judged(said, sure.total(), precision, recall, lines.total())


if __name__ == "__main__":
    main()
