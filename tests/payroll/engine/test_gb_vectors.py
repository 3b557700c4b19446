"""The engine against published cases: HMRC's own test data and others, as listed in vectors/gb.csv."""

import csv
import json
import os
from collections import Counter
from pathlib import Path

import pytest

from engineroom.payroll.engine.gb.kinds import KINDS
from engineroom.payroll.engine.verify import verify_file

SHARED = Path(os.environ.get("ENGINEROOM_SHARED") or Path(__file__).parents[3].parent / "shared")
VECTORS = SHARED / "vectors" / "gb.csv"

needs_vectors = pytest.mark.skipif(
    not VECTORS.exists(), reason=f"no published vectors: {VECTORS} is absent (set ENGINEROOM_SHARED)"
)


@needs_vectors
def test_every_published_case_agrees_to_the_penny_and_none_is_unsupported():
    report = verify_file(VECTORS)
    assert report.failures == []
    with VECTORS.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["jurisdiction"] == "gb"]
    for kind in KINDS:
        assert report.kinds[kind].passed == sum(row["kind"] == kind for row in rows) > 0
    assert (report.passed, report.not_supported) == (len(rows), 0)


@needs_vectors
def test_every_expected_figure_is_really_compared(tmp_path):
    """A penny (or a pound of loan) more in any one expected figure is a failure of that figure."""
    with VECTORS.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        rows = [row for row in reader if row["kind"] in KINDS]
        header = reader.fieldnames
    wrong, of_kind = [], Counter()
    for row in rows:
        for key, value in json.loads(row["expected"]).items():
            changed = json.loads(row["expected"]) | {key: str(int(value.replace(".", "")) + 7)[:-2] + ".97"}
            of_kind[row["kind"]] += 1
            if of_kind[row["kind"]] <= 60:
                wrong.append(row | {"id": f"{row['id']} {key}", "expected": json.dumps(changed)})
    path = tmp_path / "wrong.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, header)
        writer.writeheader()
        writer.writerows(wrong)
    report = verify_file(path)
    assert (report.passed, report.failed, len(report.failures)) == (0, len(wrong), len(wrong))
    assert {failure.key for failure in report.failures} >= {
        "tax_this_period",
        "employee_nic",
        "earnings_at_lel",
        "earnings_lel_to_pt_ytd",
        "nic_compensation",
        "deduction",
        "ssp",
    }
    assert set(of_kind) == set(KINDS)
