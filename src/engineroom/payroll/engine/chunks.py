"""Many people in chunks: a calculation over columns of any length, in memory that one chunk bounds.

A chunk is the size at which its columns stay in the processor's own cache (measured, docs/benchmarks.md):
larger ones wait for memory, smaller ones for Python. With two threads NumPy's work on two chunks runs at
once, because NumPy lets go of Python's lock while it works on a column; reading texts does not, so two
threads are not twice as fast. The results are the same, and come in order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

CHUNK = 8_192

Done = TypeVar("Done")


def slices(columns: Mapping[str, Any], size: int = CHUNK) -> Iterator[tuple[int, dict[str, Any]]]:
    """The first row of each chunk and its columns; one value for all rows stays as it is."""
    whole = {name: values for name, values in columns.items() if not hasattr(values, "__len__")}
    whole |= {name: values for name, values in columns.items() if isinstance(values, str)}
    each = {name: values for name, values in columns.items() if name not in whole}
    length = max((len(values) for values in each.values()), default=1)
    for first in range(0, length, size):
        yield first, whole | {name: values[first : first + size] for name, values in each.items()}


def in_chunks(
    calculate: Callable[[Mapping[str, Any]], Done],
    columns: Mapping[str, Any],
    *,
    size: int = CHUNK,
    threads: int = 1,
) -> Iterator[tuple[int, Done]]:
    """The first row of each chunk and what `calculate` makes of it, in order of rows.

    threads: how many chunks are worked on at once. Results wait for one chunk more than there are threads, so
    whoever lets go of each result needs no more memory for a million rows than for a few chunks.
    """
    if threads == 1:
        for first, chunk in slices(columns, size):
            yield first, calculate(chunk)
        return
    with ThreadPoolExecutor(threads) as pool:
        under_way: deque[tuple[int, Future[Done]]] = deque()
        for first, chunk in slices(columns, size):
            under_way.append((first, pool.submit(calculate, chunk)))
            if len(under_way) > threads:
                done, future = under_way.popleft()
                yield done, future.result()
        for done, future in under_way:
            yield done, future.result()
