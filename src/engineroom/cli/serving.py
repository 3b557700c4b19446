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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
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


def serve(host: str, port: int, workers: int = WORKERS, *, access_log: bool = False) -> None:
    """Serve until SIGTERM or SIGINT. On the ground: the database runs and stays until we are done."""
    require_free(host, port)
    _require_installed()
    os.environ["ENGINEROOM_SERVING"] = "1"
    collect_static()
    from django.db import connections

    connections.close_all()  # the processes open their own
    with _jobs_worker():
        _run_server(host, port, workers, access_log)


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
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "engineroom.settings"},
        check=True,
    )
    stamp.write_text(known.hexdigest())


def _run_server(host: str, port: int, workers: int, access_log: bool) -> None:
    """granian: its master restarts a process that dies, and stops all of them on SIGTERM or SIGINT."""
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
        log_level=LogLevels.warning,
    ).serve()


# --- the worker beside it -----------------------------------------------------------------------------

WORKER = "from engineroom.cli.serving import work_while_served; work_while_served()"
RESTART_AFTER_S = 2.0


@contextmanager
def _jobs_worker() -> Iterator[None]:
    """One worker process, which also seals; started again if it dies, stopped with us, whatever ends us."""
    stopping = threading.Event()
    keeper = threading.Thread(target=_keep_working, args=(stopping,), name="jobs", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        stopping.set()
        keeper.join(2 * STOPPING_S)


def _keep_working(stopping: threading.Event) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "ENGINEROOM_SERVING"}  # it needs no pool
    while not stopping.is_set():
        # A session of its own: Ctrl-C at the terminal is for us, and we stop it in our turn.
        worker = subprocess.Popen(
            [sys.executable, "-c", WORKER], stdin=subprocess.PIPE, env=environment, start_new_session=True
        )
        while worker.poll() is None and not stopping.is_set():
            stopping.wait(0.2)
        if worker.poll() is None:
            _stop(worker)
        elif not stopping.wait(RESTART_AFTER_S):
            typer.secho("the jobs' worker stopped; starting it again", err=True, fg="red")


def _stop(worker: subprocess.Popen[bytes]) -> None:
    worker.terminate()
    try:
        worker.wait(STOPPING_S)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()


def work_while_served() -> None:
    """In the worker's process: work until told to stop, or until whoever serves is gone (its pipe closes)."""
    threading.Thread(target=_end_with_the_pipe, daemon=True).start()
    signal.signal(signal.SIGTERM, _leave)
    with ground():
        from engineroom.foundation.jobs.worker import run_worker

        run_worker()


def _leave(number: int, frame: FrameType | None) -> None:
    """Told to stop before the worker has its own handler."""
    sys.exit(0)


def _end_with_the_pipe() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(STOPPING_S)
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
        link = invitations.invite(found.id)
    typer.echo(link)
    seal_everything()
