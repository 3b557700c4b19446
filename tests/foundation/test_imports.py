"""Two-phase imports: everything that is wrong is said, then all of it is taken or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import ClassVar
from uuid import UUID

import pytest
from django.db import connection
from django.db.models import Count
from tests.firm import TestClient, superuser
from tests.foundation.conftest import CLIENT_TABLES

from engineroom.foundation import numbering
from engineroom.foundation.audit.models import AuditEvent
from engineroom.foundation.commands import REGISTRY
from engineroom.foundation.imports import services as imports
from engineroom.foundation.imports.models import ImportCommit, ImportPreview
from engineroom.foundation.imports.services import IMPORTERS, Importer, Parsed, importer
from engineroom.foundation.numbering.models import NumberSeries
from engineroom.foundation.tenancy.scope import acting
from engineroom.kernel.errors import InputRefused, NotFound, NotPermitted, Problem

KIND = "marbles"
ALLOWED = {
    "foundation_importpreview",
    "foundation_vaultfile",
    "foundation_auditevent",
    "foundation_auditunsealed",
    "foundation_contribution",
}


@pytest.fixture
def marbles() -> Iterator[type[Importer]]:
    """An importer of lines of numbers, gone afterwards: taking a line draws that many numbers."""

    class Marbles(Importer):
        __module__ = "engineroom.toys.imports"  # a command is called after its importer's room
        kind = KIND
        permission = "payroll.prepare"
        summary = "marbles"
        limit_bytes = imports.MEGABYTE
        parsed: ClassVar[list[str]] = []
        break_at: ClassVar[int] = 0

        def parse(self, path: Path, file_name: str) -> Parsed:
            self.parsed.append(file_name)
            lines = path.read_text().split()
            bad = [
                Problem(f"{line!r} is no number", "Write digits", file_name, i, "marbles")
                for i, line in enumerate(lines, 2)
                if not line.isdigit()
            ]
            return Parsed([int(line) for line in lines if line.isdigit()], len(lines), bad)

        def check(self, parsed: Parsed) -> list[Problem]:
            row = NumberSeries.objects.filter(series="bag").first()
            have = row.next_number - 1 if row else 0
            if have + sum(parsed.content) > 10:
                return [Problem(f"the bag holds 10 and has {have}", "Take fewer")]
            return [Problem("a heavy marble", "Mind it", severity="warning")] if 9 in parsed.content else []

        def take(self, parsed: Parsed, commit_id: UUID) -> dict[str, int]:
            for count in parsed.content:
                numbering.take("bag", count)
                if self.break_at == count:
                    raise ZeroDivisionError
            return {"marbles": sum(parsed.content)}

    importer(Marbles)
    yield Marbles
    del IMPORTERS[KIND]
    imports._TAKERS.pop(KIND)
    for name in [n for n in REGISTRY if n.endswith(f".take_{KIND}")]:
        del REGISTRY[name]


def file(client: TestClient, text: str, name: str = "marbles.txt") -> Path:
    path = client.folder / name
    path.write_text(text)
    return path


def preview(client: TestClient, path: Path, role: str = "specialist") -> imports.Previewed:
    with client.acting(role):
        return imports.preview(KIND, path)[0]


def take(client: TestClient, seen: imports.Previewed, role: str = "specialist") -> imports.Taken:
    with client.acting(role):
        return imports.take(seen.preview_id)


def in_bag(client: TestClient) -> int:
    with acting(client.staff["lead"], read=[client.id]):
        row = NumberSeries.objects.filter(client_id=client.id, series="bag").first()
        return row.next_number - 1 if row else 0


def commits(client: TestClient) -> int:
    with acting(client.staff["lead"], read=[client.id]):
        return ImportCommit.objects.filter(client_id=client.id, kind=KIND).count()


def counts(client: TestClient) -> dict[str, int]:
    with superuser() as look:
        return {
            t: look.execute(f"SELECT count(*) FROM {t} WHERE client_id = %s", [client.id]).fetchone()[0]
            for t in CLIENT_TABLES
        }


# --- preview ------------------------------------------------------------------------------------------


def test_a_preview_writes_what_it_saw_and_nothing_else(marbles, client):
    before = counts(client)
    seen = preview(client, file(client, "1 2 9"))
    assert (seen.rows, seen.errors, seen.warnings, seen.already_taken) == (3, 1, 0, False)
    after = counts(client)
    assert {t for t in CLIENT_TABLES if after[t] != before[t]} <= ALLOWED
    assert after["foundation_importpreview"] == before["foundation_importpreview"] + 1
    assert after["foundation_importcommit"] == before["foundation_importcommit"]


def test_a_preview_names_every_error_by_file_row_and_field_and_shows_the_rest(marbles, client):
    seen = preview(client, file(client, "1 x 3 y"))
    assert (seen.rows, seen.errors) == (4, 2)
    assert [(p["file"], p["row"], p["field"], p["problem"]) for p in seen.problems] == [
        ("marbles.txt", 3, "marbles", "'x' is no number"),
        ("marbles.txt", 5, "marbles", "'y' is no number"),
    ]
    assert all(p["remedy"] for p in seen.problems)


def test_a_preview_keeps_ten_thousand_problems_and_counts_them_all(marbles, client):
    seen = preview(client, file(client, "x " * 10_500))
    assert seen.errors == 10_500 and len(seen.problems) == 10_000


def test_a_preview_needs_the_permission_of_taking(marbles, client, firm):
    with pytest.raises(NotPermitted, match=r"payroll\.prepare"):
        preview(client, file(client, "1"), role="checker")
    assert counts(client)["foundation_vaultfile"] == 0


def test_a_preview_leaves_a_trace(marbles, client):
    seen = preview(client, file(client, "1 x"))
    with acting(client.staff["lead"], read=[client.id]):
        event = AuditEvent.objects.get(client_id=client.id, verb="foundation.preview")
    assert event.subject_id == seen.preview_id and event.detail["errors"] == 1


def test_a_file_over_the_formats_limit_is_refused_before_it_is_kept_or_parsed(marbles, client):
    just, over = (
        file(client, "1" + " " * (imports.MEGABYTE - 1)),
        file(client, "1" + " " * imports.MEGABYTE, "big.txt"),
    )
    assert preview(client, just).errors == 0
    marbles.parsed.clear()
    with pytest.raises(InputRefused, match=r"big\.txt.*more than 1 MB"):
        preview(client, over)
    assert not marbles.parsed
    assert counts(client)["foundation_vaultfile"] == 1


def test_limits_are_per_format():
    assert IMPORTERS["people"].limit_bytes == 50 * imports.MEGABYTE
    assert IMPORTERS["statement"].limit_bytes == 512 * imports.MEGABYTE


@pytest.mark.parametrize("what", ["missing.txt", "."])
def test_what_is_no_file_is_refused_by_name(marbles, client, what):
    with pytest.raises(InputRefused, match="no such file"):
        preview(client, client.folder / what)


def test_an_unknown_kind_is_refused_with_the_known_ones(client):
    with pytest.raises(NotFound, match="timesheets"), client.acting():
        imports.preview("nothing", file(client, "1"))


def test_what_was_judged_is_what_is_kept_and_taken_though_the_file_changes_meanwhile(marbles, client):
    path = file(client, "1 2")

    class Meddling(marbles):  # type: ignore[misc,valid-type]
        __module__ = "engineroom.toys.imports"
        kind = "meddling"

        def parse(self, copy: Path, file_name: str) -> Parsed:
            path.write_text("7 7 7 7")
            return super().parse(copy, file_name)

    importer(Meddling)
    try:
        with client.acting():
            seen, _ = imports.preview("meddling", path)
        assert (seen.rows, seen.errors) == (2, 0)
        imports._parsed.clear()
        with client.acting():
            assert imports.take(seen.preview_id).counts == {"marbles": 3}
    finally:
        del IMPORTERS["meddling"], REGISTRY[next(n for n in REGISTRY if n.endswith(".take_meddling"))]


def test_what_one_client_called_a_file_is_not_told_another(marbles, client, other_client):
    preview(client, file(client, "x", "layoffs-at-acme.txt"))
    seen = preview(other_client, file(other_client, "x", "b.txt"))
    assert seen.problems[0]["file"] == "b.txt"


# --- take ---------------------------------------------------------------------------------------------


def test_a_previewed_file_is_taken_once_and_the_same_content_again_is_a_no_op(marbles, client):
    seen = preview(client, file(client, "1 2"))
    first = take(client, seen)
    assert (first.counts, first.again) == ({"marbles": 3}, False)
    again = take(client, seen)
    renamed = preview(client, file(client, "1 2", "renamed.txt"))
    third = take(client, renamed)
    assert again.again and third.again and again.commit_id == third.commit_id == first.commit_id
    assert renamed.already_taken
    assert in_bag(client) == 3 and commits(client) == 1


def test_the_same_content_is_another_file_for_another_client(marbles, client, other_client):
    take(client, preview(client, file(client, "1 2")))
    assert not take(other_client, preview(other_client, file(other_client, "1 2"))).again
    assert in_bag(other_client) == 3


def test_a_file_with_errors_is_not_taken_at_all(marbles, client):
    seen = preview(client, file(client, "1 x 2"))
    with pytest.raises(InputRefused, match="is no number"):
        take(client, seen)
    assert in_bag(client) == 0 and commits(client) == 0


def test_warnings_do_not_stop_it(marbles, client):
    seen = preview(client, file(client, "9"))
    assert (seen.errors, seen.warnings) == (0, 1)
    assert take(client, seen).counts == {"marbles": 9}


def test_a_file_that_breaks_half_way_leaves_nothing_even_if_the_caller_goes_on(marbles, client):
    seen = preview(client, file(client, "1 2 3"))
    marbles.break_at = 2
    with client.acting():
        with pytest.raises(ZeroDivisionError):
            imports.take(seen.preview_id)
        numbering.take("something else")
    assert in_bag(client) == 0 and commits(client) == 0
    marbles.break_at = 0
    assert not take(client, seen).again
    assert in_bag(client) == 6


def test_the_world_is_looked_at_again_when_the_file_is_taken(marbles, client):
    first, second = preview(client, file(client, "6")), preview(client, file(client, "5", "b.txt"))
    assert first.errors == second.errors == 0
    take(client, first)
    with pytest.raises(InputRefused, match="the bag holds 10 and has 6"):
        take(client, second)
    assert in_bag(client) == 6


def test_a_file_is_taken_from_the_vault_when_this_process_did_not_parse_it(marbles, client):
    path = file(client, "1 2")
    seen = preview(client, path)
    path.unlink()
    imports._parsed.clear()
    assert take(client, seen).counts == {"marbles": 3}
    assert marbles.parsed == ["marbles.txt", "marbles.txt"], "under its own name, not the copy's"


def test_a_taken_file_stays_in_no_memory(marbles, client):
    take(client, preview(client, file(client, "1 2")))
    assert not any(key[0] == client.id for key in imports._parsed)


def test_taking_needs_the_permission_also_when_it_was_taken_before(marbles, client):
    seen = preview(client, file(client, "1"))
    for _ in range(2):
        with pytest.raises(NotPermitted):
            take(client, seen, role="checker")
        take(client, seen)


def test_another_clients_preview_is_not_found(marbles, client, other_client):
    seen = preview(client, file(client, "1"))
    with pytest.raises(NotFound):
        take(other_client, seen)


def test_two_who_take_the_same_content_at_once_take_it_once(marbles, client):
    previews = [preview(client, file(client, "4", f"{i}.txt")) for i in range(4)]
    together = Barrier(4)

    def work(seen: imports.Previewed) -> imports.Taken:
        try:
            together.wait(timeout=10)
            return take(client, seen)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        receipts = list(pool.map(work, previews))
    assert sorted(r.again for r in receipts) == [False, True, True, True]
    assert len({r.commit_id for r in receipts}) == 1
    assert in_bag(client) == 4 and commits(client) == 1


def test_every_importer_says_what_it_takes_and_its_command_is_registered():
    for kind, handler in IMPORTERS.items():
        assert handler.summary and handler.permission.endswith(".prepare")
        assert any(name.endswith(f".take_{kind}") for name in REGISTRY)


def test_previews_and_files_belong_together(busy):
    with acting(busy.staff["lead"], read=[busy.id]):
        kinds = (
            ImportPreview.objects.filter(client_id=busy.id)
            .values("kind", "file__kind")
            .annotate(n=Count("id"))
        )
        assert len(kinds) > 5
        for row in kinds:
            assert row["file__kind"] == f"import.{row['kind']}"
