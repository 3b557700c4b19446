"""A run as it would be if it were calculated now: what the calculation then comes to, and nothing stays."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from tests.firm import Firm, TestClient, superuser
from tests.payroll import months
from tests.payroll.months import Employee
from tests.watching import client_tables
from tests.web.conftest import signed_in

from engineroom.foundation.audit.models import AuditEvent
from engineroom.kernel.errors import Conflict
from engineroom.payroll import attempts, items, preview, review, schedules, selectors, services
from engineroom.payroll.blockers import blockers_of
from engineroom.payroll.models import PayRun

JUNE = date(2026, 6, 25)


@pytest.fixture
def client(firm: Firm) -> TestClient:
    """Four on a monthly schedule, paid in May; E4 has left since."""
    made = firm.new_client()
    employees = [Employee(f"E{n}", salary=30_000_00 + n * 1_200_00) for n in range(1, 4)]
    ids = months.people(made, *employees, Employee("E4", ends=date(2026, 5, 31)))
    months.monthly(made, ids)
    months.paid(made, date(2026, 5, 22))
    with made.acting():
        items.add_pay_item(ids["E1"], "bonus_pay", 500_00, period=date(2026, 6, 1), reason="a good year")
    return made


def stands(client: TestClient) -> tuple[Any, ...]:
    """Every row of the client in every table, as raw SQL adds them up; and its files."""
    with superuser() as look:
        counted = look.execute(
            " UNION ALL ".join(
                f"(SELECT '{table}', count(*), sum(hashtextextended(t::text, 0)::numeric) FROM {table} t "
                "WHERE t.client_id = %(client)s)"
                for table in sorted(client_tables())
            ),
            {"client": client.id},
        ).fetchall()
    return counted, sorted((Path(settings.VAULT_DIR) / str(client.id)).rglob("*"))


def test_a_preview_is_what_the_calculation_then_comes_to_and_leaves_nothing(client: TestClient) -> None:
    run_id = months.open_run(client, JUNE)
    before = stands(client)
    with client.acting():
        would = preview.preview_run(services.find_run(run_id))
    assert stands(client) == before
    assert would.is_open and not would.is_as_calculated
    months.calculated(client, run_id)
    real = months.figures(client, run_id)
    assert {slip.payroll_number: slip.figures for slip in would.slips} == real
    assert real["E1"]["bonus_pay"] == 500_00 and len(real) == 3
    with client.acting():
        run = PayRun.objects.select_related("published").get(client_id=client.id, id=run_id)
        assert would.figures == selectors.run_figures(run)
        assert would.blockers == tuple(blockers_of(run)) == ()
        assert would.oddities == tuple(review.oddities(run))
        change = review.variance(run, review.run_before(run))
    assert would.change and change and would.change.parts() == change.parts()
    assert [number for number, _, _ in would.left] == ["E4"]
    assert would.slips[0].change == real["E1"]["net_pay"] - (would.slips[0].net_before or 0)
    approved = stands(client)
    with client.acting():
        assert preview.preview_run(services.find_run(run_id)).is_as_calculated
    assert stands(client) == approved


def test_what_would_keep_a_run_is_named_before_it_is_calculated(client: TestClient) -> None:
    months_later = months.people(client, Employee("E5", salary=None))
    with client.acting():
        schedules.put_on_schedule(months_later["E5"], "MONTHLY", starts=date(2026, 6, 1))
        run = services.find_run(services.open_pay_run(JUNE, schedule="MONTHLY").run_id)
        [blocker] = preview.preview_run(run).blockers
        with pytest.raises(attempts.TooManyToShow, match="4 people"):
            preview.preview_run(run, at_most=3)
        run.refresh_from_db()
        assert run.published_id is None
    assert (blocker.payroll_number, blocker.field) == ("E5", "terms")


def test_a_payday_that_is_not_opened_is_previewed_and_takes_no_number(client: TestClient) -> None:
    before = stands(client)
    with client.acting():
        would = preview.preview_payday(JUNE, schedule="MONTHLY")
        assert not would.is_open and len(would.slips) == 3
    assert stands(client) == before
    assert months.figures(client, months.open_run(client, JUNE)) == {}
    with client.acting():
        assert selectors.named_run(2).pay_date == JUNE
        assert preview.preview_payday(JUNE, schedule="MONTHLY").is_open


def test_the_page_shows_it_to_whoever_prepares_and_logs_the_read(client: TestClient) -> None:
    months.open_run(client, JUNE)
    where = f"/c/{client.code}/runs/2/do/preview"
    before = stands(client)
    page = signed_in(client.staff["specialist"]).get(where).content.decode()
    assert "Preview of pay run 2" in page and "Nothing of it is kept" in page and "Person E1" in page
    after = stands(client)
    changed = {new[0] for old, new in zip(before[0], after[0], strict=True) if old != new}
    assert changed == {"foundation_auditevent", "foundation_auditunsealed"} and before[1] == after[1]
    with client.acting():
        read = AuditEvent.objects.filter(client_id=client.id, subject_kind="pay_run").latest("at")
        assert read.verb == "read" and read.detail["page"] == where
    assert signed_in(client.staff["checker"]).get(where).status_code == 403
    run = signed_in(client.staff["specialist"]).get(f"/c/{client.code}/runs/2").content.decode()
    assert where in run


def test_the_page_of_a_run_without_items_leads_to_the_items(client: TestClient) -> None:
    months.open_run(client, JUNE, "bonus")
    answer = signed_in(client.staff["specialist"]).get(f"/c/{client.code}/runs/2/do/preview")
    page = answer.content.decode()
    assert answer.status_code == 422 and "No items are for pay run 2" in page
    assert f'href="/c/{client.code}/pay-items">To the pay items' in page


def test_a_released_run_has_no_preview(client: TestClient) -> None:
    with client.acting(), pytest.raises(Conflict, match="is released"):
        preview.preview_run(selectors.named_run(1))
