"""Run a file of published cases (format: KINDS.md) against the engine; report what agrees and what does not.

Which kinds are answered is a registry: a jurisdiction's `kinds.KINDS` maps the kind's name to a function from
a case to results. A new jurisdiction is one more entry in `JURISDICTIONS`. Rows of any other kind count as
not supported; a row that cannot be read is a failure that names its row and field, never a row left out.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engineroom.kernel.errors import EngineroomError
from engineroom.payroll.engine.cases import NEEDED, BadCase, Case, KindFunction, Results, decimal_of
from engineroom.payroll.engine.gb import kinds as gb_kinds

JURISDICTIONS: dict[str, Mapping[str, KindFunction]] = {"gb": gb_kinds.KINDS}


class VectorsUnreadable(EngineroomError):
    """The file is not there, or is no CSV file of cases at all."""

    status = 422


@dataclass(frozen=True, slots=True)
class Failure:
    """One disagreement, or one row that could not be run. `key`: the figure or the field at fault."""

    row: int
    id: str
    kind: str
    key: str
    expected: str
    got: str

    def __str__(self) -> str:
        text = f"row {self.row}, {self.id or '(no id)'}, {self.key}: expected {self.expected}, got {self.got}"
        return text.encode("utf-8", "backslashreplace").decode()  # half a character cannot be printed


@dataclass
class Tally:
    """Rows of one kind."""

    passed: int = 0
    failed: int = 0
    not_supported: int = 0


@dataclass
class Report:
    """What a file of cases came to."""

    path: Path
    kinds: dict[str, Tally] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)

    @property
    def passed(self) -> int:
        return sum(tally.passed for tally in self.kinds.values())

    @property
    def failed(self) -> int:
        return sum(tally.failed for tally in self.kinds.values())

    @property
    def not_supported(self) -> int:
        return sum(tally.not_supported for tally in self.kinds.values())

    @property
    def ok(self) -> bool:
        """Whether something was run and nothing failed."""
        return self.failed == 0 and self.passed > 0

    def lines(self) -> Iterator[str]:
        """A line for each kind, a line for each failure, and the sum."""
        width = max((len(kind) for kind in self.kinds), default=0)
        for kind, tally in sorted(self.kinds.items()):
            yield (
                f"{kind:{width}}  {tally.passed:5} passed  {tally.failed:5} failed  "
                f"{tally.not_supported:5} not supported"
            )
        yield from map(str, self.failures)
        whole = f"{self.passed} passed, {self.failed} failed, {self.not_supported} not supported"
        yield f"{whole} ({self.path.name})"


def verify_file(path: Path | str, kinds: Collection[str] | None = None) -> Report:
    """Run every row of the file, or only those of the named kinds. Raises VectorsUnreadable."""
    report = Report(Path(path))
    seen: set[str] = set()
    for number, raw in _rows(report.path):
        if isinstance(raw, csv.Error):
            report.kinds.setdefault("(unreadable)", Tally()).failed += 1
            report.failures.append(Failure(number, "", "(unreadable)", "the row", "CSV", str(raw)))
            continue
        kind = (raw.get("kind") or "").strip() or "(no kind)"
        if kinds is not None and kind not in kinds:
            continue
        tally = report.kinds.setdefault(kind, Tally())
        function = _function(raw)
        if function is None and kind != "(no kind)":
            tally.not_supported += 1
            continue
        failures = _run(number, raw, kind, function, seen)
        tally.failed += bool(failures)
        tally.passed += not failures
        report.failures += failures
    return report


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str | None] | csv.Error]]:
    """Rows by the line they stand on (the header is row 1), or what makes one no CSV."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            # strict: a quote left open is an error, not the silent end of the file.
            reader = csv.DictReader(file, strict=True)
            if missing := [name for name in NEEDED if name not in (reader.fieldnames or ())]:
                raise VectorsUnreadable(f"{path}: the header lacks {', '.join(missing)}")
            while True:
                try:
                    row = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    yield reader.line_num, error
                else:
                    yield reader.line_num, row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise VectorsUnreadable(f"{path} cannot be read as a CSV file of cases: {error}") from error


def _function(raw: Mapping[str, str | None]) -> KindFunction | None:
    jurisdiction, kind = ((raw.get(name) or "").strip() for name in ("jurisdiction", "kind"))
    return JURISDICTIONS.get(jurisdiction, {}).get(kind)


def _run(
    number: int, raw: Mapping[str, str | None], kind: str, function: KindFunction | None, seen: set[str]
) -> list[Failure]:
    """The failures of one row. Whatever is wrong with it is one of them."""
    name = (raw.get("id") or "").strip()
    try:
        if function is None:
            raise BadCase("kind", "it is empty")
        if not name or name in seen:
            raise BadCase("id", "another row has it" if name else "it is empty")
        seen.add(name)
        case = Case.read(number, raw)
        got = function(case)
        if unread := sorted(case.inputs.keys() - case.used):
            raise BadCase(f"inputs.{unread[0]}", f"the kind {kind} has no such input")
    except BadCase as error:
        return [Failure(number, name, kind, error.field, "a row that can be run", error.problem)]
    except EngineroomError as error:
        return [Failure(number, name, kind, "the calculation", "figures", str(error))]
    return list(_compare(case, got))


def _compare(case: Case, got: Results) -> Iterator[Failure]:
    for key, expected in case.expected.items():
        value = got.get(key)
        if value is None:
            yield Failure(case.row, case.id, case.kind, key, str(expected), "nothing by that name")
        elif not _agrees(expected, value, case):
            yield Failure(case.row, case.id, case.kind, key, str(expected), str(value))


def _agrees(expected: object, value: object, case: Case) -> bool:
    wanted, found = decimal_of(expected), decimal_of(value)
    if wanted is None or found is None:
        return type(expected) is type(value) and expected == value
    try:
        return abs(wanted - found) <= case.tolerance
    except ArithmeticError:  # beyond what decimals reach, so not the same
        return False
