"""Where an installation keeps what it owns: one folder, the home, moved, backed up and deleted as a whole.

<home>/pg/data      the PostgreSQL cluster, readable by the server's account alone
<home>/pg/log       its log, one file per weekday, so at most a week of it
<home>/run          locks, the `keep` marker, and run/socket, through which alone the server is reached
<home>/keys, vault  belong to other modules
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

PORT = "5432"  # names the socket file only: every home has its own socket directory, so no two can meet
SOCKET_PATH_LIMIT_BYTES = 100  # the system's limit is 104 (macOS) or 108 (Linux), with the closing zero
SYSTEM_HOME = Path("/var/lib/engineroom")


@dataclass(frozen=True, slots=True)
class Home:
    """The paths below one home. Knows names only: it creates nothing."""

    path: Path

    @property
    def pg(self) -> Path:
        return self.path / "pg"

    @property
    def data(self) -> Path:
        return self.pg / "data"

    @property
    def log(self) -> Path:
        return self.pg / "log"

    @property
    def start_log(self) -> Path:
        """What the server says before its own log is open; from the latest start only."""
        return self.pg / "start.log"

    @property
    def run(self) -> Path:
        return self.path / "run"

    @property
    def start_lock(self) -> Path:
        return self.run / "start.lock"

    @property
    def clients_lock(self) -> Path:
        return self.run / "clients.lock"

    @property
    def keep(self) -> Path:
        """While this file exists the server outlives the command that started it."""
        return self.run / "keep"

    @property
    def socket_directory(self) -> Path:
        """<home>/run/socket, or a folder of ours in /tmp when that is too long for a socket's name.

        Not XDG_RUNTIME_DIR: it differs between a login, cron and a service of the same user, and it
        vanishes with the last login, under a server still running. The name depends on the home alone, so
        that root and the home's owner compute the same one.
        """
        inside = self.run / "socket"
        if len(os.fsencode(inside / f".s.PGSQL.{PORT}")) < SOCKET_PATH_LIMIT_BYTES:
            return inside
        owner_uid = self.path.stat().st_uid if self.path.exists() else os.geteuid()
        digest = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:12]
        return Path("/tmp") / f"engineroom-{owner_uid}-{digest}"


def data_home(environ: Mapping[str, str] | None = None) -> Home:
    """ENGINEROOM_HOME; else, as root, /var/lib/engineroom; else the user's own data folder."""
    environ = os.environ if environ is None else environ
    if chosen := environ.get("ENGINEROOM_HOME"):
        return home_at(chosen)
    return home_at(SYSTEM_HOME if os.geteuid() == 0 else platformdirs.user_data_dir("engineroom", False))


def home(environ: Mapping[str, str] | None = None) -> Path:
    """The folder itself, for those who keep other things in it."""
    return data_home(environ).path


def home_at(path: str | os.PathLike[str]) -> Home:
    """Resolved, so that one folder reached by two names is one home with one set of locks."""
    return Home(Path(path).expanduser().resolve())
