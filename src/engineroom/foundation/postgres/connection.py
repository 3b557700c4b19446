"""Which database to use: DATABASE_URL and DATABASE_OWNER_URL, else the embedded server."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from engineroom.foundation.postgres.paths import PORT, Home, data_home
from engineroom.foundation.postgres.roles import APP, DATABASE, OWNER
from engineroom.kernel.errors import EngineroomError

APP_URL = "DATABASE_URL"
OWNER_URL = "DATABASE_OWNER_URL"
OLDEST_MAJOR = 16  # GRANT .. WITH SET, on which the guard role rests, came with 16
EXAMPLE = "postgresql://engineroom_app:password@db.example.com:5432/engineroom?sslmode=verify-full"
TLS_OPTIONS = frozenset(["sslmode", "sslrootcert", "sslcert", "sslkey"])
OPTIONS = TLS_OPTIONS | {"connect_timeout", "application_name", "target_session_attrs"}
SSL_MODES = frozenset(["disable", "allow", "prefer", "require", "verify-ca", "verify-full"])


class DatabaseUrlInvalid(EngineroomError):
    """A database URL cannot be used. The message never repeats the URL: it may hold a password."""

    def __init__(self, variable: str, problem: str) -> None:
        super().__init__(f"{variable}: {problem}. It looks like {EXAMPLE}")


class ServerTooOld(EngineroomError):
    status = 503


def is_external(environ: Mapping[str, str] | None = None) -> bool:
    """Whether an administrator runs the database, so that nothing is to be started or stopped."""
    return bool((os.environ if environ is None else environ).get(APP_URL))


def connection_settings(
    home: Home | None = None, environ: Mapping[str, str] | None = None
) -> dict[str, dict[str, Any]]:
    """Django's HOST, PORT, NAME, USER, PASSWORD and OPTIONS for the roles "app" and "owner".

    "owner" is empty when DATABASE_URL is set without DATABASE_OWNER_URL: such a process serves, it cannot
    migrate. Nothing is started or created.
    """
    environ = os.environ if environ is None else environ
    app_url, owner_url = environ.get(APP_URL), environ.get(OWNER_URL)
    if app_url:
        owner = parse_url(owner_url, OWNER_URL) if owner_url else {}
        return {"app": parse_url(app_url, APP_URL), "owner": owner}
    if owner_url:
        raise DatabaseUrlInvalid(OWNER_URL, f"is set without {APP_URL}; set both, or neither")
    socket = str((home or data_home(environ)).socket_directory)
    embedded = {"HOST": socket, "PORT": PORT, "NAME": DATABASE, "PASSWORD": "", "OPTIONS": {}}
    return {"app": embedded | {"USER": APP}, "owner": embedded | {"USER": OWNER, "OPTIONS": {}}}


def parse_url(url: str, variable: str = APP_URL) -> dict[str, Any]:
    """Strict: what is misspelt is refused here, not found out later as a connection without encryption."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise DatabaseUrlInvalid(variable, "the host or the port cannot be read") from None
    name = unquote(parts.path.removeprefix("/"))
    if parts.scheme not in ("postgresql", "postgres"):
        raise DatabaseUrlInvalid(variable, "must begin with postgresql://")
    if not name or "/" in name:
        raise DatabaseUrlInvalid(variable, "must name one database after the host")
    if not parts.username:
        raise DatabaseUrlInvalid(variable, "must name the user before the host")
    if parts.fragment:
        raise DatabaseUrlInvalid(variable, "has a '#'; write it as %23")
    query = _query(parts.query, variable)
    host = unquote(parts.hostname or "") or query.pop("host", "")
    if not host or "host" in query:
        raise DatabaseUrlInvalid(variable, "must name one host (or ?host=/folder/of/the/socket)")
    login = {"USER": unquote(parts.username), "PASSWORD": unquote(parts.password or "")}
    return {"HOST": host, "PORT": str(port or PORT), "NAME": name, **login, "OPTIONS": query}


def _query(text: str, variable: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text))
    except ValueError:
        raise DatabaseUrlInvalid(variable, "what follows '?' must be name=value, joined by '&'") from None
    query = dict(pairs)
    if len(query) < len(pairs):
        raise DatabaseUrlInvalid(variable, "an option is given twice")
    if unknown := sorted(set(query) - OPTIONS - {"host"}):
        known = ", ".join(sorted(OPTIONS))
        raise DatabaseUrlInvalid(variable, f"unknown option {', '.join(unknown)} (known: {known})")
    if (mode := query.get("sslmode")) is not None and mode not in SSL_MODES:
        raise DatabaseUrlInvalid(variable, f"sslmode must be one of {', '.join(sorted(SSL_MODES))}")
    return query


def require_supported_server(server_version: int) -> None:
    """server_version: as libpq counts, 160004 for 16.4 (psycopg's and Django's `info.server_version`)."""
    if server_version < OLDEST_MAJOR * 10_000:
        raise ServerTooOld(
            f"the server runs PostgreSQL {server_version // 10_000}; {OLDEST_MAJOR} or newer is needed. "
            f"Upgrade it, or unset {APP_URL} to use the server that comes with Engineroom"
        )
