"""Identifiers: UUID version 7 (RFC 9562 section 5.7), made here because PostgreSQL 16 and 17 cannot.

Time-ordered ids keep indexes dense, and rows made together lie together.
"""

from __future__ import annotations

import os
import time
from uuid import UUID

import numpy as np
import numpy.typing as npt

NIL = UUID(int=0)

type_uuid_column = npt.NDArray[np.uint8]  # shape (n, 16), network byte order


def uuid7() -> UUID:
    """One id for now: 48 bits of Unix milliseconds, the rest random but for version and variant."""
    value = (time.time_ns() // 1_000_000 << 80) | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    return UUID(int=value & ~(0x3 << 62) | 0x2 << 62)


def uuid7_column(n: int) -> npt.NDArray[np.uint8]:
    """n ids for now, ascending within the call, shape (n, 16), uint8, network byte order.

    48 bits of Unix milliseconds, then 26 bits that count up within the call (rand_a and the top of rand_b, as
    RFC 9562 section 6.2 method 1 allows), then 48 random bits. n may be up to 2**26.
    """
    if n < 0 or n > 1 << 26:
        raise ValueError("between 0 and 2**26 ids a call")
    out = np.empty((n, 16), dtype=np.uint8)
    if n == 0:
        return out
    if n == 1:  # alone there is nothing to keep in order
        out[0] = np.frombuffer(uuid7().bytes, dtype=np.uint8)
        return out
    milliseconds = time.time_ns() // 1_000_000
    out[:, :6] = np.frombuffer(milliseconds.to_bytes(6, "big"), dtype=np.uint8)
    count = np.arange(n, dtype=np.uint32)
    out[:, 6] = 0x70 | ((count >> 22) & 0x0F).astype(np.uint8)
    out[:, 7] = ((count >> 14) & 0xFF).astype(np.uint8)
    out[:, 8] = 0x80 | ((count >> 8) & 0x3F).astype(np.uint8)
    out[:, 9] = (count & 0xFF).astype(np.uint8)
    out[:, 10:] = np.frombuffer(os.urandom(6 * n), dtype=np.uint8).reshape(n, 6)
    return out


def uuid7s(n: int) -> list[UUID]:
    """n ids for now as Python values, ascending."""
    raw = uuid7_column(n).tobytes()
    return [UUID(bytes=raw[i : i + 16]) for i in range(0, 16 * n, 16)]


def uuids_to_column(ids: list[UUID]) -> npt.NDArray[np.uint8]:
    """Ids as a (n, 16) column."""
    return np.frombuffer(b"".join(i.bytes for i in ids), dtype=np.uint8).reshape(len(ids), 16)


def column_to_uuids(column: npt.NDArray[np.uint8]) -> list[UUID]:
    raw = np.ascontiguousarray(column).tobytes()
    return [UUID(bytes=raw[i : i + 16]) for i in range(0, len(raw), 16)]
