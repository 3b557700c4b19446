"""The database server: our own launcher for the PostgreSQL that comes in a wheel, or DATABASE_URL's.

Owns the folders <home>/pg and <home>/run, the server's processes, the three roles and the choice of
connection. It knows nothing of Django: settings ask it for connections, commands run inside its `session`.
"""

from engineroom.foundation.postgres.account import HomeUnusable
from engineroom.foundation.postgres.binaries import BinariesUnusable
from engineroom.foundation.postgres.connection import (
    DatabaseUrlInvalid,
    ServerTooOld,
    connection_settings,
    is_external,
    require_supported_server,
)
from engineroom.foundation.postgres.launcher import (
    DataVersionMismatch,
    Server,
    ServerNotStarted,
    ServerNotStopped,
    SocketDirectoryRefused,
    session,
    start,
    status,
    stop,
)
from engineroom.foundation.postgres.paths import Home, data_home, home, home_at
from engineroom.foundation.postgres.recreate import recreate_database
from engineroom.foundation.postgres.roles import (
    APP,
    DATABASE,
    GUARD,
    OWNER,
    administrator_script,
    ensure_roles_and_database,
)

__all__ = [
    "APP",
    "DATABASE",
    "GUARD",
    "OWNER",
    "BinariesUnusable",
    "DataVersionMismatch",
    "DatabaseUrlInvalid",
    "Home",
    "HomeUnusable",
    "Server",
    "ServerNotStarted",
    "ServerNotStopped",
    "ServerTooOld",
    "SocketDirectoryRefused",
    "administrator_script",
    "connection_settings",
    "data_home",
    "ensure_roles_and_database",
    "home",
    "home_at",
    "is_external",
    "recreate_database",
    "require_supported_server",
    "session",
    "start",
    "status",
    "stop",
]
