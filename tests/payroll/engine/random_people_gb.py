"""Random people for the British engine: any code, frequency, category, loan and pension, as one chunk."""

import numpy as np
import oracle_gb

FREQUENCIES = np.array(["weekly", "biweekly", "four_weekly", "monthly"])
LAST = {"weekly": 53, "biweekly": 54, "four_weekly": 56, "monthly": 12}
BARE = np.array(["L", "M", "N", "T", "K", "BR", "D0", "D1", "0T", "1257L", "NT", "SD2", "SD3"])
CATEGORIES = np.array(list("ABCDEFHIJKLMNSVXZ"))
RELIEFS = np.array(["", "relief_at_source", "net_pay", "salary_sacrifice"])


def codes(r, n):
    numbers = np.where(r.random(n) < 0.8, r.integers(1, 3_000, n), r.choice([499, 500, 501, 1_000, 1_001], n))
    made = []
    for kind, prefix, number in zip(
        r.choice(BARE, n).tolist(), r.choice(["", "S", "C"], n).tolist(), numbers.tolist(), strict=True
    ):
        if kind in ("NT", "SD2", "SD3"):
            made.append(kind)
        elif kind == "K":
            made.append(f"{prefix}K{number}")
        else:
            made.append(f"{prefix}{number}{kind}" if len(kind) == 1 else f"{prefix}{kind}")
    return made


def people(seed, year, n):
    """A chunk of people of any code, frequency, category, loan and pension; pay from nothing to 20,000."""
    r = np.random.default_rng(seed)
    frequency = r.choice(FREQUENCIES, n)
    last = np.array([LAST[f] for f in frequency.tolist()])
    span = np.array([oracle_gb.SPAN[f] for f in frequency.tolist()])
    return {
        "tax_code": codes(r, n),
        "frequency": frequency.tolist(),
        "tax_period": r.integers(1, last // span + 1) * span,
        "week1_month1": r.integers(0, 2, n),
        "ni_category": r.choice(CATEGORIES, n).tolist(),
        "student_loan_plan": r.choice([p for p in ("", *oracle_gb.LOANS[year]) if p != "PG"], n).tolist(),
        "has_postgraduate_loan": r.integers(0, 2, n),
        "pension_relief": (reliefs := r.choice(RELIEFS, n)).tolist(),
        "pension_member": (reliefs != "").astype(np.int64),
        "pension_employee_ppm": r.integers(0, 100, n) * 1_000,
        "pension_employer_ppm": r.integers(0, 100, n) * 1_000,
        "basic_pay": r.integers(0, 2_000_000, n) // r.choice([1, 4, 20], n),
        "taxable_pay_to_date_before": r.integers(0, 12_000_000, n) * r.integers(0, 2, n),
        "tax_to_date_before": r.integers(0, 2_000_000, n) * r.integers(0, 2, n),
    }
