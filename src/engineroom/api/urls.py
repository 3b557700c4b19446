"""The API's addresses, to be mounted under `/api/`."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver, path, re_path
from django.views.decorators.csrf import csrf_exempt
from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema

from engineroom import __version__
from engineroom.api import (
    batches,
    calendar,
    clients,
    engagement,
    hours,
    imports,
    mine,
    paydays,
    template_batches,
    trail,
)
from engineroom.billing import api as billing
from engineroom.billing import bills_api, margin_api
from engineroom.foundation.api import Bearer, handle_errors, problem
from engineroom.leave import api as leave
from engineroom.ledger import api as ledger
from engineroom.openitems import api as openitems
from engineroom.payroll import api as payroll
from engineroom.payroll import books_api as pay_books
from engineroom.payroll import corrections_api as pay_corrections
from engineroom.payroll import inputs_api as pay_inputs
from engineroom.payroll import review_api as pay_review
from engineroom.people import api as people
from engineroom.quality import api as quality
from engineroom.settlement import api as settlement
from engineroom.sop import api as sop
from engineroom.sop import procedures_api as procedures
from engineroom.templates import api as templates
from engineroom.timesheets import api as timesheets
from engineroom.timesheets import entered_api as entered
from engineroom.timesheets import rates_api
from engineroom.workforce import api as workforce

DESCRIPTION = """The back office of the firm's clients, for programs.

Money is integers of minor units beside their currency (`*_minor`); time worked is minutes; days are ISO; ids
are UUIDs. Lists come in pages: send `next` back as `cursor`. Every command needs an `Idempotency-Key`. Every
error is `application/problem+json` (RFC 9457)."""


class Described(NinjaAPI):
    """Ninja's description, with errors under the media type they really have."""

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: dict[str, Any] | None = None
    ) -> OpenAPISchema:
        schema = super().get_openapi_schema(path_prefix=path_prefix, path_params=path_params)
        for methods in schema["paths"].values():
            for operation in methods.values():
                _correct(operation)
        return schema


def _correct(operation: dict[str, Any]) -> None:
    for status, response in operation["responses"].items():
        content = response.get("content", {})
        if int(status) >= 400 and "application/json" in content:
            content["application/problem+json"] = content.pop("application/json")
    for parameter in operation["parameters"]:
        if parameter["in"] == "header":
            # Left out, it is answered with 428, which says what to send.
            parameter["required"] = True
            options = parameter["schema"].pop("anyOf", [])
            parameter["schema"] |= next((o for o in options if o.get("type") != "null"), {})
            parameter["schema"].pop("default", None)


api = Described(
    title="Engineroom",
    version=__version__,
    description=DESCRIPTION,
    auth=Bearer(),
    docs_url=None,
    openapi_url=None,
    urls_namespace="api",
)
handle_errors(api)
api.add_router("", clients.router)
api.add_router("", batches.router)
api.add_router("", template_batches.router)
ROOMS = (
    people, leave, timesheets, rates_api, entered, hours, workforce, payroll, pay_inputs, pay_review,
    pay_corrections, pay_books, billing, bills_api, margin_api, settlement, ledger, openitems, imports,
    trail, paydays,
    calendar, engagement, quality, sop, procedures, templates, mine,
)  # fmt: skip
for room in ROOMS:
    api.add_router("/clients/{code}", room.router)


def described(request: HttpRequest) -> HttpResponse:
    """The description itself holds nothing of any client: it is open."""
    if request.method not in ("GET", "HEAD"):
        return problem(405, "the description is only read")
    prefix = request.path.removesuffix("openapi.json")
    body = json.dumps(api.get_openapi_schema(path_prefix=prefix), default=str)
    return HttpResponse(body, content_type="application/json")


def nothing_here(request: HttpRequest) -> HttpResponse:
    return problem(404, "there is nothing at this address; see openapi.json")


def _answering(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """No answer is cached, and a wrong method is a problem like any other."""

    @wraps(view)
    def run(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        answer = view(request, *args, **kwargs)
        if isinstance(answer, HttpResponseNotAllowed):
            allowed = answer["Allow"]
            answer = problem(405, f"this address takes {allowed}")
            answer["Allow"] = allowed
        answer["Cache-Control"] = "no-store"
        answer["X-Content-Type-Options"] = "nosniff"
        return answer

    return csrf_exempt(run)


def _mounted() -> list[URLPattern | URLResolver]:
    patterns: list[URLPattern | URLResolver] = list(api.urls[0])
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            pattern.callback = _answering(pattern.callback)
    return [
        path("openapi.json", _answering(described), name="openapi"),
        *(p for p in patterns if getattr(p, "name", None) not in ("api-root",)),
        re_path(r"", _answering(nothing_here)),
    ]


urlpatterns = _mounted()
