"""Headers on every answer, a limit on every request, and refusals as pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db.utils import DataError
from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.request import UnreadablePostError

from engineroom.foundation.refusals import refusal
from engineroom.web import errors

Answer = Callable[[HttpRequest], HttpResponse]

CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",  # the second factor's QR code is a data: image
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ]
)
PERMISSIONS_POLICY = ", ".join(
    f"{feature}=()"
    for feature in (
        "accelerometer", "browsing-topics", "camera", "display-capture", "geolocation", "gyroscope",
        "magnetometer", "microphone", "midi", "payment", "usb",
    )
)  # fmt: skip


class SecurityHeaders:
    """What a browser may do with our pages; Django's own middleware adds referrer, COOP and HSTS."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        headers = response.headers
        headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        headers.setdefault("X-Frame-Options", "DENY")
        headers.setdefault("X-Content-Type-Options", "nosniff")  # static files pass before Django's own
        headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        if not request.path.startswith(settings.STATIC_URL):
            headers["Cache-Control"] = "no-store"  # nothing of a client's stays on a shared computer
        return response


class RefuseTooLarge:
    """Before a byte of it is read: its length. A request that says none has no body to us."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        length = request.META.get("CONTENT_LENGTH") or "0"
        if not length.isdigit() or int(length) > settings.LARGEST_REQUEST:
            return errors.too_large(request)
        return self.get_response(request)


LARGEST_NUMBER = (1 << 31) - 1


class RefuseUnreadable:
    """What PostgreSQL cannot hold never gets so far: a NUL in an address, form or cookie; a number of no run.

    A body with files is not read here: whoever asks for it reads it. A NUL in one of its fields is refused
    when a question with it fails.
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith("/api/"):
            return self.get_response(request)  # it says so itself, as a problem by field
        if "\0" in request.path or _has_nul(request.GET) or any("\0" in v for v in request.COOKIES.values()):
            return errors.bad_request(request)
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        if any(isinstance(value, int) and value > LARGEST_NUMBER for value in kwargs.values()):
            return errors.not_found(request)
        if request.method == "POST" and request.content_type == "application/x-www-form-urlencoded":
            try:
                unreadable = _has_nul(request.POST)
            except UnreadablePostError:
                unreadable = True  # the browser went away while sending
            return errors.bad_request(request) if unreadable else None
        return None

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, DataError | ValueError) and "NUL (0x00)" in str(exception):
            return errors.bad_request(request)
        return None


def _has_nul(given: QueryDict) -> bool:
    return any("\0" in name or any("\0" in v for v in values) for name, values in given.lists())


class Refusals:
    """A refusal that nobody caught is an answer, not a defect."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        refused = refusal(exception)
        if refused is None or refused.status >= 500:
            return None
        return errors.refused(request, refused)
