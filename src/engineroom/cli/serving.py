"""`engineroom serve`: pages, API and jobs on this computer until stopped. `engineroom users invite`."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from engineroom.cli.firm import users
from engineroom.cli.ground import client_named, ground, identity, on_the_ground, seal_everything
from engineroom.kernel.errors import EngineroomError

WORKERS = 2
"""Processes, each with `settings.THREADS` threads: 372 requests a second on two cores (measured)."""

STOPPING_S = 10
"""What requests and the job at hand get to finish. A job cut off is idempotent and found again."""

APPLICATION = "engineroom.web.wsgi:application"


class PortTaken(EngineroomError):
    """Something listens there already; often an earlier `engineroom serve`."""

    status = 409


class NotInstalled(EngineroomError):
    """There is no firm in this database, so nobody could sign in."""

    status = 409


class TablesOfAnotherVersion(EngineroomError):
    """Engineroom is newer than the tables it would serve from: pages would break one by one."""

    status = 409


def serve(host: str, port: int, workers: int = WORKERS, *, access_log: bool = False) -> None:
    """Serve until SIGTERM or SIGINT. On the ground: the database runs and stays until we are done.

    Two children, the server of pages and the worker of jobs, each in a process begun anew: settings are read
    once, and theirs differ from ours.
    """
    require_free(host, port)
    _require_installed()
    require_tables_of_this_version()
    collect_static()
    from django.db import connections

    connections.close_all()
    where = {"ENGINEROOM_URL": base_url(host, port)}
    options = {"host": host, "port": port, "workers": workers, "access_log": access_log}
    children = [
        Child("pages", f"serve_pages(**{options!r})", {"ENGINEROOM_SERVING": "1", **where}),
        Child("jobs", "work_while_served()", where),
    ]
    _keep(children)


def require_tables_of_this_version() -> None:
    """Raises TablesOfAnotherVersion where a migration has not run."""
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    migrations = MigrationExecutor(connection)
    waiting = migrations.migration_plan(migrations.loader.graph.leaf_nodes())
    if waiting:
        first = waiting[0][0]
        raise TablesOfAnotherVersion(
            f"the tables are of an older version ({first.app_label} {first.name} has not run): stop what "
            "serves from them, make a copy of the data, then run `engineroom db migrate`"
        )


def base_url(host: str, port: int) -> str:
    """What links in mails begin with: ENGINEROOM_URL if it is set, else what is served there.

    An address that means every network card is none to follow: then the first name of ENGINEROOM_HOSTS.
    """
    if said := os.environ.get("ENGINEROOM_URL"):
        return said
    named = next(filter(None, os.environ.get("ENGINEROOM_HOSTS", "").split(",")), "")
    if os.environ.get("ENGINEROOM_TLS") == "1" and named:
        return f"https://{named}"  # through the proxy
    if host in ("0.0.0.0", "::"):
        host = named or "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def require_free(host: str, port: int) -> None:
    """Raises PortTaken, with what to type instead."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise PortTaken(
                f"{host}:{port} cannot be used: {why}. Stop what listens there, or choose another port: "
                f"engineroom serve --port {port + 1}"
            ) from None


def free_port(host: str, first: int, tries: int = 20) -> int:
    """The first port from `first` on that nothing listens on."""
    for port in range(first, first + tries):
        try:
            require_free(host, port)
        except PortTaken:
            continue
        return port
    raise PortTaken(f"none of the ports {first} to {first + tries - 1} of {host} is free")


def _require_installed() -> None:
    from engineroom.foundation.access.selectors import installation

    if installation() is None:
        raise NotInstalled("there is no firm here yet; make one with engineroom init, or see engineroom demo")


def collect_static() -> None:
    """Style sheets and scripts, hashed and compressed, into HOME/static; only when they are not there yet.

    In a process of its own: settings choose the storage when they are read, and here they were read before.
    """
    from django.conf import settings
    from django.contrib.staticfiles.finders import get_finders

    root = Path(settings.HOME) / "static"
    known = hashlib.sha256()
    for finder in get_finders():
        for path, storage in sorted(finder.list([]), key=lambda found: found[0]):
            known.update(path.encode())
            known.update(storage.open(path).read())
    stamp = root / ".collected"
    if stamp.exists() and stamp.read_text() == known.hexdigest():
        return
    root.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [sys.executable, "-m", "django", "collectstatic", "--noinput", "--verbosity", "0"],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "engineroom.settings", "ENGINEROOM_SERVING": "1"},
        check=True,
    )
    stamp.write_text(known.hexdigest())


# --- the children -------------------------------------------------------------------------------------

RESTART_AFTER_S = 2.0


@dataclass
class Child:
    """A process of ours: what it runs, and what its environment adds to ours."""

    name: str
    call: str
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        # A session of its own: Ctrl-C at the terminal is for the parent, which stops us in its turn. Its end
        # of the pipe closes whatever ends it, kill -9 included, and that ends us too.
        self.process = subprocess.Popen(
            [sys.executable, "-c", f"from engineroom.cli import serving; serving.{self.call}"],
            stdin=subprocess.PIPE,
            env={**os.environ, **self.environment},
            start_new_session=True,
        )

    @property
    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None


def _keep(children: Sequence[Child]) -> None:
    """Start the children, start anew the one that dies, stop all when we are told to stop."""
    told = threading.Event()
    before = {n: signal.signal(n, lambda *_: told.set()) for n in (signal.SIGTERM, signal.SIGINT)}
    try:
        while not told.is_set():
            for child in children:
                if child.runs:
                    continue
                if child.process is not None:
                    typer.secho(f"the process for {child.name} ended; starting it again", err=True, fg="red")
                    if told.wait(RESTART_AFTER_S):
                        break
                child.start()
            told.wait(0.5)
    finally:
        _stop(children)
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(children: Sequence[Child]) -> None:
    running = [c.process for c in children if c.process is not None and c.runs]
    for process in running:
        process.terminate()
    until = time.monotonic() + STOPPING_S + 2
    for process in running:
        try:
            process.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def serve_pages(host: str, port: int, workers: int, access_log: bool) -> None:
    """In a child: granian, whose master starts anew a process that dies."""
    _end_with_the_parent()
    os.environ["DJANGO_SETTINGS_MODULE"] = "engineroom.settings"
    from django.conf import settings
    from granian import Granian
    from granian.constants import Interfaces
    from granian.log import LogLevels

    Granian(
        APPLICATION,
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=settings.THREADS,
        backlog=1024,
        respawn_failed_workers=True,
        workers_kill_timeout=STOPPING_S,
        log_access=access_log,
        log_level=LogLevels.info if access_log else LogLevels.warning,
    ).serve()


def work_while_served() -> None:
    """In a child: background jobs, and sealing."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # until the worker has its own
    _end_with_the_parent()
    with ground():
        from engineroom.foundation.jobs.worker import run_worker

        run_worker()


def _end_with_the_parent() -> None:
    threading.Thread(target=_watch_the_pipe, daemon=True).start()


def _watch_the_pipe() -> None:
    os.read(0, 1)  # nothing is ever written: it returns when the other end is closed
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(STOPPING_S + 2)
    os._exit(1)


# --- invitations --------------------------------------------------------------------------------------


@users.command("invite")
@on_the_ground
def invite(email: Annotated[str, typer.Argument()]) -> None:
    """Mail and print a link with which the user sets a password. It works once, within a week."""
    from engineroom.foundation.access.selectors import user_by_email
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.kernel.errors import NotFound
    from engineroom.web import invitations

    user = identity()
    with acting(user, write=client_named(user, "HOUSE").id):
        found = user_by_email(email)
        if found is None:
            raise NotFound(f"there is no user {email}")
        link, not_mailed = invitations.invite(found.id)
    typer.echo(link)
    if not_mailed:
        typer.echo(f"It could not be mailed ({not_mailed}); hand it over yourself.", err=True)
    seal_everything()
