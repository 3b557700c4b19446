"""Who the server runs as. PostgreSQL refuses root, so root lends it an account that owns nothing else."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engineroom.foundation.postgres.paths import Home
from engineroom.kernel.errors import EngineroomError

ACCOUNT_NAME = "engineroom"


class HomeUnusable(EngineroomError):
    """The home cannot hold a database as it is: who owns it, or who may enter it, is wrong."""

    status = 503


@dataclass(frozen=True, slots=True)
class Account:
    """The account of the server's processes. `name` is None where the uid has no entry (some containers)."""

    uid: int
    gid: int
    name: str | None

    @property
    def is_me(self) -> bool:
        return self.uid == os.geteuid()

    def popen_identity(self) -> dict[str, Any]:
        """Arguments for subprocess that shed every right of ours; nothing to shed when it is us."""
        return {} if self.is_me else {"user": self.uid, "group": self.gid, "extra_groups": []}

    def run(self, argv: Sequence[str | os.PathLike[str]]) -> subprocess.CompletedProcess[str]:
        """Run a program as this account; its output is captured, its status left to the caller."""
        done: subprocess.CompletedProcess[str] = subprocess.run(
            list(argv),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            cwd="/",  # ours may be a folder that the account cannot enter
            env=clean_environment(),
            umask=0o077,
            **self.popen_identity(),
        )
        return done

    def own(self, path: Path) -> None:
        if not self.is_me:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def clean_environment() -> dict[str, str]:
    """Nothing of the caller's: a stray PGDATA, PGOPTIONS or locale would change what the server does."""
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def myself() -> Account:
    return _account(os.geteuid())


def account_for(home: Home) -> Account:
    """The owner of the data when there are data; else us, or as root an account made or found for it."""
    return owner_of_data(home) or (_unprivileged() if os.geteuid() == 0 else myself())


def owner_of_data(home: Home) -> Account | None:
    """None when there are no data yet. Refuses data that we, or PostgreSQL, could not work with."""
    try:
        owner = home.data.stat().st_uid
    except FileNotFoundError:
        return None
    except PermissionError:
        raise HomeUnusable(
            f"{home.path} belongs to another user. Run this as that user, "
            "or set ENGINEROOM_HOME to a folder of your own"
        ) from None
    if owner == 0:
        raise HomeUnusable(
            f"{home.data} belongs to root, and PostgreSQL does not run as root. "
            f"Give it to the account that shall run the server: chown -R {ACCOUNT_NAME} '{home.data}'"
        )
    if os.geteuid() not in (0, owner):
        name = _account(owner).name or f"uid {owner}"
        raise HomeUnusable(
            f"{home.data} belongs to {name}. Run this as {name}, "
            "or set ENGINEROOM_HOME to a folder of your own"
        )
    return _account(owner)


def blocked_folder(path: Path, account: Account) -> Path | None:
    """The first folder on the way that the account may not enter. The system is asked, so ACLs count."""
    first_closed = 'for d do test -x "$d" || { printf %s "$d"; exit 1; }; done'
    found = account.run(["/bin/sh", "-c", first_closed, "sh", *reversed(path.parents), path])
    return Path(found.stdout) if found.returncode else None


def _unprivileged() -> Account:
    try:
        return _from_entry(pwd.getpwnam(ACCOUNT_NAME))
    except KeyError:
        _create_account()
    for name in (ACCOUNT_NAME, "nobody"):
        try:
            return _from_entry(pwd.getpwnam(name))
        except KeyError:
            continue
    raise HomeUnusable(
        f"PostgreSQL does not run as root, and there is no account to lend it. "
        f"Create one: useradd --system --no-create-home {ACCOUNT_NAME}"
    )


def _create_account() -> None:
    """A failure is not final: another process may have been first, and `nobody` will do."""
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin")
    if sys.platform == "linux" and useradd:
        command = [useradd, "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", ACCOUNT_NAME]
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)


def _from_entry(entry: pwd.struct_passwd) -> Account:
    if entry.pw_uid == 0:
        raise HomeUnusable(
            f"the account {entry.pw_name} is root under another name, which PostgreSQL refuses"
        )
    return Account(entry.pw_uid, entry.pw_gid, entry.pw_name)


def _account(uid: int) -> Account:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return Account(uid, os.getegid() if uid == os.geteuid() else uid, None)
    return Account(uid, entry.pw_gid, entry.pw_name)
