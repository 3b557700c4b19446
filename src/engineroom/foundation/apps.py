import gc
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.db.backends.signals import connection_created

COLLECT_AFTER_OBJECTS = 200_000
"""Python's own 700 makes it look through every row of a big run again and again: a third of the time of a
payday's Python went into that (measured: 6.1 s of processor against 3.8 for 10,000 people). What is loaded
at the start is never looked at again.
"""

COLLECT_WHILE_SERVING = 10_000
"""A page waits while Python looks: 200,000 objects are a fifth of a second, these a hundredth (measured)."""

MOST_PREPARED = 500
"""Statements that a connection keeps prepared. psycopg's own 100 are fewer than the pages of a day ask."""


def keep_prepared(connection: Any, **_: Any) -> None:
    connection.connection.prepared_max = MOST_PREPARED


class FoundationConfig(AppConfig):
    name = "engineroom.foundation"
    label = "foundation"

    def ready(self) -> None:
        connection_created.connect(keep_prepared, dispatch_uid="keep_prepared")
        gc.freeze()
        gc.set_threshold(COLLECT_WHILE_SERVING if settings.SERVING else COLLECT_AFTER_OBJECTS, 50, 100)
