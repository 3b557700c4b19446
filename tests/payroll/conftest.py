"""In every test of pay: what a calculation reads is watched, or counts with its run."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import pytest
from tests.watching import COUNTS_WITH_ITS_RUN, tables_read, watched

from engineroom.payroll import attempts, blockers
from engineroom.payroll.inputs import ChunkInputs, Person, read_inputs
from engineroom.payroll.models import PayRun


@pytest.fixture(autouse=True)
def nothing_unwatched_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(run: PayRun, first: UUID, last: UUID, everybody: Sequence[Person] | None = None) -> ChunkInputs:
        with tables_read() as tables:
            inputs = read_inputs(run, first, last, everybody)
        assert tables - COUNTS_WITH_ITS_RUN.keys() <= watched()
        return inputs

    monkeypatch.setattr(blockers, "read_inputs", read)
    monkeypatch.setattr(attempts, "read_inputs", read)
