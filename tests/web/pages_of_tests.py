"""Pages of an imaginary room beside the product's own: what the decorators do, whatever the room."""

from __future__ import annotations

from django.db import connection
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path

from engineroom.foundation.access import services as access
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.kernel.errors import Conflict, InputRefused, Problem
from engineroom.kernel.ids import uuid7
from engineroom.people.models import Person
from engineroom.ui.pages import Done, PageRequest, action, page
from engineroom.web.urls import *  # noqa: F403  the product's own
from engineroom.web.urls import urlpatterns as of_the_product

SUBJECT = uuid7()


@page("people.read", reads="person")
def people(request: PageRequest, client: str) -> HttpResponse:
    """Every name that the scope shows, without any filter of its own."""
    return HttpResponse(", ".join(Person.objects.order_by("name").values_list("name", flat=True)))


@page("payroll.read", reads="pay_run")
def run(request: PageRequest, client: str, number: int) -> HttpResponse:
    request.reading(SUBJECT, figures=3)
    return HttpResponse("the run")


@page("payroll.read")
def where(request: PageRequest, client: str) -> HttpResponse:
    assert request.client is not None
    scope = current_scope()
    assert scope.write is None and scope.read == (request.client.id,)
    with connection.cursor() as cursor:
        cursor.execute("SHOW transaction_read_only")
    return HttpResponse(f"{request.client.code} {sorted(request.roles)} {sorted(request.masked)}")


@page("payroll.read")
def shell(request: PageRequest, client: str) -> HttpResponse:
    return render(request, "web/clients.html")


@page(None, scope="mine")
def mine(request: PageRequest) -> HttpResponse:
    assert {c.id for c, _ in request.clients} == set(current_scope().read)
    return HttpResponse(", ".join(c.code for c, _ in request.clients))


@page("payroll.read", faces=("client",))
def portal(request: PageRequest, client: str) -> HttpResponse:
    return HttpResponse(f"portal of {request.client}")


@page("payroll.read")
def refusing(request: PageRequest, client: str) -> HttpResponse:
    raise Conflict("the run has moved on")


@page("payroll.read")
def breaking(request: PageRequest, client: str) -> HttpResponse:
    raise RuntimeError("a secret of the inside")


@action("foundation.grant")
def rename(request: PageRequest, client: str) -> Done | str:
    """Something that writes, once for a key."""
    what = request.POST["what"]
    if what == "refuse":
        raise Conflict("the run has moved on")
    if what == "list":
        raise InputRefused([Problem("the row is empty", "Fill it in", field="name", row=3)])
    if what == "guard":
        access.grant(request.identity.id, "checker", starts=_day(), reason="me", key=request.key)  # type: ignore[call-arg]
    if what == "raw guard":
        Client.objects.filter(id=current_scope().client_id).update(code="")
        with connection.cursor() as cursor:
            cursor.execute("SELECT app_enter(%s, NULL, 'firm', '{}', NULL)", [request.identity.id])
    access.grant(uuid_of(request), "auditor", starts=_day(), ends=_day(), reason="test", key=request.key)  # type: ignore[call-arg]
    return Done("Granted.", to=f"/c/{client}/where") if what == "lead on" else "Granted."


def uuid_of(request: PageRequest):
    from uuid import UUID

    return UUID(request.POST["user"])


def _day():
    from datetime import date

    return date(2026, 1, 1)


urlpatterns = [
    path("c/<str:client>/people", people, name="test_people"),
    path("c/<str:client>/run/<int:number>", run, name="test_run"),
    path("c/<str:client>/where", where, name="test_where"),
    path("c/<str:client>/shell", shell, name="test_shell"),
    path("c/<str:client>/refusing", refusing),
    path("c/<str:client>/breaking", breaking),
    path("c/<str:client>/portal", portal),
    path("c/<str:client>/rename", rename),
    path("mine", mine),
    *of_the_product,
]
