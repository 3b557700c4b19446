"""The step of a payday that is more than one transaction: calculating a run."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest
from ninja import Router

from engineroom.foundation.api import (
    ERRORS_OF_COMMANDS,
    Code,
    Key,
    answers,
    caller_of,
    client_of,
    needed_key,
    require,
)
from engineroom.foundation.tenancy.scope import acting
from engineroom.payday import steps
from engineroom.payroll.attempts import Published

router = Router(tags=["payroll"])


@router.post(
    "/pay-runs/{run_id}/calculate",
    response=answers(Published, ERRORS_OF_COMMANDS),
    summary="Calculate a pay run",
    operation_id="payroll.calculate",
)
def calculate(request: HttpRequest, code: Code, run_id: UUID, key: Key = None) -> Published:
    """Take in the hours that wait, calculate everybody and publish.

    A cut-off calculation is taken up again; the same pennies keep an approval, any other void it.
    """
    caller = caller_of(request)
    client = client_of(caller, code)
    with acting(caller, write=client.id) as scope:
        require(scope, "payroll.prepare")
    return steps.calculate_run(caller, client.id, run_id, key=needed_key(key))
