"""What every template knows: who is here, which client, where else one may go. Asked only if it is used."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from typing import Any, overload

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from engineroom.foundation.access import roles as access_roles
from engineroom.foundation.access.selectors import installation
from engineroom.foundation.access.sign_in import MyClients, clients_of, identity_of
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import FACE_OF_KIND, in_scope
from engineroom.kernel.ids import uuid7
from engineroom.ui.pages import NavigationEntry, address
from engineroom.ui.parts import NavigationItem
from engineroom.web import notices_pages, registry

VERSION = version("engineroom")


@dataclass
class Choice:
    """A client to switch to; url keeps the kind of page where that page needs nothing but the client."""

    id: Any
    code: str
    name: str
    is_house: bool
    roles: tuple[str, ...]
    current: bool
    currency: str
    url: str | None


def surroundings(request: HttpRequest) -> dict[str, Any]:
    signed_in = getattr(request, "user", None) is not None and request.user.is_authenticated
    return {
        "me": request.user if signed_in else None,
        "client": SimpleLazyObject(lambda: choices(request).current)
        if getattr(request, "client", None)
        else None,
        "clients": SimpleLazyObject(lambda: choices(request)) if signed_in else [],
        "navigation": SimpleLazyObject(lambda: navigation(request)) if signed_in else [],
        "home_url": address("front"),
        "all_clients_url": address("clients"),
        "search_url": address("search") if _is_staff(request) else None,
        "notices": notices_pages.bell(request) if _is_staff(request) else None,
        "sign_out_url": address("account_logout"),
        "account_links": SimpleLazyObject(lambda: account_links(request)) if signed_in else [],
        "form_key": lambda: str(uuid7()),
        "version": VERSION,
        "demo": SimpleLazyObject(is_demo),
    }


def _is_staff(request: HttpRequest) -> bool:
    """Whether the firm's own pages are theirs: searching and notices are."""
    user = getattr(request, "user", None)
    return user is not None and user.is_authenticated and FACE_OF_KIND[user.kind] == "firm"


def account_links(request: HttpRequest) -> list[tuple[str, str]]:
    """What stands under one's name. In a demonstration also: being somebody else, and trying to break it."""
    links = [("Settings", address("settings"))]
    if _was_demo(int(time.monotonic() // 60)):
        links.append(("Become somebody else", address("demo_become")))
        if _is_staff(request):
            links.append(("Break it", address("break_it")))
    return links


@lru_cache(maxsize=1)
def _was_demo(minute: int) -> bool:
    """For the menu of every page; the pages themselves ask."""
    return is_demo()


def is_demo() -> bool:
    """Whether this database is marked as a demonstration."""
    row = installation()
    return row is not None and row.is_demo


def my_clients(request: HttpRequest) -> MyClients:
    if not hasattr(request, "clients"):
        request.clients = clients_of(identity_of(request.user))  # type: ignore[attr-defined, arg-type]
    found: MyClients = request.clients  # type: ignore[attr-defined]
    return found


class Choices(Sequence[Choice]):
    """The clients to switch to. Each is made when it is shown: a page lists twelve of two hundred."""

    def __init__(self, request: HttpRequest) -> None:
        self._request, self._mine = request, my_clients(request)
        self._here: Client | None = getattr(request, "client", None)
        match = request.resolver_match
        self._same_page = match.view_name if match and set(match.kwargs) == {"client"} else None

    def __len__(self) -> int:
        return len(self._mine)

    @overload
    def __getitem__(self, place: int) -> Choice: ...
    @overload
    def __getitem__(self, place: slice) -> list[Choice]: ...
    def __getitem__(self, place: int | slice) -> Choice | list[Choice]:
        if isinstance(place, slice):
            return [self._choice(*found) for found in self._mine[place]]
        return self._choice(*self._mine[place])

    @property
    def current(self) -> Choice | None:
        here = self._here
        found = self._mine.called(here.code) if here else None
        return self._choice(*found) if found else None

    def _choice(self, client: Client, roles: frozenset[str]) -> Choice:
        return Choice(
            client.id,
            client.code,
            client.name,
            client.is_house,
            tuple(sorted(roles)),
            self._here is not None and client.id == self._here.id,
            client.currency,
            (address(self._same_page, client.code) if self._same_page else "")
            or first_page_of(self._request, client, roles),
        )


def choices(request: HttpRequest) -> Choices:
    if not hasattr(request, "choices"):
        request.choices = Choices(request)  # type: ignore[attr-defined]
    found: Choices = request.choices  # type: ignore[attr-defined]
    return found


def first_page_of(request: HttpRequest, client: Client, roles: frozenset[str]) -> str | None:
    """The first entry of the client's navigation that these roles may open."""
    face = FACE_OF_KIND[request.user.kind]  # type: ignore[union-attr]
    for item in registry.navigation():
        allowed = item.permission is None or access_roles.may(roles, item.permission)
        if (
            item.of == "client"
            and face in item.faces
            and allowed
            and (url := address(item.url_name, client.code))
        ):
            return url
    return None


def navigation(request: HttpRequest) -> list[NavigationItem]:
    """Entries that the user may open: the firm's, and the client's on a client's page; those beneath another
    only while one is there."""
    here: Client | None = getattr(request, "client", None)
    everywhere = my_clients(request).roles
    face = FACE_OF_KIND[request.user.kind]  # type: ignore[union-attr]
    offered: list[tuple[NavigationEntry, str]] = []
    for item in registry.navigation():
        on_client = item.of == "client"
        if face not in item.faces or (on_client and here is None):
            continue
        roles = getattr(request, "roles", everywhere) if on_client else everywhere
        if item.permission is not None and not access_roles.may(roles, item.permission):
            continue
        if url := address(item.url_name, here.code) if on_client and here else address(item.url_name):
            offered.append((item, url))
    there = {item.url_name for item, _ in offered}
    open_at = {item.under or item.url_name for item, url in offered if _is_at(request.path, url)}
    return [
        _item(item, url, request, here)
        for item, url in offered
        if item.under not in there or item.under in open_at
    ]


def _is_at(path: str, url: str) -> bool:
    return path == url or path.startswith(f"{url}/")


def _item(item: NavigationEntry, url: str, request: HttpRequest, here: Client | None) -> NavigationItem:
    return NavigationItem(
        item.label,
        url,
        item.count() if item.count and in_scope() else None,
        f"g {item.key}" if item.key else "",
        url == request.path,
        here.name if item.of == "client" and here else "",
        bool(item.under),
    )
