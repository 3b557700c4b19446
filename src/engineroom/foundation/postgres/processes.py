"""Which processes belong to a cluster, read from the system and not from a number in a file.

After kill -9 the pid in postmaster.pid may be a zombie that nobody reaps, another program that got the number
again, or nothing; and the dead server's backends may still be writing.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

Progress = Callable[[str], None]

ORPHAN_PATIENCE_S = 5.0  # an idle backend notices a dead postmaster at once; a busy one at its next wait
KILL_PATIENCE_S = 10.0
POLL_S = 0.02
DEAD = (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)


@dataclass(frozen=True, slots=True)
class PidFile:
    """postmaster.pid, which the server writes: line 1 its pid, line 8 its state."""

    pid: int
    state: str  # starting, ready, standby or stopping; empty in the first instant

    @classmethod
    def read(cls, data: Path) -> PidFile | None:
        try:
            lines = (data / "postmaster.pid").read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return None
        pid = int(lines[0]) if lines and lines[0].strip().lstrip("-").isdigit() else 0
        return cls(pid, state=lines[7].strip() if len(lines) > 7 else "")


def serves(process: psutil.Process, data: Path) -> bool:
    """Whether it is a living PostgreSQL process of this cluster.

    Each of them runs as the owner of the data and has the data as its working directory.
    """
    try:
        if process.status() in DEAD or not process.name().startswith("postgres"):
            return False
        if process.uids().real != data.stat().st_uid:
            return False
        return Path(process.cwd()) == data.resolve()
    except psutil.AccessDenied:
        return True  # a hardened system hides the directory: assume the worst, touch nothing
    except (psutil.NoSuchProcess, OSError):
        return False


def server_of(data: Path) -> psutil.Process | None:
    """The living postmaster of this cluster."""
    pid_file = PidFile.read(data)
    if pid_file is None or pid_file.pid <= 0:
        return None
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid_file.pid)
        return process if serves(process, data) else None
    return None


def alive(process: psutil.Process) -> bool:
    """False for a zombie: it runs nothing and holds nothing, whoever may reap it and when."""
    try:
        return process.is_running() and process.status() not in DEAD
    except psutil.NoSuchProcess:
        return False


def orphans_of(data: Path) -> list[psutil.Process]:
    """What is left of a server whose postmaster is gone."""
    return [p for p in psutil.process_iter() if serves(p, data)]


def outlive_orphans(data: Path, progress: Progress) -> list[psutil.Process]:
    """Wait until no backend of a dead server can write any more; returns those that could not be ended.

    One in the middle of a long query may not notice for hours that its postmaster is gone: it is told to give
    up, first politely. Nothing committed is lost by it.
    """
    steps = ((None, ORPHAN_PATIENCE_S), ("terminate", ORPHAN_PATIENCE_S), ("kill", KILL_PATIENCE_S))
    for act, patience_s in steps:
        orphans = orphans_of(data)
        if not orphans:
            return []
        progress(f"waiting for {len(orphans)} processes of the previous database server to end")
        for process in orphans:
            with contextlib.suppress(psutil.Error):
                if act:
                    getattr(process, act)()
        wait_until(lambda: not orphans_of(data), patience_s)
    return orphans_of(data)


def wait_until(condition: Callable[[], bool], timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True
