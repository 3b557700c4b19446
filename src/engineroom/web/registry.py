"""What the rooms bring: pages and entries of the navigation, found by name, as everything of theirs is."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from django.conf import settings
from django.urls import include, path

from engineroom.ui.pages import NavigationEntry


@lru_cache(maxsize=1)
def _rooms_pages() -> tuple[ModuleType, ...]:
    """Every `pages.py`. The one of `ui` says how pages are made; its own addresses stand in `urls`."""
    names = [f"engineroom.{room}.{'urls' if room == 'ui' else 'pages'}" for room in settings.ROOMS]
    return tuple(import_module(name) for name in names if exists(name))


def exists(name: str) -> bool:
    return find_spec(name.rpartition(".")[0]) is not None and find_spec(name) is not None


def urlpatterns() -> list[Any]:
    """A room's addresses stand at the root; with an `app_name`, their names stand under it."""
    found: list[Any] = []
    for module in _rooms_pages():
        patterns = getattr(module, "urlpatterns", [])
        name = getattr(module, "app_name", None)
        found += [path("", include((patterns, name)))] if name else patterns
    return found


@lru_cache(maxsize=1)
def navigation() -> list[NavigationEntry]:
    """In order, then as the rooms are listed."""
    found = [item for module in _rooms_pages() for item in getattr(module, "NAVIGATION", [])]
    return sorted(found, key=lambda item: item.order)
