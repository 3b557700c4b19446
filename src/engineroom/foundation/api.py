"""What every program's request stands on: who calls, the scope it runs in, pages of rows, and errors.

A room's `api.py` makes one `Room` and hangs its operations on it. Each operation runs inside `acting` on the
client of its address, with the permission it names, and gets that client; a command needs an
`Idempotency-Key`, which becomes the command's own. Only bearer tokens are accepted: no cookie, so no request
can be forged from a page.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import inspect
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import partial
from http import HTTPStatus
from threading import Lock
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from django.conf import settings
from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import DatabaseError
from django.db.models import Model, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from ninja import Field, Header, NinjaAPI, Path, Router, Schema
from ninja.errors import AuthenticationError, HttpError
from ninja.errors import ValidationError as RequestInvalid
from ninja.security import HttpBearer
from pydantic import AfterValidator, ConfigDict, StringConstraints

from engineroom.foundation.access import roles
from engineroom.foundation.access.services import authenticate
from engineroom.foundation.access.sign_in import clients_of
from engineroom.foundation.audit import services as audit
from engineroom.foundation.commands import LONGEST_KEY, keyed
from engineroom.foundation.imports.services import IMPORTERS, MEGABYTE
from engineroom.foundation.refusals import refusal
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import Identity, Scope, acting, current_scope
from engineroom.kernel.errors import EngineroomError, NotFound, NotPermitted

log = logging.getLogger(__name__)

LARGEST_PAGE = 200
LARGEST_BODY_BYTES = MEGABYTE
PER_MINUTE = 1_200
"""Requests a minute by one token, in one process: a program that follows pages needs tens."""
EARLIEST, LATEST = date(2000, 1, 1), date(2199, 12, 31)

R = TypeVar("R")
T = TypeVar("T")
M = TypeVar("M", bound=Model)


# --- values -------------------------------------------------------------------------------------------


def _sensible(day: date) -> date:
    if not EARLIEST <= day <= LATEST:
        raise ValueError(f"a day lies between {EARLIEST} and {LATEST}")
    return day


Day = Annotated[date, AfterValidator(_sensible)]
NO_NUL = r"^[^\x00]*$"
"""PostgreSQL keeps no NUL character."""
Text = Annotated[str, StringConstraints(max_length=500, pattern=NO_NUL)]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=NO_NUL)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=60, pattern=r"^[^\x00]+$")]
ContentHash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Asked(Schema):
    """A body: what it holds beyond its fields is refused, so that a misspelt field is not overlooked."""

    model_config = ConfigDict(extra="forbid")


class ContentAsked(Asked):
    """content_hash: of what you looked at; anything else is refused."""

    content_hash: ContentHash


class ReasonAsked(Asked):
    """reason: why it is done."""

    reason: Reason


class PageAsked(Schema):
    """cursor: the `next` of the page before. limit: how many rows at most."""

    cursor: Annotated[str, StringConstraints(max_length=400, pattern=r"^[A-Za-z0-9_=-]*$")] | None = None
    limit: int = Field(50, ge=1, le=LARGEST_PAGE)


class Page(Schema, Generic[T]):
    """Rows in a fixed order. next: the cursor of the following page; null on the last."""

    items: list[T]
    next: str | None = None


# --- errors -------------------------------------------------------------------------------------------


class InputProblem(Schema):
    """One thing wrong with one place of an input, and what to do about it."""

    problem: str
    remedy: str
    file: str | None = None
    row: int | None = None
    field: str | None = None
    severity: str = "error"
    sheet: str | None = None


class ProblemDetails(Schema):
    """RFC 9457. code is stable for programs; problems names each place of an input that is wrong."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    problems: list[InputProblem] = []


class KeyNeeded(EngineroomError):
    """A command is sent with an Idempotency-Key, so that sending it twice does it once."""

    status = 428


class BadCursor(EngineroomError):
    """The cursor is not one that this list gave out."""

    status = 422


class TooLarge(EngineroomError):
    """The request's body is larger than this operation takes."""

    status = 413


class TooManyRequests(EngineroomError):
    """The token was used more often than is allowed."""

    status = 429


def problem(
    status: int, detail: str, *, code: str = "", title: str = "", problems: Sequence[Mapping[str, Any]] = ()
) -> HttpResponse:
    """An answer in the form of RFC 9457."""
    title = title or HTTPStatus(status).phrase
    code = code or HTTPStatus(status).phrase.replace(" ", "")
    body = {
        "type": f"urn:engineroom:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "problems": [dict(p) for p in problems],
    }
    answer = HttpResponse(json.dumps(body), status=status, content_type="application/problem+json")
    if status == 401:
        answer["WWW-Authenticate"] = "Bearer"
    if status == 429:
        answer["Retry-After"] = "1"
    return answer


def handle_errors(api: NinjaAPI) -> None:
    """Every error a program may see, in one form; what nobody foresaw says nothing of our insides."""
    known: tuple[tuple[type[Exception], Callable[[Any], HttpResponse]], ...] = (
        (EngineroomError, _refused),
        (RequestInvalid, _invalid),
        (AuthenticationError, _who),
        (HttpError, lambda error: problem(error.status_code, str(error))),
        (Http404, lambda _: problem(404, "there is nothing at this address")),
        (RequestDataTooBig, lambda _: problem(413, "the request is too large")),
        (SuspiciousOperation, lambda _: problem(400, "the request cannot be read")),
        (BadRequest, lambda _: problem(400, "the request cannot be read")),
        (MultiPartParserError, lambda _: problem(400, "the form cannot be read")),
        (UnreadablePostError, lambda _: problem(400, "the request ended too early")),
        (DatabaseError, _guarded),
        (Exception, _unforeseen),
    )
    for kind, answer in known:
        api.add_exception_handler(kind, partial(_answer, answer))


def _answer(answer: Callable[[Any], HttpResponse], _: HttpRequest, error: Exception) -> HttpResponse:
    return answer(error)


def _refused(error: EngineroomError) -> HttpResponse:
    if error.status >= 500:
        return _unforeseen(error)
    problems = [p.as_dict() for p in getattr(error, "problems", ())]
    problems += [
        {"problem": f"{b.payroll_number}: {b.problem}", "remedy": b.remedy, "field": b.field}
        for b in getattr(error, "blockers", ())
    ]
    detail = str(error).split("\n")[0] if problems else str(error)
    title = (type(error).__doc__ or "").strip().split("\n")[0]
    return problem(error.status, detail, code=error.code, title=title, problems=problems)


def _invalid(error: RequestInvalid) -> HttpResponse:
    problems = [
        {
            "problem": str(e.get("msg", "is not valid")),
            "remedy": "Correct it",
            "field": ".".join(str(part) for part in e.get("loc", ())),
        }
        for e in error.errors
    ]
    return problem(422, "the request is not valid", code="RequestInvalid", problems=problems)


def _who(_: AuthenticationError) -> HttpResponse:
    detail = "send a token: Authorization: Bearer er_..."
    return problem(401, detail, code="NotAuthenticated", title="The token is missing or not valid.")


def _guarded(error: DatabaseError) -> HttpResponse:
    """PostgreSQL's own refusals are ours too, in words a person may read."""
    refused = refusal(error)
    return _unforeseen(error) if refused is None else _refused(refused)


def _unforeseen(error: Exception) -> HttpResponse:
    log.error("a request failed", exc_info=error)
    return problem(500, "this is a fault of the system; it was logged")


# --- who calls ----------------------------------------------------------------------------------------


class Rate:
    """A bucket of requests for each token, in this process: filled evenly, emptied by use."""

    def __init__(self) -> None:
        self._left: dict[bytes, tuple[float, float]] = {}
        self._lock = Lock()

    def take(self, token: bytes) -> None:
        """Raises TooManyRequests when the bucket is empty."""
        a_minute = getattr(settings, "API_REQUESTS_PER_MINUTE", PER_MINUTE)
        now = time.monotonic()
        with self._lock:
            left, at = self._left.get(token, (float(a_minute), now))
            left = min(a_minute, left + (now - at) * a_minute / 60)
            self._left[token] = (max(left - 1, 0), now)
        if left < 1:
            raise TooManyRequests(f"a token is good for {a_minute} requests a minute; wait a second")


RATE = Rate()


class Bearer(HttpBearer):
    """A token as `engineroom token issue` prints it; it may be narrowed to clients and verbs."""

    def authenticate(self, request: HttpRequest, token: str) -> Identity:
        """Before a byte of the body is read. Only tokens that exist have a bucket."""
        caller = authenticate(token)
        RATE.take(hashlib.sha256(token.encode()).digest())
        _refuse_oversized(request)
        return caller


def _refuse_oversized(request: HttpRequest) -> None:
    given = request.META.get("CONTENT_LENGTH") or "0"
    size = int(given) if given.isdecimal() else 0
    limit = LARGEST_BODY_BYTES
    if request.content_type == "multipart/form-data":
        limit += max(handler.limit_bytes for handler in IMPORTERS.values())
    if size > limit:
        raise TooLarge(f"the request has {size} bytes; at most {limit} are taken here")


def caller_of(request: HttpRequest) -> Identity:
    found = getattr(request, "auth", None)
    assert isinstance(found, Identity), "every operation but the description has a caller"
    return found


def clients_for(caller: Identity) -> list[Client]:
    """Where the caller's grants and the token let them go, the house first."""
    return [client for client, _ in clients_of(caller) if caller.reaches(client.id)]


def client_of(caller: Identity, code: str) -> Client:
    """Raises NotFound: whether a client exists is nothing to whoever has no grant on it."""
    found = next((c for c in clients_for(caller) if c.code.lower() == code.lower()), None)
    if found is None:
        raise NotFound(f"there is no client {code!r} that {caller.email} may see")
    return found


def require(scope: Scope, permission: str) -> None:
    if not scope.may(permission):
        raise NotPermitted(f"{scope.user.email} may not do this here: it needs the permission {permission}")


def firm_only(what: str) -> None:
    """For what a client's own people do not see. Raises NotPermitted."""
    if current_scope().face != "firm":
        raise NotPermitted(f"{what} are shown to the firm's own people")


def hides(data_class: str) -> bool:
    """Whether the caller's roles on the client mask a class of data: pay, bank, identity or health."""
    scope = current_scope()
    return data_class in roles.masked(scope.roles.get(scope.read[0], frozenset()))


def refuse_masked(data_class: str, what: str) -> None:
    """For papers, which cannot be shown in part."""
    if hides(data_class):
        raise NotPermitted(f"{what} shows {data_class} data, which your role does not see")


def log_read(subject_kind: str, subject_id: UUID | None, what: str, rows: int = 1) -> None:
    """Reads of pay, bank and identity data stand in the client's audit trail."""
    detail = {"column": what, "rows": rows, "purpose": "api"}
    audit.record_read(
        current_scope().read[0], subject_kind=subject_kind, subject_id=subject_id, detail=detail
    )


# --- operations ---------------------------------------------------------------------------------------

Code = Annotated[Name, Path(description="the client's code")]
Key = Annotated[
    Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_KEY, pattern=r"^[!-~]+$")] | None,
    Header(
        alias="Idempotency-Key",
        description="one of your own for each thing you want done, such as a UUID. The same key with the "
        "same request gives the same answer and does nothing; with another request it is a conflict.",
    ),
]

OWN_FACES = ("self", "work")

ERRORS = (400, 401, 403, 404, 422, 429, 500)
ERRORS_OF_COMMANDS = (*ERRORS, 409, 413, 428)


def answers(answer: Any, errors: Sequence[int] = ERRORS) -> dict[int, Any]:
    """Responses of an operation, as the description has them."""
    return {200: answer, **dict.fromkeys(sorted(errors), ProblemDetails)}


def file_extra(media_type: str) -> dict[str, Any]:
    schema = {"type": "string", "format": "binary"}
    return {"responses": {200: {"content": {media_type: {"schema": schema}}}}}


class Room(Router):
    """The operations of one room on one client. Mounted under `/clients/{code}`."""

    def __init__(self, room: str) -> None:
        super().__init__(tags=[room])
        self.room = room

    def read(
        self,
        path: str,
        answer: Any,
        summary: str,
        *,
        permission: str | None = None,
        media: str | None = None,
        tries: bool = False,
    ) -> Callable[[Callable[..., R]], Callable[..., R]]:
        """A question, in a scope that only reads. media: the type of the file it answers with. tries: what
        would come of a change, which it makes and takes back, in a scope that writes."""
        needed = permission or f"{self.room}.read"

        def hang(view: Callable[..., R]) -> Callable[..., R]:
            def run(request: HttpRequest, code: str, **given: Any) -> R:
                caller = caller_of(request)
                client = client_of(caller, code)
                with acting(caller, read=[client.id], write=client.id if tries else None) as scope:
                    require(scope, needed)
                    return view(client, **given)

            said = answers(answer, ERRORS_OF_COMMANDS if tries else ERRORS)
            self._hang(path, "GET", view, run, said, summary, file_extra(media) if media else None)
            return view

        return hang

    def own(
        self, path: str, answer: Any, summary: str, *, media: str | None = None
    ) -> Callable[[Callable[..., R]], Callable[..., R]]:
        """A question of an employee or a worker about themselves. Who they are is for the view to find out;
        PostgreSQL shows their face nobody else's rows. Of everybody else it is none of their business."""

        def hang(view: Callable[..., R]) -> Callable[..., R]:
            def run(request: HttpRequest, code: str, **given: Any) -> R:
                caller = caller_of(request)
                client = client_of(caller, code)
                with acting(caller, read=[client.id]) as scope:
                    if scope.face not in OWN_FACES:
                        raise NotPermitted("this is shown to whom it is about, from their own face")
                    if caller.verbs is not None and "read" not in caller.verbs:
                        raise NotPermitted("this token does not read")
                    return view(client, **given)

            self._hang(path, "GET", view, run, answers(answer), summary, file_extra(media) if media else None)
            return view

        return hang

    def command(
        self, path: str, answer: Any, summary: str, *, permission: str | None
    ) -> Callable[[Callable[..., R]], Callable[..., R]]:
        """A change, in a scope that writes the client; its commands run under the request's key.

        permission: None where only the command itself knows which it needs.
        """

        def hang(view: Callable[..., R]) -> Callable[..., R]:
            def run(request: HttpRequest, code: str, key: str | None, **given: Any) -> R:
                caller = caller_of(request)
                client = client_of(caller, code)
                with acting(caller, write=client.id) as scope, keyed(needed_key(key)):
                    if permission:
                        require(scope, permission)
                    return view(client, **given)

            self._hang(path, "POST", view, run, answers(answer, ERRORS_OF_COMMANDS), summary, None)
            return view

        return hang

    def _hang(
        self,
        path: str,
        method: str,
        view: Callable[..., Any],
        run: Callable[..., Any],
        responses: dict[int, Any],
        summary: str,
        extra: dict[str, Any] | None,
    ) -> None:
        """`run` under the view's name and parameters, but for its client; and the address's code, and the
        key."""
        inner = list(inspect.signature(view, eval_str=True).parameters.values())[1:]
        only = inspect.Parameter.KEYWORD_ONLY
        ours = [inspect.Parameter("code", only, annotation=Code)]
        if method == "POST":
            ours.append(inspect.Parameter("key", only, annotation=Key, default=None))
        asked = inspect.Parameter("request", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=HttpRequest)
        run.__signature__ = inspect.Signature([asked, *ours, *(p.replace(kind=only) for p in inner)])  # type: ignore[attr-defined]
        run.__name__, run.__doc__, run.__module__ = view.__name__, view.__doc__, view.__module__
        self.add_api_operation(
            path,
            [method],
            run,
            response=responses,
            summary=summary,
            operation_id=f"{self.room}.{view.__name__}",
            description=inspect.cleandoc(view.__doc__ or summary),
            openapi_extra=extra,
        )


def needed_key(key: str | None) -> str:
    if not key:
        raise KeyNeeded("send the header Idempotency-Key, one of your own for each thing you want done")
    return key


# --- pages --------------------------------------------------------------------------------------------


def cut(
    rows: QuerySet[M], asked: PageAsked, *, by: str, latest_first: bool = False
) -> tuple[list[M], str | None]:
    """One page of rows ordered by a column that is never null, and by id; and the cursor of the next."""
    pk = rows.model._meta.pk.attname
    if asked.cursor:
        key, last = _read_cursor(asked.cursor)
        try:
            column: Any = rows.model._meta.get_field(by)
            key = column.to_python(key)
        except DjangoValidationError:
            raise BadCursor("the cursor is not one of this list's") from None
        way = "lt" if latest_first else "gt"
        rows = rows.filter(
            Q(**{f"{by}__{way}e": key}) & (Q(**{f"{by}__{way}": key}) | Q(**{f"{pk}__{way}": last}))
        )
    sign = "-" if latest_first else ""
    found = list(rows.order_by(f"{sign}{by}", f"{sign}{pk}")[: asked.limit + 1])
    if len(found) <= asked.limit:
        return found, None
    end = found[asked.limit - 1]
    return found[: asked.limit], _cursor(getattr(end, by), end.pk)


def cut_list(
    rows: Sequence[T], asked: PageAsked, *, by: Callable[[T], tuple[str, UUID]]
) -> tuple[list[T], str | None]:
    """One page of what a selector returned whole; by: a text and an id that order it."""
    ordered = sorted(rows, key=by)
    if asked.cursor:
        after = _read_cursor(asked.cursor)
        ordered = [row for row in ordered if by(row) > after]
    if len(ordered) <= asked.limit:
        return ordered, None
    return ordered[: asked.limit], _cursor(*by(ordered[asked.limit - 1]))


def _cursor(key: object, row_id: UUID) -> str:
    plain = key if isinstance(key, int) else str(key)
    return base64.urlsafe_b64encode(json.dumps([plain, str(row_id)]).encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[Any, UUID]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        key, row_id = json.loads(base64.urlsafe_b64decode(padded.encode()))
        if not isinstance(key, str | int) or "\x00" in str(key):
            raise ValueError(key)
        str(key).encode()
        return key, UUID(row_id)
    except (ValueError, TypeError, AttributeError, binascii.Error):
        raise BadCursor("the cursor is not one of this list's; take it from `next` as it is") from None


def one(rows: QuerySet[M], what: str, row_id: UUID) -> M:
    """The client's row with that id. Raises NotFound; another client's row is not found either."""
    row = rows.filter(client_id=current_scope().read[0], pk=row_id).first()
    if row is None:
        raise NotFound(f"there is no {what} {row_id}")
    return row
