"""The launcher against real servers, each in a home of its own below /tmp, ended by its own pid."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from engineroom.foundation import postgres
from engineroom.foundation.postgres import APP, DATABASE, GUARD, OWNER, Home, Server, launcher, roles
from engineroom.foundation.postgres import account as accounts
from engineroom.foundation.postgres import binaries as installations
from engineroom.foundation.postgres.processes import PidFile, alive

ADMINISTRATION = Path(__file__).parents[2] / "docs" / "administration.md"
NO_FSYNC = {"fsync": "off"}  # for tests that ask nothing about durability

needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="needs root: it is about lending the server an account"
)
fork = multiprocessing.get_context("fork")


def new_folder() -> Path:
    """A short path, so that the socket fits, that the server's account may enter."""
    folder = Path(tempfile.mkdtemp(prefix="er", dir="/tmp"))
    folder.chmod(0o755)
    return folder


@pytest.fixture
def make_home() -> Iterator[Callable[[], Home]]:
    """Homes that are stopped and removed afterwards, whatever was left running in them."""
    made: list[Path] = []

    def make() -> Home:
        made.append(new_folder())
        return postgres.home_at(made[-1] / "h")

    yield make
    for folder in made:
        for path in folder.iterdir():
            with contextlib.suppress(postgres.HomeUnusable):
                postgres.stop(postgres.home_at(path))
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def initialised() -> Iterator[Path]:
    """A home whose cluster has been made, stopped: to be copied, because making one takes a second."""
    folder = new_folder()
    with postgres.session(postgres.home_at(folder / "h"), extra_settings=NO_FSYNC):
        pass
    yield folder / "h"
    shutil.rmtree(folder)


@pytest.fixture
def home(make_home: Callable[[], Home], initialised: Path) -> Home:
    """Ready to start."""
    home = make_home()
    subprocess.run(["cp", "-a", str(initialised), str(home.path)], check=True)
    return home


@pytest.fixture
def cold_home(make_home: Callable[[], Home]) -> Home:
    """Nothing there yet."""
    return make_home()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Server]:
    """One server for the tests that only ask it things."""
    folder = new_folder()
    home = postgres.home_at(folder / "h")
    try:
        yield postgres.start(home, extra_settings=NO_FSYNC)
    finally:
        postgres.stop(home)
        shutil.rmtree(folder)


def connect(server: Server, user: str = roles.SUPERUSER, dbname: str = DATABASE) -> psycopg.Connection:
    return psycopg.connect(server.conninfo(user, dbname), autocommit=True)


def ask(server: Server, question: str) -> str:
    with connect(server) as connection:
        row = connection.execute(question).fetchone()
    assert row is not None
    return str(row[0])


def in_child(work: Callable[[], None]) -> multiprocessing.process.BaseProcess:
    child = fork.Process(target=work)
    child.start()
    return child


# --- starting and stopping ----------------------------------------------------------------------------------


def test_the_first_start_makes_a_cluster_and_the_second_only_starts_it(cold_home: Home) -> None:
    first = postgres.start(cold_home)
    settings = {
        "server_encoding": "UTF8",
        "lc_collate": "C",
        "data_checksums": "on",
        "fsync": "on",
        "synchronous_commit": "on",
        "listen_addresses": "",
        "TimeZone": "UTC",
    }
    for name, value in settings.items():
        question = "SELECT datcollate FROM pg_database WHERE datname = current_database()"
        assert ask(first, question if name == "lc_collate" else f"SHOW {name}") == value
    assert postgres.start(cold_home) == first
    assert postgres.stop(cold_home) is True
    assert postgres.stop(cold_home) is False
    assert postgres.status(cold_home) is None
    began = time.monotonic()
    assert postgres.start(cold_home).pid != first.pid
    assert time.monotonic() - began < 3


def test_the_socket_is_closed_to_every_other_account(home: Home) -> None:
    postgres.start(home, extra_settings=NO_FSYNC)
    assert home.socket_directory.stat().st_mode & 0o777 == 0o700
    assert home.data.stat().st_uid == home.socket_directory.stat().st_uid
    assert home.data.stat().st_mode & 0o777 == 0o700


@needs_root
def test_as_root_the_server_runs_as_an_account_without_rights(cluster: Server) -> None:
    uids = psutil.Process(cluster.pid).uids()
    assert uids.real == uids.effective == uids.saved != 0
    assert psutil.Process(cluster.pid).gids().effective != 0
    assert cluster.home.path.stat().st_uid == 0


def test_no_child_of_ours_is_left_to_become_a_zombie(cluster: Server) -> None:
    assert cluster.pid not in {child.pid for child in psutil.Process().children()}


def test_an_administrators_own_settings_have_the_last_word(home: Home) -> None:
    (home.pg / "local.conf").write_text("work_mem = '7MB'\n")
    (home.pg / "local.conf").chmod(0o644)
    assert ask(postgres.start(home, extra_settings=NO_FSYNC), "SHOW work_mem") == "7MB"


def test_a_server_that_does_not_come_up_says_why(home: Home) -> None:
    with pytest.raises(postgres.ServerNotStarted, match="no_such_setting"):
        postgres.start(home, extra_settings={"no_such_setting": "1"})
    assert postgres.start(home, extra_settings=NO_FSYNC)


def test_data_of_another_major_version_are_refused_and_left_alone(home: Home) -> None:
    postgres.start(home, extra_settings=NO_FSYNC)
    postgres.stop(home)
    (home.data / "PG_VERSION").write_text("15\n")
    with pytest.raises(postgres.DataVersionMismatch, match="made by PostgreSQL 15; this release runs 18"):
        postgres.start(home)
    assert "## Another major version" in ADMINISTRATION.read_text()
    (home.data / "PG_VERSION").write_text("18\n")


def test_an_interrupted_first_start_leaves_nothing_in_the_way(cold_home: Home) -> None:
    (cold_home.pg / "data.new" / "base").mkdir(parents=True)
    assert postgres.start(cold_home, extra_settings=NO_FSYNC)


# --- after a kill -------------------------------------------------------------------------------------------


def kill(server: Server) -> None:
    psutil.Process(server.pid).kill()


def test_after_kill_9_every_committed_row_is_there(home: Home) -> None:
    server = postgres.start(home)
    with connect(server) as first:
        first.execute("CREATE TABLE paid (n int PRIMARY KEY)")
        for n in range(300):
            first.execute("INSERT INTO paid VALUES (%s)", [n])
    with contextlib.closing(psycopg.connect(server.conninfo(dbname=DATABASE))) as unfinished:
        unfinished.execute("INSERT INTO paid SELECT generate_series(1000, 200000)")
        kill(server)
        again = postgres.start(home)
    assert again.pid != server.pid
    assert ask(again, "SELECT count(*) FROM paid") == "300"
    assert ask(again, "SELECT max(n) FROM paid") == "299"


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: only there can a process adopt orphans")
def test_a_zombie_is_not_taken_for_a_server(home: Home) -> None:
    """The wheel's own launcher takes one for a server where nobody reaps it, as in many a container."""

    def work() -> None:
        adopt_orphans = 36  # PR_SET_CHILD_SUBREAPER
        assert ctypes.CDLL(None).prctl(adopt_orphans, 1) == 0
        first = postgres.start(home, extra_settings=NO_FSYNC)
        kill(first)
        while psutil.Process(first.pid).status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
        assert postgres.status(home) is None
        assert ask(postgres.start(home, extra_settings=NO_FSYNC), "SELECT 1") == "1"
        assert psutil.Process(first.pid).status() == psutil.STATUS_ZOMBIE
        assert postgres.stop(home) is True, "its own zombie counts as stopped"

    child = in_child(work)
    child.join(20)
    assert child.exitcode == 0


def test_a_pid_that_now_belongs_to_another_program_does_not_stop_the_start(home: Home) -> None:
    server = postgres.start(home, extra_settings=NO_FSYNC)
    kill(server)
    owner = accounts.account_for(home)
    other = subprocess.Popen(["sleep", "60"], **owner.popen_identity())  # the same uid: kill(pid, 0) succeeds
    try:
        _claim_pid(home, other.pid)
        assert ask(postgres.start(home, extra_settings=NO_FSYNC), "SELECT 1") == "1"
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def _claim_pid(home: Home, pid: int) -> None:
    """As if the dead server's number had been given to another process, in both of its lock files."""
    for path in (home.data / "postmaster.pid", home.socket_directory / ".s.PGSQL.5432.lock"):
        path.write_text(re.sub(r"^\d+", str(pid), path.read_text()))


def test_another_clusters_server_is_not_taken_for_ours(
    make_home: Callable[[], Home], cluster: Server
) -> None:
    home = make_home()
    kill(postgres.start(home, extra_settings=NO_FSYNC))
    _claim_pid(home, cluster.pid)
    assert postgres.status(home) is None
    assert postgres.start(home, extra_settings=NO_FSYNC).pid != cluster.pid
    assert alive(psutil.Process(cluster.pid))


def test_a_busy_backend_of_a_dead_server_is_outlived_before_the_next_start(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engineroom.foundation.postgres.processes.ORPHAN_PATIENCE_S", 0.3)
    server = postgres.start(home, extra_settings=NO_FSYNC)

    def work() -> None:
        with contextlib.suppress(psycopg.Error), connect(server) as busy:
            busy.execute("DO $$ BEGIN LOOP PERFORM 1; END LOOP; END $$")  # never waits, so it never notices

    worker = in_child(work)
    deadline = time.monotonic() + 10
    while ask(server, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'DO %'") == "0":
        assert time.monotonic() < deadline
    kill(server)
    said: list[str] = []
    assert ask(postgres.start(home, progress=said.append), "SELECT 1") == "1"
    assert any("previous database server" in line for line in said)
    worker.join(10)
    assert worker.exitcode == 0


def test_a_server_on_its_way_out_is_waited_for(home: Home) -> None:
    server = postgres.start(home, extra_settings=NO_FSYNC)
    with contextlib.closing(psycopg.connect(server.conninfo())):
        psutil.Process(server.pid).send_signal(signal.SIGTERM)  # "smart": stays until the last client leaves
        deadline = time.monotonic() + 5
        while (pid_file := PidFile.read(home.data)) and pid_file.state != "stopping":
            assert time.monotonic() < deadline
        psutil.Process(server.pid).send_signal(signal.SIGINT)
        assert postgres.start(home, extra_settings=NO_FSYNC).pid != server.pid


# --- several at once ----------------------------------------------------------------------------------------


def test_two_starts_at_once_become_one_server(cold_home: Home) -> None:
    def work() -> None:
        server = postgres.start(cold_home, extra_settings=NO_FSYNC)
        Path(f"{cold_home.path}-{os.getpid()}").write_text(str(server.pid))

    children = [in_child(work) for _ in range(2)]
    answers = []
    for child in children:
        child.join(30)
        answer = Path(f"{cold_home.path}-{child.pid}")
        answers.append(int(answer.read_text()))
        answer.unlink()
    assert answers[0] == answers[1]
    assert alive(psutil.Process(answers[0]))


def test_the_last_session_out_stops_the_server_and_no_other(home: Home) -> None:
    entered, leave = fork.Event(), fork.Event()

    def work() -> None:
        with postgres.session(home, extra_settings=NO_FSYNC):
            entered.set()
            leave.wait(20)

    other = in_child(work)
    assert entered.wait(20)
    with postgres.session(home) as server:
        assert server is not None
    assert alive(psutil.Process(server.pid)), "the other session still uses it"
    leave.set()
    other.join(20)
    assert other.exitcode == 0
    assert postgres.status(home) is None


def test_a_server_that_is_to_be_kept_outlives_every_session(home: Home) -> None:
    kept = postgres.start(home, keep=True, extra_settings=NO_FSYNC)
    with postgres.session(home):
        pass
    assert postgres.status(home) == kept
    postgres.stop(home)
    with postgres.session(home, extra_settings=NO_FSYNC) as server:
        assert server is not None
    assert postgres.status(home) is None, "stop forgets the wish to keep it"


def test_a_session_that_fails_still_stops_the_server(home: Home) -> None:
    with pytest.raises(ZeroDivisionError), postgres.session(home, extra_settings=NO_FSYNC):
        _ = 1 // 0
    assert postgres.status(home) is None


def test_a_session_with_a_database_elsewhere_starts_nothing(
    cold_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENGINEROOM_HOME", str(cold_home.path))
    monkeypatch.setenv("DATABASE_URL", "postgresql://u@db/n")
    with postgres.session() as server:
        assert server is None
    assert not cold_home.path.exists()


# --- whose server it is -------------------------------------------------------------------------------------


def as_nobody(work: Callable[[], None], folder: Path) -> str:
    """Run it in a child that is the user `nobody`; returns what went wrong, or nothing."""
    nobody = pwd.getpwnam("nobody")

    def become() -> None:
        try:
            os.setgroups([])
            os.setgid(nobody.pw_gid)
            os.setuid(nobody.pw_uid)
            os.environ["HOME"] = "/nonexistent"
            work()
        except Exception as error:
            (folder / "error").write_text(f"{type(error).__name__}: {error}")

    folder.chmod(0o777)
    child = in_child(become)
    child.join(30)
    assert child.exitcode == 0
    error = folder / "error"
    return error.read_text() if error.exists() else ""


@needs_root
def test_a_second_user_has_a_server_of_his_own_at_the_same_time(
    cluster: Server, make_home: Callable[[], Home]
) -> None:
    nobody = accounts.Account(pwd.getpwnam("nobody").pw_uid, pwd.getpwnam("nobody").pw_gid, "nobody")
    if not installations.bundled().version(nobody):
        pytest.skip("the user nobody cannot read this checkout, so it could not have installed it")
    home = make_home()

    def work() -> None:
        server = postgres.start(home, extra_settings=NO_FSYNC)
        assert psutil.Process(server.pid).uids().real == nobody.uid
        assert ask(server, "SELECT 1") == "1"
        with pytest.raises(postgres.HomeUnusable, match="ENGINEROOM_HOME"):
            postgres.start(cluster.home)
        postgres.stop(home)

    assert as_nobody(work, home.path.parent) == ""
    assert ask(cluster, "SELECT 1") == "1"


@needs_root
def test_another_user_reaches_neither_the_socket_nor_through_it(home: Home) -> None:
    server = postgres.start(home, extra_settings=NO_FSYNC)

    def work() -> None:
        connect(server)

    outside = home.path.parent
    assert "Permission denied" in as_nobody(work, outside)
    home.socket_directory.chmod(0o755)  # even with the door open, the server asks the system who is there
    (home.socket_directory / ".s.PGSQL.5432").chmod(0o777)
    assert "Peer authentication failed" in as_nobody(work, outside)
    home.socket_directory.chmod(0o700)
    (outside / "error").unlink()


@needs_root
def test_programs_the_account_cannot_read_are_copied_to_where_it_can(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkout below /root: here, a copy of the installation behind a closed folder."""
    closed = home.path.parent / "root"
    closed.mkdir()
    original = installations.bundled()
    installations.copy_installation(original, closed / "site")
    hidden = installations.Binaries(closed / "site" / installations.PACKAGE / original.prefix.name)
    closed.chmod(0o700)
    monkeypatch.setattr(installations, "bundled", lambda: hidden)
    server = postgres.start(home, extra_settings=NO_FSYNC)
    program = Path(psutil.Process(server.pid).exe())
    assert program.is_relative_to(home.pg)
    assert closed.stat().st_mode & 0o777 == 0o700
    postgres.stop(home)
    made = program.stat().st_ctime_ns
    postgres.start(home, extra_settings=NO_FSYNC)
    assert program.stat().st_ctime_ns == made, "copied once"


@needs_root
def test_a_home_the_account_cannot_enter_is_refused_with_a_remedy(make_home: Callable[[], Home]) -> None:
    outside = make_home().path.parent
    home = postgres.home_at(outside / "closed" / "h")
    (outside / "closed").mkdir(mode=0o700)
    with pytest.raises(postgres.HomeUnusable, match=r"closed cannot be entered .* ENGINEROOM_HOME"):
        postgres.start(home)
    assert (outside / "closed").stat().st_mode & 0o777 == 0o700


@needs_root
def test_data_that_belong_to_root_are_refused_with_a_remedy(cold_home: Home) -> None:
    cold_home.data.mkdir(parents=True)
    with pytest.raises(postgres.HomeUnusable, match="chown -R"):
        postgres.start(cold_home)


# --- where it lives -----------------------------------------------------------------------------------------


def test_a_home_with_a_long_name_has_its_socket_in_a_folder_of_its_own(make_home: Callable[[], Home]) -> None:
    home = postgres.home_at(make_home().path.parent / ("a home's name, long " + "x" * 90))
    folder = home.socket_directory
    assert folder.parent == Path("/tmp")
    try:
        assert ask(postgres.start(home, extra_settings=NO_FSYNC), "SELECT 1") == "1"
        assert home.socket_directory == folder
        assert folder.stat().st_mode & 0o777 == 0o700
    finally:
        postgres.stop(home)
        shutil.rmtree(folder)


@pytest.mark.parametrize("trap", ["open", "link"])
def test_a_socket_folder_that_is_not_ours_alone_is_refused(make_home: Callable[[], Home], trap: str) -> None:
    home = postgres.home_at(make_home().path.parent / ("x" * 90))
    home.path.mkdir()
    folder = home.socket_directory
    try:
        if trap == "open":
            folder.mkdir()
            folder.chmod(0o777)
        else:
            folder.symlink_to(home.path)
        with pytest.raises(postgres.SocketDirectoryRefused, match="remove it"):
            postgres.start(home)
    finally:
        folder.unlink() if trap == "link" else folder.rmdir()


def test_the_home_is_chosen_by_the_environment_then_by_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    assert postgres.home({"ENGINEROOM_HOME": "/tmp/../tmp/x"}) == Path("/tmp").resolve() / "x"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert postgres.home({}) == Path("/var/lib/engineroom").resolve()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert postgres.home({}).name == "engineroom"
    assert postgres.home({}).is_relative_to(Path.home())


def test_the_launcher_does_not_need_django() -> None:
    program = "import sys, engineroom.foundation.postgres; sys.exit('django' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


# --- a database elsewhere -----------------------------------------------------------------------------------


def test_without_urls_the_connections_are_the_embedded_servers(cluster: Server) -> None:
    settings = postgres.connection_settings(cluster.home, environ={})
    for alias, user in (("app", APP), ("owner", OWNER)):
        chosen = settings[alias]
        assert (chosen["USER"], chosen["NAME"]) == (user, DATABASE)
        keys = {"host": "HOST", "port": "PORT", "dbname": "NAME", "user": "USER"}
        with psycopg.connect("", **{ours: chosen[theirs] for ours, theirs in keys.items()}) as connection:
            assert connection.info.user == user
            postgres.require_supported_server(connection.info.server_version)


def test_urls_become_djangos_settings() -> None:
    environ = {
        "DATABASE_URL": "postgresql://app:p%40ss%2F@db.example.com:6432/books?sslmode=verify-full",
        "DATABASE_OWNER_URL": "postgres://owner@/books?host=/run/postgresql",
    }
    settings = postgres.connection_settings(environ=environ)
    assert settings["app"] == {
        "HOST": "db.example.com",
        "PORT": "6432",
        "NAME": "books",
        "USER": "app",
        "PASSWORD": "p@ss/",
        "OPTIONS": {"sslmode": "verify-full"},
    }
    assert (settings["owner"]["HOST"], settings["owner"]["PORT"]) == ("/run/postgresql", "5432")
    assert postgres.connection_settings(environ={"DATABASE_URL": environ["DATABASE_URL"]})["owner"] == {}


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("mysql://u:secret@h/d", "must begin with postgresql://"),
        ("postgresql://u:secret@h", "must name one database"),
        ("postgresql://u:secret@h/a/b", "must name one database"),
        ("postgresql://h/d", "must name the user"),
        ("postgresql://u:secret@/d", "must name one host"),
        ("postgresql://u:secret@h/d?host=/run", "must name one host"),
        ("postgresql://u:secret@h:port/d", "the host or the port"),
        ("postgresql://u:secret@h/d?sslmod=require", "unknown option sslmod"),
        ("postgresql://u:secret@h/d?sslmode=on", "sslmode must be one of"),
        ("postgresql://u:secret@h/d?sslmode=require&sslmode=disable", "given twice"),
        ("postgresql://u:secret@h/d?sslmode", "must be name=value"),
        ("postgresql://u:secret#1@h/d", "the host or the port|'#'|one database"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_repeating_its_password(url: str, problem: str) -> None:
    with pytest.raises(postgres.DatabaseUrlInvalid, match=problem) as refusal:
        postgres.connection_settings(environ={"DATABASE_URL": url})
    assert "DATABASE_URL" in str(refusal.value)
    assert "secret" not in str(refusal.value)


def test_an_owner_without_an_app_url_is_refused() -> None:
    with pytest.raises(postgres.DatabaseUrlInvalid, match="without DATABASE_URL"):
        postgres.connection_settings(environ={"DATABASE_OWNER_URL": "postgresql://u@h/d"})


def test_a_server_older_than_16_is_refused() -> None:
    postgres.require_supported_server(160000)
    with pytest.raises(postgres.ServerTooOld, match="runs PostgreSQL 15; 16 or newer"):
        postgres.require_supported_server(150008)


# --- roles --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def administered(cluster: Server) -> Iterator[Server]:
    """A second server, set up as the documentation tells an administrator to, by psql."""
    script = re.search(r"```sql\n(.*?)```", ADMINISTRATION.read_text(), re.DOTALL)
    assert script is not None
    folder = new_folder()
    home = postgres.home_at(folder / "h")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(launcher, "ensure_roles_and_database", lambda *_: None)
        server = postgres.start(home, extra_settings=NO_FSYNC)
    psql: list[str | Path] = [
        installations.bundled().program("psql"),
        "-X",
        "-v",
        "ON_ERROR_STOP=1",
        "-d",
        server.conninfo(),
    ]
    passwords = ["-v", "owner_password=it's", "-v", "app_password=so"]
    try:
        subprocess.run([*psql, *passwords], input=script[1], text=True, check=True, capture_output=True)
        yield server
    finally:
        postgres.stop(home)
        shutil.rmtree(folder)


@pytest.fixture(params=["cluster", "administered"])
def database(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Both ways to the same rights; what a test makes is dropped again."""
    server: Server = request.getfixturevalue(request.param)
    yield server
    with connect(server) as superuser:
        superuser.execute("DROP TABLE IF EXISTS payslip; DROP FUNCTION IF EXISTS seen()")


def refused(connection: psycopg.Connection, statement: str) -> bool:
    try:
        connection.execute(statement)
    except psycopg.errors.InsufficientPrivilege:
        return True
    return False


def make_payslips(server: Server) -> None:
    """As a migration would: a table under forced row security, a guard's function counting all its rows."""
    with connect(server, OWNER) as owner:
        owner.execute("CREATE TABLE payslip (client int, pay int)")
        owner.execute("INSERT INTO payslip VALUES (1, 100), (2, 200)")
        owner.execute("ALTER TABLE payslip ENABLE ROW LEVEL SECURITY")
        owner.execute("ALTER TABLE payslip FORCE ROW LEVEL SECURITY")
        owner.execute("CREATE POLICY one ON payslip USING (client = 1)")
        owner.execute(f"GRANT SELECT, INSERT ON payslip TO {APP}; GRANT SELECT ON payslip TO {GUARD}")
        owner.execute(
            "CREATE FUNCTION seen() RETURNS bigint LANGUAGE sql SECURITY DEFINER"
            " SET search_path = public, pg_temp AS 'SELECT count(*) FROM payslip'"
        )
        owner.execute(f"ALTER FUNCTION seen() OWNER TO {GUARD}")


def test_a_guards_function_sees_every_row_and_nobody_else_does(database: Server) -> None:
    make_payslips(database)
    for role in (OWNER, APP):
        with connect(database, role) as connection:
            assert connection.execute("SELECT count(*) FROM payslip").fetchone() == (1,)
            assert connection.execute("SELECT seen()").fetchone() == (2,)


def test_the_owner_can_replace_and_drop_what_it_gave_to_the_guard(database: Server) -> None:
    make_payslips(database)
    replaced = "CREATE OR REPLACE FUNCTION seen() RETURNS bigint LANGUAGE sql AS 'SELECT 7::bigint'"
    with connect(database, OWNER) as owner:
        assert refused(owner, replaced)
        with owner.transaction():
            owner.execute(f"SET LOCAL ROLE {GUARD}")
            owner.execute(replaced)
        assert owner.execute("SELECT seen()").fetchone() == (7,)
        owner.execute("DROP FUNCTION seen()")


@pytest.mark.parametrize(
    "statement",
    [
        f"SET ROLE {GUARD}",
        f"SET ROLE {OWNER}",
        "SET ROLE postgres",
        "CREATE TABLE mine (n int)",
        "CREATE SCHEMA mine",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE DATABASE mine",
        "CREATE ROLE mine",
        "ALTER TABLE payslip DISABLE ROW LEVEL SECURITY",
        "DROP POLICY one ON payslip",
        "UPDATE payslip SET pay = 0",
        "DELETE FROM payslip",
        "TRUNCATE payslip",
        "SET row_security = off; SELECT * FROM payslip",
        f"ALTER ROLE {APP} BYPASSRLS",
        "ALTER FUNCTION seen() OWNER TO engineroom_app",
        "INSERT INTO payslip VALUES (2, 1)",
        "COPY payslip TO PROGRAM 'cat'",
    ],
)
def test_the_app_role_can_do_none_of_this(database: Server, statement: str) -> None:
    make_payslips(database)
    with connect(database, APP) as app:
        assert refused(app, statement)


def test_the_app_role_can_do_its_work(database: Server) -> None:
    make_payslips(database)
    with connect(database, APP) as app:
        app.execute("INSERT INTO payslip VALUES (1, 300)")
        app.execute("CREATE TEMPORARY TABLE incoming (n int)")
        assert app.execute("SELECT sum(pay) FROM payslip").fetchone() == (400,)


def test_the_owner_is_no_superuser_and_bound_by_row_security(database: Server) -> None:
    make_payslips(database)
    with connect(database, OWNER) as owner:
        assert refused(owner, "SET row_security = off; SELECT * FROM payslip")
        assert refused(owner, "CREATE ROLE another")
        assert refused(owner, "SELECT pg_read_file('/etc/passwd')")
        assert refused(owner, f"GRANT {GUARD} TO {APP}")


def test_nobody_logs_in_as_the_guard(database: Server) -> None:
    with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
        connect(database, GUARD)


def test_setting_up_again_puts_right_what_was_changed(cluster: Server) -> None:
    with connect(cluster) as superuser:
        superuser.execute(f"ALTER ROLE {APP} BYPASSRLS CREATEDB; GRANT CREATE ON SCHEMA public TO PUBLIC")
        superuser.execute(f"REVOKE CREATE ON SCHEMA public FROM {GUARD}")
    roles.ensure_roles_and_database(cluster.conninfo())
    with connect(cluster, APP) as app:
        assert refused(app, "CREATE TABLE mine (n int)")
        bypasses = "SELECT rolbypassrls OR rolcreatedb FROM pg_roles WHERE rolname = current_user"
        assert app.execute(bypasses).fetchone() == (False,)
    assert roles.is_complete(cluster.conninfo(dbname=DATABASE))


def test_a_second_database_for_the_test_suite_gets_the_same_rights(cluster: Server) -> None:
    roles.ensure_roles_and_database(cluster.conninfo(), "test_engineroom")
    with connect(cluster, APP, "test_engineroom") as app:
        assert refused(app, "CREATE TABLE mine (n int)")
    with connect(cluster, OWNER, "test_engineroom") as owner:
        owner.execute("CREATE TABLE ours (n int)")


def test_the_documentation_repeats_the_script_exactly() -> None:
    assert f"```sql\n{postgres.administrator_script()}```" in ADMINISTRATION.read_text()
