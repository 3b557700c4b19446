"""The single-use link with which a new user sets a password: made for an admin, mailed, and opened once."""

from __future__ import annotations

from smtplib import SMTPException
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.mail import send_mail
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters

from engineroom.foundation.access import sign_in
from engineroom.foundation.access.models import User
from engineroom.foundation.access.selectors import installation
from engineroom.foundation.tenancy.scope import acting
from engineroom.kernel.errors import InputRefused, NotFound
from engineroom.web.accounts import come_in


def invite(user_id: UUID) -> tuple[str, str]:
    """Make the link and mail it. Inside `acting`, writing the house. Returns the link, and why it could not
    be mailed: whoever asked hands it over then, and nothing is taken back."""
    user = User.objects.filter(id=user_id).first()
    if user is None:
        raise NotFound(f"there is no user {user_id}")
    token = sign_in.invite(user_id)
    link = settings.BASE_URL + reverse("invitation", args=[user_id, token])
    firm = installation()
    days = settings.PASSWORD_RESET_TIMEOUT // 86400
    words = {"user": user, "link": link, "firm": firm.firm_name if firm else "Engineroom", "days": days}
    try:
        send_mail(
            f"Your sign-in at {words['firm']}",
            render_to_string("web/invitation.txt", words),
            None,
            [user.email],
        )
    except (SMTPException, OSError) as error:
        return link, str(error) or type(error).__name__
    return link, ""


class FirstPassword(forms.Form):
    """Typed twice, because nobody sees it."""

    password = forms.CharField(
        label="Password",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="At least 12 characters. Several words are easier to remember than signs.",
    )
    again = forms.CharField(
        label="The same again",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def clean_again(self) -> str:
        again: str = self.cleaned_data["again"]
        if again != self.cleaned_data.get("password", again):
            raise forms.ValidationError("The two are not the same.")
        return again


@sensitive_post_parameters("password", "again")
def accept(request: HttpRequest, user_id: UUID, token: str) -> HttpResponse:
    """Set the password and be signed in. A link that was used, is too old or another's opens nothing."""
    user = sign_in.invited(user_id, token)
    if user is None:
        return render(request, "web/invitation_over.html", status=404)
    form = FirstPassword(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            with acting(sign_in.identity_of(user)):
                sign_in.change_password(user, form.cleaned_data["password"])
        except InputRefused as error:
            for problem in error.problems:
                form.add_error("password", problem.problem)
        else:
            return _come_in(request, user)
    return render(request, "web/invitation.html", {"form": form, "invited": user})


def _come_in(request: HttpRequest, user: User) -> HttpResponse:
    """Signed in; unless a second factor stands, which a link in a mail does not replace."""
    from allauth.mfa.utils import is_mfa_enabled

    if is_mfa_enabled(user):
        messages.success(request, "Your password is set. Sign in with it and your second factor.")
        return redirect("account_login")
    come_in(request, user)
    messages.success(request, "Your password is set. Add a second factor: a password alone can be guessed.")
    return redirect("settings")
