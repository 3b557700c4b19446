"""What a chunk was calculated from and what it came to, as it is kept: one encrypted file of NumPy arrays."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np

from engineroom.foundation import vault
from engineroom.payroll.models import AttemptChunk

NAMES, COLUMNS = "names", "columns"


def written_trace(arrays: Mapping[str, Any]) -> bytes:
    """As `read_trace` reads it. Whole numbers, one a person, stand in one array with their names: of forty
    people's hundred columns, a file of its own for each cost more than to calculate them."""
    by_length: dict[int, list[str]] = defaultdict(list)
    for name, values in arrays.items():
        if isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype == np.int64:
            by_length[len(values)].append(name)
    together = max(by_length.values(), key=len, default=[])
    apart = {name: values for name, values in arrays.items() if name not in set(together)}
    out = io.BytesIO()
    if together:
        apart |= {NAMES: np.array(together), COLUMNS: np.stack([arrays[name] for name in together])}
    np.savez(out, allow_pickle=False, **apart)
    return out.getvalue()


def read_trace(chunk: AttemptChunk) -> dict[str, Any]:
    """A chunk's arrays: `in.*` as read, `out.*` as calculated, `rows`, `payroll_number`; orders as given,
    `ordered.*`, and as dealt with, `order.*`."""
    assert chunk.trace is not None, "a chunk that is done has its trace"
    with np.load(io.BytesIO(vault.read(chunk.trace)), allow_pickle=False) as arrays:
        found = {name: arrays[name] for name in arrays.files}
    names = found.pop(NAMES, ())
    return found | dict(zip(map(str, names), found.pop(COLUMNS, ()), strict=True))


def under(prefix: str, trace: Mapping[str, Any]) -> dict[str, Any]:
    """The arrays of a trace whose names begin so, by the rest of their names."""
    return {name.removeprefix(prefix): values for name, values in trace.items() if name.startswith(prefix)}


def as_given(values: Any, rows: Any = slice(None)) -> Any:
    """A kept array as the engine takes it, of these rows: one value for all stays one, texts are a list."""
    if values.ndim == 0:
        return values.item()
    picked = values[rows]
    return picked.tolist() if picked.dtype.kind == "U" else picked
