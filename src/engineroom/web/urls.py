"""Every address of the installation: those of nobody's room here, those of the rooms gathered."""

from __future__ import annotations

from typing import Any

from allauth.account import views as account
from allauth.mfa.base import views as second_factor
from allauth.mfa.recovery_codes import views as recovery_codes
from allauth.mfa.totp import views as totp
from django.urls import include, path
from django.views.generic import RedirectView

from engineroom.api import urls as api
from engineroom.web import (
    access_pages,
    audit_pages,
    break_pages,
    calendar_pages,
    demo,
    engagement_pages,
    errors,
    hours_pages,
    imports_pages,
    inputs_pages,
    invitations,
    jobs_pages,
    letters_pages,
    links,
    my_pages,
    notices_pages,
    pages,
    portal_bill_pages,
    portal_pages,
    portal_run_pages,
    registry,
    request_pages,
    search_pages,
    settings_pages,
    thread_pages,
    today_pages,
    users_pages,
)
from engineroom.web.accounts import at_the_door

sign_in = [
    path("sign-in", account.login, name="account_login"),
    path("sign-in/code", at_the_door(second_factor.authenticate), name="mfa_authenticate"),
    path("sign-in/again", account.reauthenticate, name="account_reauthenticate"),
    path("sign-in/again/code", second_factor.reauthenticate, name="mfa_reauthenticate"),
    path("sign-in/off", account.account_inactive, name="account_inactive"),
    path("sign-out", account.logout, name="account_logout"),
    path("invitation/<uuid:user_id>/<str:token>", invitations.accept, name="invitation"),
]

mine = [
    path("settings", settings_pages.settings_page, name="settings"),
    path("settings/password", account.password_change, name="account_change_password"),
    path("settings/password/first", account.password_set, name="account_set_password"),
    path("settings/second-factor", RedirectView.as_view(pattern_name="settings"), name="mfa_index"),
    path("settings/second-factor/app", totp.activate_totp, name="mfa_activate_totp"),
    path("settings/second-factor/app/off", totp.deactivate_totp, name="mfa_deactivate_totp"),
    path("settings/second-factor/codes", recovery_codes.view_recovery_codes, name="mfa_view_recovery_codes"),
    path(
        "settings/second-factor/codes/new",
        recovery_codes.generate_recovery_codes,
        name="mfa_generate_recovery_codes",
    ),
    path(
        "settings/second-factor/codes/file",
        recovery_codes.download_recovery_codes,
        name="mfa_download_recovery_codes",
    ),
    path("settings/devices/<int:device_id>/end", settings_pages.end_device, name="device_end"),
    path("settings/tokens", settings_pages.issue_token, name="token_issue"),
    path("settings/tokens/<uuid:token_id>/revoke", settings_pages.revoke_token, name="token_revoke"),
    path("settings/users", users_pages.users, name="users"),
    path("settings/users/add", users_pages.add_user, name="user_add"),
    path("settings/users/<uuid:user_id>", users_pages.user, name="user"),
    path("settings/users/<uuid:user_id>/invite", users_pages.invite_user, name="user_invite"),
    path("settings/users/<uuid:user_id>/grant", users_pages.grant_role, name="user_grant"),
    path("settings/users/<uuid:user_id>/off", users_pages.switch_off, name="user_off"),
    path("settings/grants/<uuid:grant_id>/end", users_pages.end_grant, name="grant_end"),
]

urlpatterns: list[Any] = [
    path("", pages.front, name="front"),
    path("healthz", pages.healthz, name="healthz"),
    path("clients", pages.clients, name="clients"),
    path("demo/become", demo.become, name="demo_become"),
    *sign_in,
    *mine,
    *access_pages.urlpatterns,
    *audit_pages.urlpatterns,
    *break_pages.urlpatterns,
    *engagement_pages.urlpatterns,
    *imports_pages.urlpatterns,
    *inputs_pages.urlpatterns,
    *jobs_pages.urlpatterns,
    *letters_pages.urlpatterns,
    *links.urlpatterns,
    *my_pages.urlpatterns,
    *notices_pages.urlpatterns,
    *portal_pages.urlpatterns,
    *portal_run_pages.urlpatterns,
    *portal_bill_pages.urlpatterns,
    *request_pages.urlpatterns,
    *hours_pages.urlpatterns,
    *search_pages.urlpatterns,
    *thread_pages.urlpatterns,
    *today_pages.urlpatterns,
    *calendar_pages.urlpatterns,
    *registry.urlpatterns(),
    path("api/", include((api.urlpatterns, "api"))),
]

handler429 = errors.too_many  # allauth's limits
handler400 = "engineroom.web.errors.bad_request"
handler403 = "engineroom.web.errors.forbidden"
handler404 = "engineroom.web.errors.not_found"
handler500 = "engineroom.web.errors.broken"
