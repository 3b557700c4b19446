"""Start and stop the embedded PostgreSQL server, whatever state the last one left behind.

`start` is idempotent and holds the home's lock, so two at once become one start. A server is recognised by
its process (program, owner, data folder), never by the number in a file alone. `session` is how commands use
it: the last one out turns off the light, unless somebody asked to keep it on.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
from psycopg.conninfo import make_conninfo

from engineroom.foundation.postgres import configuration, locks
from engineroom.foundation.postgres.account import (
    Account,
    HomeUnusable,
    account_for,
    blocked_folder,
    clean_environment,
    owner_of_data,
)
from engineroom.foundation.postgres.binaries import Binaries, usable_by
from engineroom.foundation.postgres.connection import is_external
from engineroom.foundation.postgres.paths import PORT, SOCKET_PATH_LIMIT_BYTES, SYSTEM_HOME, Home, data_home
from engineroom.foundation.postgres.processes import (
    PidFile,
    Progress,
    alive,
    outlive_orphans,
    server_of,
    wait_until,
)
from engineroom.foundation.postgres.roles import DATABASE, SUPERUSER, ensure_roles_and_database, is_complete
from engineroom.kernel.errors import EngineroomError

START_TIMEOUT_S = 600.0  # crash recovery replays at most max_wal_size; minutes on a slow disk, never ten
STOP_TIMEOUT_S = 600.0  # a fast shutdown writes out every changed page first
SAY_EVERY_S = 1.0
POLL_S = 0.01
NO_SUCH_PID = 2**31 - 1  # above every system's highest


class ServerNotStarted(EngineroomError):
    """PostgreSQL did not come up; the message ends with what it said itself."""

    status = 503


class ServerNotStopped(EngineroomError):
    status = 503


class DataVersionMismatch(EngineroomError):
    """The data were made by another major version of PostgreSQL than the one that comes with this release."""

    status = 503


class SocketDirectoryRefused(EngineroomError):
    """The folder of the server's socket is not ours alone, so whoever answers there may not be our server."""

    status = 503


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: where it lives and how to reach it."""

    home: Home
    pid: int

    def conninfo(self, user: str = SUPERUSER, dbname: str = "postgres") -> str:
        return make_conninfo(host=str(self.home.socket_directory), port=PORT, user=user, dbname=dbname)


def silent(message: str) -> None:
    """The progress callback of those who do not care."""


def start(
    home: Home | None = None,
    *,
    keep: bool = False,
    progress: Progress = silent,
    extra_settings: Mapping[str, str] | None = None,
    timeout_s: float = START_TIMEOUT_S,
) -> Server:
    """Return a server that accepts connections; make the cluster, recover it or start it as needed.

    keep: let it run on after the last session. extra_settings: for the test-suite; they bind a server that
    this call starts, and only it.
    """
    home = home or data_home()
    account = account_for(home)
    _prepare_folders(home, account)
    with locks.exclusive(home.start_lock, progress):
        found = _running_server(home, progress)
        running = found or _launch(home, account, progress, dict(extra_settings or {}))
        _wait_until_ready(home, running, progress, timeout_s)
        server = Server(home, running.pid)
        # Whoever started the one we found may have been killed before it came to this.
        if not (found and is_complete(server.conninfo(dbname=DATABASE))):
            ensure_roles_and_database(server.conninfo(), DATABASE)
        if keep:
            home.keep.touch()
        return server


def stop(home: Home | None = None, *, progress: Progress = silent, timeout_s: float = STOP_TIMEOUT_S) -> bool:
    """Stop the server, whoever uses it, and forget any wish to keep it. False when none was running."""
    home = home or data_home()
    owner_of_data(home)  # refuses, with a remedy, what belongs to somebody else
    if not home.run.exists():
        return False
    with locks.exclusive(home.start_lock, progress):
        home.keep.unlink(missing_ok=True)
        return _stop(home, progress, timeout_s)


def status(home: Home | None = None) -> Server | None:
    """The running server, ready or still recovering; None when there is none."""
    home = home or data_home()
    owner_of_data(home)
    running = server_of(home.data)
    return Server(home, running.pid) if running else None


@contextlib.contextmanager
def session(
    home: Home | None = None,
    *,
    progress: Progress = silent,
    extra_settings: Mapping[str, str] | None = None,
) -> Iterator[Server | None]:
    """A server for as long as the block runs. The last session to leave stops it, unless it is to be kept.

    None, and nothing is started, when DATABASE_URL points elsewhere.
    """
    if home is None and is_external():
        yield None
        return
    home = home or data_home()
    _prepare_folders(home, account_for(home))
    with locks.opened(home.clients_lock) as clients:
        locks.share(clients)
        try:
            yield start(home, progress=progress, extra_settings=extra_settings)
        finally:
            # Whoever comes now waits for the shared lock until we have stopped, then starts afresh.
            if locks.try_exclusive(clients):
                with locks.exclusive(home.start_lock, progress):
                    if not home.keep.exists():
                        _stop(home, progress, STOP_TIMEOUT_S)


# --- folders ------------------------------------------------------------------------------------------------


def _prepare_folders(home: Home, account: Account) -> None:
    if sys.platform == "win32":
        raise HomeUnusable("the embedded database does not run on Windows. Use WSL, or set DATABASE_URL")
    try:
        _make_folders(home, account)
    except PermissionError as error:
        raise HomeUnusable(
            f"{error.filename} cannot be written by this user. Set ENGINEROOM_HOME to a folder of your own"
        ) from error
    except OSError as error:
        raise HomeUnusable(
            f"{home.path} cannot be used: {error.strerror}. Set ENGINEROOM_HOME to another"
        ) from error
    if not account.is_me and (blocked := blocked_folder(home.pg, account)):
        raise HomeUnusable(
            f"{blocked} cannot be entered by the account {account.name}, as which PostgreSQL runs because it "
            f"refuses root. Set ENGINEROOM_HOME to a folder that others may enter, such as {SYSTEM_HOME}, "
            "or run this as an ordinary user"
        )
    _prepare_socket_directory(home, account)


def _make_folders(home: Home, account: Account) -> None:
    """As root the account must pass through the home to its own folders: it may enter, not list."""
    passing = 0o700 if account.is_me else 0o711
    home.path.mkdir(mode=passing, parents=True, exist_ok=True)
    for folder in (home.path, home.pg, home.run):
        folder.mkdir(mode=passing, exist_ok=True)
        mode = folder.stat().st_mode & 0o777
        if folder.stat().st_uid == os.geteuid() and mode | passing != mode:
            folder.chmod(mode | passing)
    _make_own(home.log, account)


def _make_own(folder: Path, account: Account) -> None:
    """A folder for the account alone."""
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        account.own(folder)


def _prepare_socket_directory(home: Home, account: Account) -> None:
    folder = home.socket_directory
    _make_own(folder, account)
    found = folder.lstat()
    if folder.is_symlink() or not folder.is_dir() or found.st_uid != account.uid or found.st_mode & 0o077:
        raise SocketDirectoryRefused(
            f"{folder} should be a folder of {account.name or account.uid} with mode 0700, but is not: "
            "somebody else may listen there. Find out who made it, and remove it"
        )
    if len(os.fsencode(folder / f".s.PGSQL.{PORT}")) >= SOCKET_PATH_LIMIT_BYTES:
        raise SocketDirectoryRefused(
            f"{folder} is too long for a socket. Set ENGINEROOM_HOME to a shorter path"
        )


# --- starting -----------------------------------------------------------------------------------------------


def _running_server(home: Home, progress: Progress) -> psutil.Process | None:
    """One on its way out (whoever asked it to stop was killed meanwhile) is waited for and counts as gone."""
    running = server_of(home.data)
    if running is None:
        return None
    pid_file = PidFile.read(home.data)
    if pid_file and pid_file.state != "stopping":  # it removes the file just before it ends
        return running
    _wait_until_gone(running, home, progress, STOP_TIMEOUT_S)
    return None


def _launch(
    home: Home, account: Account, progress: Progress, extra_settings: dict[str, str]
) -> psutil.Process:
    binaries = usable_by(account, home)
    if not home.data.exists():
        progress("creating the database cluster")
        _initdb(home, account, binaries)
    _check_data(home, account, binaries)
    _clear_remains(home, account, progress)
    configuration.write(home, account)
    return _spawn(home, account, binaries, extra_settings)


def _initdb(home: Home, account: Account, binaries: Binaries) -> None:
    """Under another name first: an initdb that is interrupted leaves nothing that looks like data."""
    fresh = home.pg / "data.new"
    shutil.rmtree(fresh, ignore_errors=True)
    _make_own(fresh, account)
    encoding = ["--encoding=UTF8", "--locale-provider=libc", "--locale=C"]
    trusted = ["--auth=trust", "--no-instructions"]  # only until start: our own pg_hba.conf replaces it
    result = account.run(
        [binaries.program("initdb"), "-D", fresh, "-U", SUPERUSER, "--data-checksums", *encoding, *trusted]
    )
    if result.returncode:
        said = "\n".join((result.stdout + result.stderr).strip().splitlines()[-10:])
        raise ServerNotStarted(
            f"the database cluster could not be created in {home.pg}. "
            f"Mend what initdb names, then start again:\n{said}"
        )
    fresh.rename(home.data)


def _check_data(home: Home, account: Account, binaries: Binaries) -> None:
    try:
        made_by = (home.data / "PG_VERSION").read_text().strip()
    except FileNotFoundError:
        raise ServerNotStarted(
            f"{home.data} is not a PostgreSQL data folder (it has no PG_VERSION). "
            "Move it away, or restore it from a backup"
        ) from None
    runs = (binaries.version(account) or "").split(".")[0]
    if made_by != runs:
        raise DataVersionMismatch(
            f"the data in {home.data} were made by PostgreSQL {made_by}; this release runs {runs}. "
            "Nothing was changed. Move them as docs/administration.md says under 'Another major version', "
            "or go back to the release of Engineroom that made them"
        )


def _clear_remains(home: Home, account: Account, progress: Progress) -> None:
    """After a kill no server lives (the caller looked), but its backends may, and its files say it does."""
    if (home.data / "postmaster.pid").exists():
        if left := outlive_orphans(home.data, progress):
            pids = ", ".join(str(p.pid) for p in left)
            raise ServerNotStarted(
                f"processes of the previous database server do not end: {pids}. End them, then start again"
            )
        _disown_pid_file(home, account)
    for remains in home.socket_directory.glob(f".s.PGSQL.{PORT}*"):
        remains.unlink(missing_ok=True)


def _disown_pid_file(home: Home, account: Account) -> None:
    """Replace the dead pid, which the system may have given to another program, by one nobody can have.

    The file stays: by its other lines the server checks once more that nobody holds the shared memory.
    """
    path = home.data / "postmaster.pid"
    _, _, rest = path.read_text(errors="replace").partition("\n")
    fresh = path.with_name("postmaster.pid.new")
    fresh.unlink(missing_ok=True)
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "w") as file:
        file.write(f"{NO_SUCH_PID}\n{rest}")
    account.own(fresh)
    fresh.replace(path)


def _spawn(
    home: Home, account: Account, binaries: Binaries, extra_settings: dict[str, str]
) -> psutil.Process:
    """Start the server as nobody's child: it outlives us, gets no Ctrl-C of ours and leaves us no zombie."""
    settings = configuration.command_line(home, extra_settings)
    server: list[str | Path] = [binaries.program("postgres"), "-D", home.data, *settings]
    detach = '"$@" </dev/null >&2 & echo $!'
    with home.start_log.open("w") as log:
        result = subprocess.run(
            ["/bin/sh", "-c", detach, "sh", *server],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            check=True,
            cwd="/",
            env=clean_environment(),
            umask=0o077,
            start_new_session=True,
            **account.popen_identity(),
        )
    try:
        return psutil.Process(int(result.stdout))
    except psutil.NoSuchProcess:
        raise _start_failure(home) from None


def _wait_until_ready(home: Home, running: psutil.Process, progress: Progress, timeout_s: float) -> None:
    """As long as recovery needs. The server writes `ready` into its pid file once it takes connections."""
    began = time.monotonic()
    say_at = began + SAY_EVERY_S
    while True:
        pid_file = PidFile.read(home.data)
        if pid_file and pid_file.pid == running.pid and pid_file.state == "ready":
            return
        if not alive(running):
            raise _start_failure(home)
        now = time.monotonic()
        if now - began > timeout_s:
            raise ServerNotStarted(
                f"the database server has not finished its recovery after {timeout_s:.0f} s. "
                f"It goes on by itself: try again later.\n{_last_words(home)}"
            )
        if now > say_at:
            progress(f"the database server is starting up or recovering ({now - began:.0f} s)")
            say_at = now + SAY_EVERY_S
        time.sleep(POLL_S)


def _start_failure(home: Home) -> ServerNotStarted:
    return ServerNotStarted(
        f"the database server did not start. The data in {home.data} are as they were. "
        f"Mend what it says here, then start again:\n{_last_words(home)}"
    )


def _last_words(home: Home, lines: int = 12) -> str:
    logs = sorted(home.log.glob("*.log"), key=lambda p: p.stat().st_mtime)[-1:]
    said: list[str] = []
    for path in [*logs, home.start_log]:
        with contextlib.suppress(OSError), path.open(errors="replace") as file:
            said += deque((line.rstrip() for line in file), maxlen=lines)
    return "\n".join(f"  {line}" for line in said[-lines:])


# --- stopping -----------------------------------------------------------------------------------------------


def _stop(home: Home, progress: Progress, timeout_s: float) -> bool:
    running = server_of(home.data)
    if running is None:
        return False
    try:
        running.send_signal(signal.SIGINT)  # "fast": open transactions roll back, changes are written out
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        raise ServerNotStopped(
            f"the database server (pid {running.pid}) belongs to another user: stop it as that user"
        ) from None
    _wait_until_gone(running, home, progress, timeout_s)
    return True


def _wait_until_gone(running: psutil.Process, home: Home, progress: Progress, timeout_s: float) -> None:
    if wait_until(lambda: not alive(running), SAY_EVERY_S):
        return
    progress("the database server is writing out its changes before it stops")
    if not wait_until(lambda: not alive(running), timeout_s):
        raise ServerNotStopped(
            f"the database server (pid {running.pid}) is still stopping after {timeout_s:.0f} s. "
            f"Wait for it; {home.log} says what it does"
        )
