"""Browsers on the real database: signed in, or not."""

from __future__ import annotations

import email
import re
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from uuid import UUID

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client as Browser

from engineroom.foundation.access import sign_in
from engineroom.foundation.access.sign_in import user_at_the_door
from engineroom.foundation.jobs.worker import run_worker
from engineroom.foundation.tenancy.scope import Identity, acting
from tests.firm import Firm

PASSWORD = "three brass valves turning"


def new_browser(*, strict: bool = False) -> Browser:
    """strict: CSRF is checked, as it always is in the product."""
    return Browser(enforce_csrf_checks=strict, headers={"user-agent": "Test"}, SERVER_NAME="127.0.0.1")


@pytest.fixture
def browser(firm: Firm) -> Browser:
    """Somebody who is not signed in, with nothing counted against them."""
    cache.clear()
    return new_browser()


def signed_in(user: Identity, *, strict: bool = False) -> Browser:
    """A browser in which this user is signed in."""
    browser = new_browser(strict=strict)
    browser.force_login(user_at_the_door(user_id=user.id))
    return browser


def set_password(user_id: UUID, password: str = PASSWORD) -> None:
    user = user_at_the_door(user_id=user_id)
    assert user is not None
    with acting(sign_in.identity_of(user)):
        sign_in.change_password(user, password)


@pytest.fixture
def member(firm: Firm) -> Callable[..., Identity]:
    """A new user with a password."""

    def make(kind: str = "staff") -> Identity:
        user = firm.new_user(kind)
        set_password(user.id)
        return user

    return make


def letters(to: str) -> list[str]:
    """The texts of the outbox's letters to an address, oldest first, once the worker has sent what waits."""
    run_worker(wait=False)
    found = []
    for path in sorted(Path(settings.OUTBOX_DIR).glob("*.eml")):
        message = email.message_from_bytes(path.read_bytes())
        if message["To"] == to:
            found.append(message.get_payload(decode=True).decode())
    return found


def link_in(letter: str) -> str:
    [url] = re.findall(rf"{re.escape(settings.BASE_URL)}(/open/\S+)", letter)
    return url


def reply(letter: str, sender: str, body: str) -> EmailMessage:
    """What a mail program sends back: the subject kept, the letter quoted."""
    [reference] = re.findall(r"ref:\S+", letter.rpartition("clock stands still.")[2])
    message = EmailMessage()
    message["From"], message["To"] = sender, settings.DEFAULT_FROM_EMAIL
    message["Subject"] = f"Re: Ask for it [{reference}]"
    message.set_content(body + "\n\nOn Monday the firm wrote:\n> " + letter.replace("\n", "\n> "))
    return message


@pytest.fixture(scope="module")
def outbox(firm: Firm) -> Iterator[None]:
    """Letters as files, as the product keeps them: Django's test runner would catch them."""
    before, settings.EMAIL_BACKEND = settings.EMAIL_BACKEND, "engineroom.web.outbox.Outbox"
    cache.clear()
    yield
    settings.EMAIL_BACKEND = before
