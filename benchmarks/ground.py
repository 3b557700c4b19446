"""What every benchmark stands on: a server of its own with fsync on, a firm, and the BENCH line."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.firm import Firm, TestClient


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


def many_clients(firm: Firm, many: int) -> list[TestClient]:
    """One team works for all of them."""
    from tests.firm import DETAILS, ROLES, TestClient

    from engineroom.foundation.access import services as access
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.ledger import services as ledger
    from engineroom.ledger.charts import STAFFING
    from engineroom.settlement import services as settlement

    staff = {role: firm.new_user() for role in ROLES}
    made = []
    with acting(firm.owner, write=firm.house_id):
        for n in range(many):
            code = f"B{n:04d}"
            opened = access.open_client(code, f"Business {n} Ltd", details=DETAILS)
            folder = firm.folder / code
            folder.mkdir()
            made.append(TestClient(opened.client_id, code, staff, folder))
    with acting(firm.admin, write=firm.house_id):
        for client in made:
            for role, user in staff.items():
                access.grant(
                    user.id, role, starts=date(2026, 1, 1), reason="benchmark", on_client_id=client.id
                )
    for client in made:
        with client.acting("bookkeeper"):
            ledger.open_book(STAFFING)
            settlement.add_own_account(
                "main", client.code, sort_code="200000", account_number="55667788",
                service_user_number="123456",
            )  # fmt: skip
    return made
