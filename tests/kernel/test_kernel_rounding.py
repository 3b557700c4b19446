from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engineroom.kernel.rates import apply_ppm, format_ppm, ppm
from engineroom.kernel.rounding import ROUNDINGS, floor_to_pound, largest_remainder, nic_round

DECIMAL_MODES = {
    "floor": ROUND_FLOOR,
    "ceiling": ROUND_CEILING,
    "half_up": ROUND_HALF_UP,
    "half_down": ROUND_HALF_DOWN,
    "half_even": ROUND_HALF_EVEN,
}
NUMERATORS = st.integers(-(10**15), 10**15)
DENOMINATORS = st.one_of(st.integers(1, 20), st.sampled_from([100, 10_000, 1_000_000]))


@pytest.mark.parametrize("name", DECIMAL_MODES)
@given(numerator=NUMERATORS, denominator=DENOMINATORS)
def test_a_named_rounding_is_the_decimal_modules(name, numerator, denominator):
    exact = Decimal(numerator) / Decimal(denominator)
    twice = 2 * numerator % denominator == 0  # an exact half or whole: Decimal's 28 digits hold it
    if twice or abs(2 * numerator) < 10**25:
        assert ROUNDINGS[name](numerator, denominator) == int(exact.to_integral_value(DECIMAL_MODES[name]))


@pytest.mark.parametrize("name", ROUNDINGS)
@given(numerators=st.lists(NUMERATORS, min_size=1), denominator=DENOMINATORS)
def test_a_column_rounds_as_each_of_its_values(name, numerators, denominator):
    column = ROUNDINGS[name](np.array(numerators, dtype=np.int64), denominator)
    assert column.dtype == np.int64
    assert column.tolist() == [ROUNDINGS[name](n, denominator) for n in numerators]


@pytest.mark.parametrize(
    ("pounds", "rounded"),
    [
        ("0.005", 0), ("0.0056", 0), ("0.00599", 0), ("0.006", 1), ("0.0060001", 1), ("0.009", 1),
        ("0.0256", 2), ("0.026", 3), ("13.40584", 1340), ("13.406", 1341), ("1", 100), ("0", 0),
    ],
)  # fmt: skip
def test_national_insurance_cuts_at_the_third_decimal_and_rounds_from_six(pounds, rounded):
    tenth_million = int(Decimal(pounds) * 10**9)
    assert nic_round(tenth_million, 10**7) == rounded


def test_whole_pounds_round_down_below_zero_too():
    assert [floor_to_pound(p) for p in (0, 99, 100, 199, -1)] == [0, 0, 100, 100, -100]


@given(st.integers(-(10**12), 10**12), st.lists(st.integers(0, 10**6), min_size=1, max_size=20))
def test_a_split_always_adds_to_its_total_and_no_part_is_a_unit_off(total, weights):
    parts = largest_remainder(total, weights)
    assert sum(parts) == total
    if whole := sum(weights):
        for part, weight in zip(parts, weights, strict=True):
            assert abs(part * whole - total * weight) < whole


def test_a_split_gives_left_over_pennies_to_the_largest_remainders_first():
    assert largest_remainder(100, [1, 1, 1]) == [34, 33, 33]
    assert largest_remainder(-100, [1, 1, 1]) == [-34, -33, -33]
    assert largest_remainder(10, [0, 0]) == [10, 0]
    with pytest.raises(ValueError, match="nothing to split"):
        largest_remainder(1, [])


def test_rates_are_exact_parts_per_million_and_read_back_as_percentages():
    assert (ppm("0.0185"), ppm("0.1207"), ppm("0"), ppm(Decimal("1"))) == (18_500, 120_700, 0, 1_000_000)
    assert [format_ppm(x) for x in (80_000, 18_500, 0, 1_000_000, 1)] == [
        "8%",
        "1.85%",
        "0%",
        "100%",
        "0.0001%",
    ]
    assert apply_ppm(24_000, 120_700) == 2_897
    for bad in ("0.1234567", "a tenth", "NaN"):
        with pytest.raises(ValueError, match=r"decimal"):
            ppm(bad)
