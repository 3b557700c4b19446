"""The pages that belong to no other room: the front door, the list of clients, and whether we are well."""

from __future__ import annotations

from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse

from engineroom.foundation.tenancy.scope import FACE_OF_KIND
from engineroom.ui.pages import NavigationEntry, PageRequest, page
from engineroom.web import (
    access_pages,
    audit_pages,
    calendar_pages,
    context,
    engagement_pages,
    inputs_pages,
    jobs_pages,
    my_pages,
    portal_pages,
    today_pages,
)

FIRST_PAGES = {
    "firm": ("today", "clients"),
    "client": ("portal", "clients"),
    "work": ("me", "settings"),
    "self": ("me", "settings"),
}
"""By face, the first of these that exists."""

NAVIGATION = [
    *today_pages.NAVIGATION,
    *portal_pages.NAVIGATION,
    *inputs_pages.NAVIGATION,
    *my_pages.NAVIGATION,
    NavigationEntry("Clients", "clients", key="c", order=20, of="firm", faces=("firm", "client")),
    *calendar_pages.NAVIGATION,
    *jobs_pages.NAVIGATION,
    NavigationEntry("Files in", "imports", "foundation.read", key="f", order=290),
    *engagement_pages.NAVIGATION,
    *access_pages.NAVIGATION,
    *audit_pages.NAVIGATION,
    NavigationEntry("Users", "users", "foundation.admin", key="u", order=900, of="firm"),
]


def front(request: HttpRequest) -> HttpResponse:
    """To where one's work is; to the door, if nobody is signed in."""
    if not request.user.is_authenticated:
        return redirect("demo_become" if context.is_demo() else "account_login")
    for name in FIRST_PAGES[FACE_OF_KIND[request.user.kind]]:
        try:
            return redirect(reverse(name))
        except NoReverseMatch:
            continue
    return redirect("settings")


@page(None, scope="mine", faces=("firm", "client"))
def clients(request: PageRequest) -> HttpResponse:
    """My clients, with what I am there."""
    return render(request, "web/clients.html")


def healthz(request: HttpRequest) -> HttpResponse:
    """Whether this process serves and reaches its database; for whoever watches it."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Exception:
        return HttpResponse("the database is out of reach\n", status=503, content_type="text/plain")
    return HttpResponse("ok\n", content_type="text/plain")
