"""Whatever a guard of the database refuses, pages, programs and the command line say in its own words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.db import DatabaseError, connection, transaction

from engineroom import foundation
from engineroom.cli import main
from engineroom.foundation import api
from engineroom.foundation.refusals import Refused, refusal

SOURCES = Path(foundation.__file__).parents[1]
STATES = sorted(
    {
        state
        for migration in SOURCES.glob("*/migrations/*.py")
        for state in re.findall(r"ERRCODE = '(\w+)'", migration.read_text("utf-8"))
    }
)


def raised(state: str) -> DatabaseError:
    """An error as PostgreSQL gives it, from a guard that raises that state."""
    words = "this is what the guard said"
    with pytest.raises(DatabaseError) as found, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION '{words}' USING ERRCODE = '{state}'; END $$")
    return found.value


def test_the_guards_raise_states_of_ours() -> None:
    assert {"ER403", "ER409", "ER422"} <= set(STATES)
    assert all(re.fullmatch("ER[45][0-9][0-9]", state) for state in STATES)


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("state", STATES)
def test_every_state_that_a_guard_raises_is_said_by_pages_programs_and_the_command_line(state: str) -> None:
    error, status = raised(state), int(state[2:])
    answer = api._guarded(error)
    assert answer.status_code == status
    if status >= 500:  # nobody's refusal: a fault of the system, which says nothing of its insides
        assert refusal(error) is None and main._refusal_of_the_database(error) is None
        assert b"the guard said" not in answer.content
        return
    said = refusal(error)
    assert isinstance(said, Refused) and (said.status, str(said)) == (status, "this is what the guard said")
    assert b"this is what the guard said" in answer.content and b'"Refused"' in answer.content
    assert main._refusal_of_the_database(error) == "this is what the guard said"


@pytest.mark.usefixtures("server")
def test_an_error_that_is_no_guards_is_no_refusal() -> None:
    for state in ("ERXXX", "22001"):
        assert refusal(raised(state)) is None
    assert refusal(ValueError("x")) is None
