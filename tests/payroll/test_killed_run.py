"""A real SIGKILL in any chunk of a run, and the same step again: the same pennies, and nothing done twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import date
from uuid import UUID

import pytest
from django.conf import settings
from tests.firm import Firm, TestClient
from tests.payroll.months import Employee, figures, monthly, open_run, people

from engineroom.payday import steps
from engineroom.payroll import services
from engineroom.payroll.models import Attempt, AttemptChunk, Payslip

PAY_DATE = date(2026, 6, 25)
CHUNKS = 4
TAX = [("1257L", ""), ("BR", "1"), ("K475", ""), ("S1257L", "2"), ("C1257L", ""), ("0T", "4"), ("D0", "")]
STAFF = [Employee(f"E{n}", 2_000_000 + n * 777_777, code, loan=loan) for n, (code, loan) in enumerate(TAX, 1)]

CALCULATE = """
import os, signal, sys
from uuid import UUID
import django
django.setup()
from engineroom.foundation.access.services import identity
from engineroom.payday import steps
from engineroom.payroll import attempts

user, client, run, dies_in = *map(UUID, sys.argv[1:4]), int(sys.argv[4])
chunks = iter(range(dies_in, -1, -1))

def failpoint(name):
    if name == "calculate" and next(chunks) == 0:
        os.kill(os.getpid(), signal.SIGKILL)

attempts.CHUNK_PEOPLE, attempts.failpoint = 2, failpoint
steps.calculate_run(identity(user), client, run)
"""


def calculate_and_die(client: TestClient, run_id: UUID, chunk: int) -> int:
    words = [sys.executable, "-c", CALCULATE, client.staff["specialist"].id, client.id, run_id, chunk]
    ground = {"ENGINEROOM_HOME": str(settings.HOME), "DJANGO_SETTINGS_MODULE": "engineroom.settings"}
    return subprocess.run([str(w) for w in words], env={**os.environ, **ground}, timeout=120).returncode


def chunks_of(client: TestClient) -> dict[int, object]:
    """Those that are done, and when."""
    done = AttemptChunk.objects.filter(client_id=client.id, done_at__isnull=False)
    return dict(done.order_by("chunk").values_list("chunk", "done_at"))


def made(firm: Firm) -> tuple[TestClient, UUID]:
    client = firm.new_client()
    monthly(client, people(client, *STAFF))
    return client, open_run(client, PAY_DATE)


@pytest.fixture(scope="module")
def whole(firm: Firm) -> dict[str, dict[str, int]]:
    """Every figure of the run that nobody killed."""
    client, run_id = made(firm)
    steps.calculate_run(client.staff["specialist"], client.id, run_id)
    return figures(client, run_id)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_killed_in_a_chunk_and_taken_up_again(
    firm: Firm, whole: dict[str, dict[str, int]], chunk: int
) -> None:
    client, run_id = made(firm)
    assert calculate_and_die(client, run_id, chunk) == -signal.SIGKILL
    with client.acting():
        before = chunks_of(client)
        assert list(before) == list(range(chunk)), "whole chunks or none"
        assert Payslip.objects.filter(client_id=client.id).count() == 2 * chunk
    done = steps.calculate_run(client.staff["specialist"], client.id, run_id)
    assert figures(client, run_id) == whole and len(whole) == len(STAFF)
    with client.acting():
        after = chunks_of(client)
        assert len(after) == CHUNKS and after.items() >= before.items()
        assert Attempt.objects.filter(client_id=client.id).count() == 1
        assert Payslip.objects.filter(client_id=client.id).count() == len(STAFF)
    with client.acting("lead"):
        assert services.approve_pay_run(run_id, content_hash=done.content_hash)
