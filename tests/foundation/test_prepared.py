"""Questions planned without their values, several in one go; and nothing of it left for whoever asks next."""

from __future__ import annotations

import psycopg
import pytest
from django.db import connection

from engineroom.foundation import prepared
from engineroom.foundation.prepared import Question

MODE = "SELECT current_setting('plan_cache_mode')"


def mode() -> str:
    with connection.cursor() as cursor:
        cursor.execute(MODE)
        return str(cursor.fetchone()[0])


def prepared_statements() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements")
        return {row[0] for row in cursor.fetchall()}


def test_answers_come_in_the_order_of_their_questions(client):
    with client.acting():
        found = prepared.answers(
            [
                Question("SELECT n FROM unnest(%s::int[]) AS n ORDER BY n", [[3, 1, 2]]),
                Question("SELECT %(who)s::uuid", {"who": client.id}, anew=True),
                Question("SELECT 1 WHERE false", []),
            ]
        )
        assert found == [[(1,), (2,), (3,)], [(client.id,)], []]
        assert prepared.answers([]) == []


def test_what_is_planned_by_key_is_kept_and_what_is_planned_anew_is_not(client):
    by_key, anew = "SELECT %s::int + 7001", "SELECT %s::int + 7002"
    with client.acting():
        prepared.answers([Question(by_key, [1]), Question(anew, [1], anew=True)])
        kept = prepared_statements()
    assert any("7001" in text for text in kept)
    assert not any("7002" in text for text in kept)


@pytest.mark.parametrize("ids", [[], ["a", "it's", 'a "b" \\ {c}']])
def test_values_in_the_text_are_the_values(client, ids):
    with client.acting():
        question = Question("SELECT x FROM unnest(%s::text[]) AS x", [ids], anew=True)
        assert [row[0] for row in prepared.answers([question])[0]] == ids


def test_plans_are_made_as_ever_outside_of_the_block_and_after_it(client):
    with client.acting():
        assert mode() == "auto"
        with prepared.planned_by_key():
            assert mode() == "force_generic_plan"
            with prepared.planned_by_key():
                prepared.rows("SELECT %s::int", [1])
            assert mode() == "force_generic_plan", "the inner block leaves the outer one as it is"
        assert mode() == "auto"
        with pytest.raises(LookupError), prepared.planned_by_key():
            raise LookupError
        assert mode() == "auto", "whoever catches the error goes on as before"


def test_of_few_rows_all_is_prepared_and_the_next_scope_prepares_nothing_of_it(client):
    def ask() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT %s::int + 7003", [1])

    def is_kept() -> bool:
        return any("7003" in text for text in prepared_statements())

    for _ in range(3):
        with client.acting():
            assert mode() == "auto"
            ask()
    with client.acting():
        assert not is_kept()
    with prepared.of_few():
        for _ in range(2):
            with client.acting():
                assert mode() == "force_generic_plan"
                with prepared.planned_anew():
                    ask()
        with client.acting():
            assert is_kept()
    with client.acting(), connection.cursor() as cursor:
        assert mode() == "auto"
        cursor.execute("SELECT sum(generic_plans + custom_plans) FROM pg_prepared_statements")
        asked = cursor.fetchone()
        ask()
        cursor.execute("SELECT sum(generic_plans + custom_plans) FROM pg_prepared_statements")
        assert cursor.fetchone() == asked


def test_a_question_that_fails_says_so_itself(client):
    with pytest.raises(psycopg.errors.DivisionByZero), client.acting():
        prepared.answers([Question("SELECT 1 / %s::int", [0]), Question("SELECT %s::int", [1])])
    with client.acting():
        assert mode() == "auto"
        assert prepared.rows("SELECT %s::int", [2]) == [(2,)]
