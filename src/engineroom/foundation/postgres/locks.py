"""Locks between processes on one home. The kernel drops them with their process, however it ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from engineroom.foundation.postgres.processes import Progress

POLL_S = 0.05
SAY_AFTER_S = 2.0


@contextlib.contextmanager
def exclusive(path: Path, progress: Progress) -> Iterator[None]:
    """One process at a time; the others wait as long as it takes, and say that they do."""
    with opened(path) as fd:
        say_at = time.monotonic() + SAY_AFTER_S
        while not try_exclusive(fd):
            if time.monotonic() > say_at:
                progress("waiting for another Engineroom command to start or stop the database server")
                say_at = float("inf")
            time.sleep(POLL_S)
        yield


@contextlib.contextmanager
def opened(path: Path) -> Iterator[int]:
    # Not inherited by programs we start, or the server would hold the lock that its own stop needs.
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        yield fd
    finally:
        os.close(fd)


def share(fd: int) -> None:
    fcntl.flock(fd, fcntl.LOCK_SH)


def try_exclusive(fd: int) -> bool:
    """Also turns a shared lock into an exclusive one; when that fails the shared one is gone as well."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
