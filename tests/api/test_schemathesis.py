"""Whatever a program sends, the API answers as it says it does."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
import schemathesis
from django.core.wsgi import get_wsgi_application
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import data, dates, integers, sampled_from
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.api.conftest import Worked, worked_client
from tests.firm import Firm

ROLES = ("lead", "auditor", "client_finance", "employee")
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
EXAMPLES = 12
DAYS = {"pay_date", "issue_date", "through", "on", "day"}
days = dates(date(2000, 1, 1), date(2199, 12, 31)) | dates(date(2025, 4, 1), date(2027, 4, 30))


@pytest.fixture(scope="session")
def fuzzed(firm: Firm) -> Worked:
    return worked_client(firm, (*ROLES, "owner"))


@pytest.fixture(scope="session")
def known(fuzzed: Worked) -> dict[str, Any]:
    """Real ids, so that what is generated gets past the address."""
    run = fuzzed.first("/pay-runs")["id"]
    return {
        "code": fuzzed.client.code,
        "kind": "timesheets",
        "person_id": fuzzed.first("/people")["id"],
        "assignment_id": fuzzed.first("/assignments")["id"],
        "timesheet_id": fuzzed.first("/timesheets")["id"],
        "entry_id": fuzzed.first("/entries")["id"],
        "run_id": run,
        "payslip_id": fuzzed.first(f"/pay-runs/{run}/payslips")["id"],
        "bill_run_id": fuzzed.first("/bill-runs")["id"],
        "invoice_id": fuzzed.first("/invoices")["id"],
        "batch_id": fuzzed.first("/payment-batches")["id"],
        "bill_id": fuzzed.first("/supplier-bills")["id"],
        "line_id": fuzzed.first("/bank-lines")["id"],
        "item_id": fuzzed.first("/open-items", include_closed=True)["id"],
        "preview_id": fuzzed.first("/import-previews", kind="timesheets")["id"],
        "node_id": run,
        "case_id": (case := fuzzed.first("/cases")["id"]),
        **_of_case(fuzzed, case),
    }


def _of_case(fuzzed: Worked, case_id: str) -> dict[str, str]:
    """What the client is asked, which everybody who works may do, and a file."""
    tasks = fuzzed.by_role["owner"].get(f"{fuzzed.at}/cases/{case_id}").body["tasks"]
    files = [e["file_id"] for task in tasks for e in task["evidence"] if e["file_id"]]
    return {"task_id": tasks[0]["id"], "file_id": files[0]}


@pytest.fixture
def description(server: object) -> Any:
    config = SchemathesisConfig.from_dict({"seed": 20261121})
    return schemathesis.openapi.from_wsgi("/api/openapi.json", get_wsgi_application(), config=config)


@pytest.mark.slow
@pytest.mark.parametrize("role", ROLES)
def test_every_answer_is_as_described(
    description: Any, fuzzed: Worked, known: dict[str, Any], role: str
) -> None:
    token = fuzzed.by_role[role].token
    if role == "employee":
        mine = fuzzed.by_role[role].get(f"{fuzzed.at}/me/payslips").body["items"][0]["id"]
        known = {**known, "payslip_id": mine}
    failures = []
    for found in description.get_all_operations():
        try:
            _call_often(found.ok(), token, known)
        except Exception as failure:
            failures.append(f"{found.ok().label}: {failure}")
    assert failures == [], "\n\n".join(failures)


def _call_often(operation: Any, token: str, known: dict[str, Any]) -> None:
    """Sensible and senseless requests; generated names are no client and no id, so most get real ones."""

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(data=data())
    def call(data: Any) -> None:
        mode = data.draw(sampled_from([GenerationMode.POSITIVE, GenerationMode.NEGATIVE]))
        case = data.draw(operation.as_strategy(generation_mode=mode))
        real = data.draw(integers(0, 4)) > 0
        for name in case.path_parameters or {}:
            if real and name in known:
                case.path_parameters[name] = known[name]
        if real and isinstance(case.body, dict):
            # Of all the days there are, hardly one is generated that a payroll has heard of.
            for name in DAYS & case.body.keys():
                case.body[name] = data.draw(days).isoformat()
        case.call_and_validate(headers={"Authorization": f"Bearer {token}"}, checks=CHECKS)

    call()
