"""Charts: the figures given are the figures shown, to eye and screen reader; any text is only text."""

from lxml import etree

from engineroom.ui.charts import (
    Aged,
    Bar,
    Item,
    Point,
    ageing_chart,
    bars,
    clock,
    line_chart,
    sparkline,
    strip_chart,
    waterfall,
)

STEPS = [
    Bar("Employer’s cost", 110_000, "total"),
    Bar("Employer’s NIC", 10_000, "down"),
    Bar("Gross", 100_000, "total"),
    Bar("Income tax", -4_200, "down"),
    Bar("Pension", 5_000, "down"),
    Bar("Expenses", 1_234, "up"),
    Bar("Net", 100_434, "total"),
]


def parse(svg: str):
    return etree.fromstring(svg)


def texts(svg: str) -> list[str]:
    return ["".join(node.itertext()) for node in parse(svg).iter("text")]


def test_a_waterfall_shows_each_label_and_figure_in_order():
    assert texts(waterfall(STEPS, "GBP")) == [
        "Employer’s cost", "1,100.00", "Employer’s NIC", "-100.00", "Gross", "1,000.00", "Income tax",
        "+42.00", "Pension", "-50.00", "Expenses", "+12.34", "Net", "1,004.34",
    ]  # fmt: skip


def test_a_waterfall_that_does_not_add_up_says_by_how_much():
    svg = waterfall([*STEPS[:-1], Bar("Net", 100_000, "total")], "GBP")
    assert texts(svg)[-4:] == ["Not explained by the steps", "-4.34", "Net", "1,000.00"]
    assert "--alarm" in svg
    assert "--alarm" not in waterfall(STEPS, "GBP")


def test_each_bar_starts_where_the_one_before_it_ends():
    rects = [
        (float(r.get("x")[:-1]), float(r.get("width")[:-1])) for r in parse(waterfall(STEPS[:3])).iter("rect")
    ]
    assert rects[0] == (0.0, 100.0)
    assert abs(rects[1][0] + rects[1][1] - 100) < 0.01
    assert abs(rects[2][1] - rects[1][0]) < 0.01


def test_amounts_below_zero_stay_inside_the_chart():
    svg = waterfall(
        [Bar("Gross", 1_000, "total"), Bar("Recovery", 3_000, "down"), Bar("Net", -2_000, "total")]
    )
    for rect in parse(svg).iter("rect"):
        assert float(rect.get("x")[:-1]) >= 0
        assert float(rect.get("x")[:-1]) + float(rect.get("width")[:-1]) <= 100.01


def test_a_chart_is_an_image_with_a_name_and_a_description_that_holds_every_figure():
    root = parse(waterfall(STEPS, title="Gross to net"))
    assert root.get("role") == "img"
    names = root.get("aria-labelledby").split()
    title, description = root.find("title"), root.find("desc")
    assert [title.get("id"), description.get("id")] == names
    assert title.text == "Gross to net"
    assert "Income tax +42.00" in description.text


def test_two_charts_on_a_page_do_not_share_ids():
    assert parse(waterfall(STEPS)).find("title").get("id") != parse(waterfall(STEPS[:3])).find("title").get(
        "id"
    )


def test_text_is_only_text():
    svg = waterfall([Bar('<script>alert("1")</script>', 100, "total")], title="a & b <i>")
    assert texts(svg)[0] == '<script>alert("1")</script>'
    assert "<script" not in svg


def test_a_chart_needs_no_script_style_or_request():
    svg = bars([Item("Brindle", 100_000, 5_000)], versus="last week")
    assert not any(word in svg for word in ("http", "<style", "<script", "href", "style="))
    assert "var(--" in svg


def test_bars_show_values_and_signed_variances_with_a_tick_where_the_comparison_stood():
    svg = bars([Item("Brindle", 100_000, 25_000), Item("Harrow", 40_000, -10_000)], "GBP", versus="last week")
    assert texts(svg) == ["Brindle +250.00 on last week", "1,000.00", "Harrow -100.00 on last week", "400.00"]
    ticks = [line.get("x1") for line in parse(svg).iter("line") if line.get("stroke-width") == "1.5"]
    assert ticks == ["75.000%", "50.000%"]


def test_bars_of_counts_are_plain_numbers():
    assert texts(bars([Item("Days", 1_234)], None)) == ["Days", "1,234"]


def test_nothing_to_draw_is_not_an_error():
    assert parse(waterfall([])).get("role") == "img"
    assert parse(bars([Item("None", 0)])).get("role") == "img"


AGED = [Aged("Brindle", (300, 100, 0)), Aged("Cole <b>", (0, 0, 50))]


def test_ageing_lists_every_bucket_and_the_sum_of_all():
    chart = ageing_chart(("Not due", "1-30", "Over 30"), AGED, title="Owed")
    assert list(chart.columns) == ["", "Not due", "1-30", "Over 30", "Total"]
    assert chart.rows[-1] == ("All", "3.00", "1.00", "0.50", "4.50")
    assert "Brindle Not due 3.00, 1-30 1.00" in parse(chart.svg).find("desc").text
    assert "Cole <b>" in texts(chart.svg)


def test_what_is_oldest_is_drawn_in_alarm_and_a_credit_is_listed_but_not_drawn():
    rects = list(parse(ageing_chart(("New", "Mid", "Old"), AGED[1:]).svg).iter("rect"))
    assert "--alarm" in rects[-1].get("fill")
    credit = ageing_chart(("New", "Old"), [Aged("Back", (-100, 0))])
    assert len(list(parse(credit.svg).iter("rect"))) == 2  # the key's own
    assert credit.rows[0] == ("Back", "-1.00", "0.00", "-1.00")


def test_a_point_outside_its_band_is_ringed_and_said():
    chart = line_chart([Point("W1", 5, 1, 9), Point("W2", 12, 1, 9)], None, title="Minutes")
    assert [row[-1] for row in chart.rows] == ["", "outside"]
    rings = [c for c in parse(chart.svg).iter("circle") if "--alarm" in c.get("stroke", "")]
    assert len(rings) == 1
    assert chart.svg.count("<polygon") == 1


def test_a_line_without_band_and_one_that_is_flat_or_empty_are_drawn():
    for points in ([], [Point("a", 5)], [Point("a", 5), Point("b", 5)]):
        assert "<polygon" not in line_chart(points, title="t", floor_at_zero=True).svg


def test_a_sparkline_and_a_strip_hold_their_figures_in_words():
    assert parse(sparkline([100, 250], title="Net", currency="GBP")).find("desc").text == "1.00, 2.50"
    assert parse(sparkline([], title="Net")).get("role") == "img"
    assert strip_chart([Item("7", 11), Item("8", 0)], title="Due").rows == [("7", "11"), ("8", "0")]


def test_a_clock_never_runs_over_its_end():
    for used, allowed in ((5, 10), (50, 10), (-1, 10), (1, 0)):
        share = float(list(parse(clock(used, allowed)).iter("rect"))[1].get("width")[:-1])
        assert 0 <= share <= 100
    assert "--alarm" in clock(9, 10, late=True)


def test_new_charts_need_no_script_style_or_request():
    for svg in (
        ageing_chart(("New",), [Aged("a", (1,))]).svg,
        line_chart([Point("a", 1, 0, 2)], title="t").svg,
        sparkline([1], title="t"),
        strip_chart([Item("1", 1)], title="t").svg,
        clock(1, 2),
    ):
        parse(svg)
        assert not any(word in svg for word in ("http", "<style", "<script", "href", "style="))
