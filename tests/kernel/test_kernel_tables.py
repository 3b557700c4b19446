from datetime import date

import pytest

from engineroom.kernel.tables import BadTable, NoTableForDate, parse_table, rules_hash

TABLE = """
table: fares
jurisdiction: xx
versions:
  - from: 2026-04-06
    source: "the second notice"
    confidence: verified
    values: {fare: "2.50", zones: 3}
  - from: 2025-04-06
    until: 2026-04-05
    source: "the first notice"
    confidence: third_party
    values:
      fare: "2.40"
      zones: {value: 2, source: "memory", confidence: unverified}
"""


def test_the_version_of_the_day_is_found_with_its_source():
    table = parse_table(TABLE)
    old, new = table.at(date(2026, 4, 5)), table.at(date(2026, 4, 6))
    assert (old["fare"], old["zones"], old.source, old.unverified()) == (
        "2.40",
        2,
        "the first notice",
        ["zones"],
    )
    assert (new["fare"], new["zones"], new.ends, new.unverified()) == ("2.50", 3, None, [])


def test_a_day_that_no_version_covers_is_refused():
    with pytest.raises(NoTableForDate, match="fares"):
        parse_table(TABLE).at(date(2025, 4, 5))


def test_the_hash_changes_with_any_value_and_not_with_the_order_of_tables():
    table, dearer = parse_table(TABLE), parse_table(TABLE.replace('"2.50"', '"2.51"'))
    day = date(2026, 5, 1)
    assert table.at(day).hash == parse_table(TABLE).at(day).hash != dearer.at(day).hash
    a, b = table.at(day), table.at(date(2025, 5, 1))
    assert rules_hash([a, b]) == rules_hash([b, a]) != rules_hash([a])


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (TABLE.replace('"2.50"', "2.50"), "is a float"),
        (TABLE.replace("    until: 2026-04-05\n", ""), "overlap"),
        (TABLE.replace("2026-04-05", "2026-04-06"), "overlap"),
        (TABLE.replace("confidence: verified", "confidence: sure"), "confidence is one of"),
        (TABLE.replace('    source: "the second notice"\n', ""), "lacks source"),
        ("versions: []", "a dated table has"),
        ("- 1", "a dated table has"),
    ],
)
def test_a_rule_file_that_is_no_dated_table_is_refused_with_what_is_wrong(wrong, says):
    with pytest.raises(BadTable, match=says):
        parse_table(wrong)
