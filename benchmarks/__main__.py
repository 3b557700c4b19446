"""Run the benchmarks: one file per claim. `make bench` runs all, `make bench ONLY=name` one.

Each prints a line per figure, `BENCH metric=value unit ratio=R vs=WHAT`, on a database of its own whose fsync
is on, as the `app` role. Nothing here gates a test.
"""

from __future__ import annotations

import argparse
import importlib
import platform
import sys
from pathlib import Path

FOLDER = Path(__file__).parent


def names() -> list[str]:
    return sorted(p.stem for p in FOLDER.glob("*.py") if not p.stem.startswith("_") and p.stem != "ground")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=names(), type=lambda name: name.replace("-", "_"))
    chosen = parser.parse_args().only
    machine = f"{platform.machine()} {platform.system()} {platform.release()}"
    print(f"# {machine}, Python {platform.python_version()}")
    for name in [chosen] if chosen else names():
        print(f"# {name}")
        sys.stdout.flush()
        importlib.import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main()
