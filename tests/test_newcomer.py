"""What a newcomer meets first: ./demo and ./test, the locks behind them, what they say when they cannot."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
LOCKS = {name: (ROOT / "requirements" / f"{name}.txt").read_text() for name in ("build", "run", "test")}


def pins(lock: str) -> dict[str, str]:
    """Name and marker -> version and hashes."""
    entries = re.split(r"\n(?=\w)", LOCKS[lock])
    return {re.sub(r"==\S+", "", entry.split("\\")[0]).strip(): entry.strip() for entry in entries}


@pytest.fixture
def bootstrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script in a checkout of its own, with an environment that looks complete."""
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    for name in ("scripts/bootstrap.py", "pyproject.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    spec = importlib.util.spec_from_file_location("bootstrap", tmp_path / "scripts" / "bootstrap.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "python_version", lambda: "3.11.7")
    module.VENV.mkdir()
    module.stamp_path("run").write_text(module.stamp("run", "3.11.7"))
    return module


def test_an_environment_that_is_up_to_date_is_left_alone(bootstrap: ModuleType) -> None:
    assert bootstrap.is_current("run")
    assert not bootstrap.is_current("test"), "it was never asked for"


@pytest.mark.parametrize("name", ["requirements/run.txt", "requirements/build.txt", "pyproject.toml"])
def test_an_environment_is_refreshed_when_what_it_was_made_from_changes(
    bootstrap: ModuleType, name: str
) -> None:
    with (bootstrap.ROOT / name).open("a") as file:
        file.write("# changed\n")
    assert not bootstrap.is_current("run")


def test_an_environment_is_refreshed_for_another_python(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "python_version", lambda: "3.12.1")
    assert not bootstrap.is_current("run")


@pytest.mark.parametrize("damage", ["interrupted", "moved", "python gone"])
def test_an_environment_that_is_broken_is_made_again(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    monkeypatch.setattr(bootstrap, "quietly", lambda *_: True)
    assert bootstrap.can_be_kept()
    if damage == "interrupted":
        bootstrap.UNFINISHED.touch()
    elif damage == "moved":
        monkeypatch.setattr(bootstrap, "ROOT", bootstrap.ROOT / "elsewhere")
    else:
        monkeypatch.setattr(bootstrap, "python_version", lambda: None)
    assert not bootstrap.can_be_kept()


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        (
            "NewConnectionError: .. name resolution\nERROR: No matching distribution found",
            "Connect to the internet",
        ),
        ("ERROR: No matching distribution found for typst", "glibc 2.28"),
        ("THESE PACKAGES DO NOT MATCH THE HASHES", "changed a package"),
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("something new", "mend what pip names"),
    ],
)
def test_when_pip_fails_one_thing_to_do_is_named(
    bootstrap: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    said: str,
    advice: str,
) -> None:
    pip = bootstrap.VENV / "bin" / "python"
    pip.parent.mkdir()
    pip.write_text(f"#!/bin/sh\necho '{said}'\nexit 1\n")
    pip.chmod(0o755)
    with pytest.raises(SystemExit):
        bootstrap.pip(["install"], "./demo")
    assert re.search(f"What to do: .*{advice}.*, then run ./demo again", capfd.readouterr().err)


def test_without_a_suitable_python_demo_says_what_to_install(tmp_path: Path) -> None:
    for name in ("sh", "dirname", "id"):
        (tmp_path / name).symlink_to(shutil.which(name) or name)
    (tmp_path / "python3").write_text("#!/bin/sh\nexit 1\n")  # what a Python that is too old answers
    (tmp_path / "python3").chmod(0o755)
    done = subprocess.run(
        [ROOT / "demo"], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "needs 64-bit Python 3.11, 3.12 or 3.13" in done.stderr
    assert "install Python 3.13 from" in done.stderr


@pytest.mark.parametrize("command", ["demo", "test", ".ci/run"])
def test_the_commands_can_be_run(command: str) -> None:
    assert os.access(ROOT / command, os.X_OK)


def test_the_tests_run_on_exactly_the_versions_that_ship() -> None:
    tested = pins("test")
    assert len(pins("run")) > 30
    for name, pin in pins("run").items():
        assert tested.get(name) == pin


@pytest.mark.parametrize("lock", list(LOCKS))
def test_locks_name_versions_and_hashes_and_no_place(lock: str) -> None:
    assert all("--hash=sha256:" in pin for pin in pins(lock).values())
    assert not re.search(r"://|index-url|find-links|file:", LOCKS[lock])


def test_every_dependency_is_accounted_for() -> None:
    documented = set(
        re.findall(r"[\w-]+", " ".join(re.findall(r"^\| (.*?) \|", _dependencies(), re.MULTILINE)))
    )
    for path in (ROOT / "requirements").glob("*.in"):
        asked_for = re.findall(r"^[a-z][\w-]*", path.read_text(), re.MULTILINE)
        assert asked_for
        assert set(asked_for) <= documented


def _dependencies() -> str:
    return (ROOT / "docs" / "dependencies.md").read_text()
