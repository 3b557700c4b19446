"""What allauth asks of us: who may sign up (nobody), how a password is kept, how a second factor is kept."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.stagekit import LOGIN_SESSION_KEY
from allauth.account.utils import url_str_to_user_pk
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.usersessions.models import UserSession
from django.contrib.auth import login, logout
from django.contrib.auth.signals import user_logged_in
from django.core.exceptions import ValidationError
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse

from engineroom.foundation import crypto
from engineroom.foundation.access import sign_in
from engineroom.foundation.access.models import User
from engineroom.foundation.tenancy.scope import acting, in_scope
from engineroom.kernel.errors import InputRefused
from engineroom.kernel.ids import NIL

View = Callable[..., HttpResponse]

SECRET_PLACE = "mfa_authenticator.data"


@contextmanager
def as_themselves(user: User) -> Iterator[None]:
    """The user's own scope, on no client; the one that is open, if there is one."""
    if in_scope():
        yield
    else:
        with acting(sign_in.identity_of(user)):
            yield


def at_the_door(view: View) -> View:
    """Between password and second factor somebody is half signed in: allauth reads their row again."""

    @wraps(view)
    def run(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        pending = request.session.get(LOGIN_SESSION_KEY)
        key = pending.get("user_pk") if isinstance(pending, dict) else None
        user = sign_in.user_at_the_door(user_id=url_str_to_user_pk(key)) if key else None
        if user is None:
            return view(request, *args, **kwargs)
        with acting(sign_in.identity_of(user)):
            response = view(request, *args, **kwargs)
            return response.render() if hasattr(response, "render") else response

    return run


class Accounts(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """Users are made by an admin and set their password by invitation."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def login(self, request: HttpRequest, user: User) -> None:
        """With the password's hash, to which a session is bound; and not if switched off meanwhile."""
        known = sign_in.user_at_the_door(user_id=user.id)
        if known is None:
            raise ValidationError("This user is switched off.")
        super().login(request, known)

    def set_password(self, user: User, password: str) -> None:
        with as_themselves(user):
            try:
                sign_in.change_password(user, password)
            except InputRefused as error:
                raise ValidationError([p.problem for p in error.problems]) from None

    def send_notification_mail(self, *args: Any, **kwargs: Any) -> None:
        """No letters: the list of devices says it, and allauth's table of addresses is empty."""

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        return "/"


class SecondFactor(DefaultMFAAdapter):  # type: ignore[misc]
    """Secrets of second factors lie sealed with the installation's key file, which is not in the database."""

    def encrypt(self, text: str) -> str:
        return base64.b64encode(crypto.seal(NIL, SECRET_PLACE, text.encode())).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return crypto.unseal(NIL, SECRET_PLACE, base64.b64decode(encrypted_text)).decode()


def come_in(request: HttpRequest, user: User) -> None:
    """Sign in without a password: by an invitation, or as one of a demonstration's people."""
    logout(request)  # nothing of whoever one was stays in the session
    login(request, user)
    UserSession.objects.create_from_request(request)


@receiver(user_logged_in)
def note_sign_in(sender: type[User], user: User, **kwargs: Any) -> None:
    """Django would write `last_login` itself if it were a column of the user."""
    with as_themselves(user):
        sign_in.record_sign_in()
