"""The three files that configure the embedded server, written at every start so that they fit the release.

They lie beside the data, not in it: the data belong to the server's account, and root does not write through
folders that another account controls.
"""

from __future__ import annotations

import pwd
from pathlib import Path

from engineroom.foundation.postgres.account import ACCOUNT_NAME, Account
from engineroom.foundation.postgres.paths import PORT, Home

# For a small machine (2 cores, a few GiB free to us); an administrator's local.conf has the last word.
SETTINGS = {
    "shared_buffers": "256MB",
    "effective_cache_size": "4GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_connections": "100",
    "random_page_cost": "1.1",  # solid state disks
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_compression": "on",
    "checkpoint_timeout": "15min",
    "max_wal_size": "2GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "logging_collector": "on",
    "log_filename": "postgresql-%a.log",  # a file per weekday, emptied when its day comes round again
    "log_truncate_on_rotation": "on",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    # Statements and keys carry pay and bank data: a log line names the error, never the row.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}

CONF = """\
# Written by Engineroom at every start. Your own settings go into local.conf beside this file, read last.
include = 'data/postgresql.conf'
"""

# The socket's folder is closed to everybody else, so this is the second lock: the system says who is calling
# ("peer"), and only these accounts may be any database role. The roles still bind: a connection names one.
HBA = "local all all peer map=engineroom\nlocal replication all peer map=engineroom\n"


def write(home: Home, account: Account) -> None:
    ours = "".join(f"{name} = '{value}'\n" for name, value in SETTINGS.items())
    theirs = "include = 'local.conf'\n" if (home.pg / "local.conf").exists() else ""
    _write(home.pg / "postgresql.conf", CONF + ours + theirs, account)
    _write(home.pg / "pg_hba.conf", HBA, account)
    mapped = "".join(f'engineroom "{name}" all\n' for name in trusted_names(account))
    _write(home.pg / "pg_ident.conf", mapped, account)


def trusted_names(account: Account) -> list[str]:
    """root, and the server's account; but not `nobody` where root lends it: other programs use it too."""
    shared = not account.is_me and account.name != ACCOUNT_NAME and account.uid == _nobody_uid()
    return sorted({"root"} | ({account.name} if account.name and not shared else set()))


def command_line(home: Home, extra_settings: dict[str, str]) -> list[str]:
    """What no file may change: where the server listens and whom it lets in; and a caller's own settings."""
    fixed = {
        "config_file": str(home.pg / "postgresql.conf"),
        "hba_file": str(home.pg / "pg_hba.conf"),
        "ident_file": str(home.pg / "pg_ident.conf"),
        "listen_addresses": "",
        "port": PORT,
        "unix_socket_directories": '"{}"'.format(str(home.socket_directory).replace('"', '""')),
        "unix_socket_permissions": "0700",
        "log_directory": str(home.log),
    }
    return [part for name, value in (extra_settings | fixed).items() for part in ("-c", f"{name}={value}")]


def _write(path: Path, text: str, account: Account) -> None:
    if path.exists() and path.read_text() == text:
        return
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_text(text)
    fresh.chmod(0o640)
    account.own(fresh)
    fresh.replace(path)


def _nobody_uid() -> int:
    try:
        return pwd.getpwnam("nobody").pw_uid
    except KeyError:
        return -1
