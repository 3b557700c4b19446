"""What every benchmark stands on: a server of its own with fsync on, a firm, and the BENCH line."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.firm import Firm


def bench(metric: str, value: float, unit: str, *, ratio: float | None = None, vs: str = "") -> None:
    """One figure, as make bench prints it."""
    text = f"BENCH {metric}={value:.4g} {unit}" if value < 1000 else f"BENCH {metric}={value:,.0f} {unit}"
    if ratio is not None:
        text += f" ratio={ratio:.4g} vs={vs}"
    print(text, flush=True)


@contextmanager
def a_firm() -> Iterator[Firm]:
    """A fresh installation on a real server with everything durable; asserted, because a figure without fsync
    is none.
    """
    home = Path(tempfile.mkdtemp(prefix="erb", dir="/tmp")).resolve()
    home.chmod(0o755)
    for variable in ("DATABASE_URL", "DATABASE_OWNER_URL", "ENGINEROOM_FAILPOINT"):
        os.environ.pop(variable, None)
    os.environ["ENGINEROOM_HOME"] = str(home)
    os.environ["DJANGO_SETTINGS_MODULE"] = "engineroom.settings"
    import django

    django.setup()
    from django.db import connection, connections
    from tests.firm import make_firm

    from engineroom.foundation import postgres

    try:
        with postgres.session():
            firm = make_firm()
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT current_user, current_setting('fsync'), current_setting('synchronous_commit')"
                )
                assert cursor.fetchone() == ("engineroom_app", "on", "on"), (
                    "benchmarks run as app, with fsync on"
                )
            yield firm
            connections.close_all()
    finally:
        shutil.rmtree(home, ignore_errors=True)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
