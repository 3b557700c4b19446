"""Two pieces of work at once, each a transaction of its own on a connection of its own.

Most of a large run's time is PostgreSQL's, and one connection keeps one core of it busy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from django.db import connections

from engineroom.foundation.tenancy.scope import OutsideActing, in_scope

R = TypeVar("R")


@contextmanager
def beside(work: Callable[[], R]) -> Iterator[Future[R]]:
    """`work` runs while the block does; the block's end waits for it. Its answer or error is the future's.

    An error of the block is raised once the work has ended too. Neither may be inside `acting`: a
    transaction cannot be shared.
    """
    if in_scope():
        raise OutsideActing("work beside other work opens a scope of its own; close this one first")
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="beside") as pool:
        yield pool.submit(_on_its_own_connection, work)


def _on_its_own_connection(work: Callable[[], R]) -> R:
    try:
        return work()
    finally:
        connections.close_all()
