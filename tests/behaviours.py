"""Which behaviours of docs/behaviours.md are proven, and by which tests: `make behaviours` writes the list.

Read from the tests' own marks, without running them: `@pytest.mark.behaviour("LED-01")`, or with `part="..."`
where a test proves a part only.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from pathlib import Path

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "behaviours.md"
HEAD = """# Behaviours that are proven

What separates a product from a toy, by id. Each is proven by at least one test with its mark; a part in
brackets is what the tests so far prove of it. Written by `make behaviours` from the tests themselves; a test
keeps it true.

| behaviour | proven | by |
|---|---|---|
"""


def marks() -> dict[str, dict[str, list[str]]]:
    """Behaviour id -> part ("" for the whole) -> tests."""
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                for name, part in _behaviours(node):
                    found[name][part].append(f"{path.relative_to(TESTS).as_posix()}::{node.name}")
    return found


def _behaviours(node: ast.FunctionDef) -> list[tuple[str, str]]:
    found = []
    for mark in node.decorator_list:
        if (
            isinstance(mark, ast.Call)
            and isinstance(mark.func, ast.Attribute)
            and mark.func.attr == "behaviour"
        ):
            parts = {k.arg: k.value.value for k in mark.keywords if isinstance(k.value, ast.Constant)}
            assert isinstance(mark.args[0], ast.Constant)
            found.append((str(mark.args[0].value), str(parts.get("part") or "")))
    return found


def page() -> str:
    """The page as it should stand."""
    rows = []
    for name, parts in sorted(marks().items()):
        for part, tests in sorted(parts.items()):
            proven = f"in part: {part}" if part else "yes"
            rows.append(f"| {name} | {proven} | {'<br>'.join(f'`{t}`' for t in sorted(tests))} |")
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(page())
