"""Components: what they are given is escaped, figures are display's figures, every state renders."""

from datetime import UTC, date, datetime

import pytest
from django import forms
from django.template import engines
from django.template.backends.django import DjangoTemplates
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import html

from engineroom.kernel.money import EXPONENTS
from engineroom.ui import charts, display
from engineroom.ui.fields import Group, GroupedForm, MoneyField
from engineroom.ui.parts import STATUS_KINDS, Change, Edge, Event, Node, Tab, Thread, TraceStep
from engineroom.ui.templatetags.ui import MESSAGE_KINDS, UnknownStatus

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40)
"""Control letters cannot stand in HTML at all; every other letter may."""

ENGINE = DjangoTemplates(
    {
        "NAME": "components",
        "DIRS": [],
        "APP_DIRS": True,
        "OPTIONS": {},
    }
)


def draw(source: str, **values) -> str:
    return ENGINE.from_string("{% load ui %}" + source).render(values)


def parsed(source: str, **values):
    return html.fragment_fromstring(draw(source, **values), create_parent=True)


def text_of(source: str, **values) -> str:
    return " ".join(parsed(source, **values).text_content().split())


EVIL = """<script>alert('1')</script>"onmouseover="x" & {{ 7|add:1 }}"""

EVERYTHING = [
    "{% chip t %}{% chip t url=t %}{% status 'done' t %}{% clock 1 2 t %}",
    "{% money 5 'GBP' trace=t %}{% toast t %}{% crumbs t t t %}",
    "{% panel t aside=t id=t href=t %}{{ t }}{% endpanel %}",
    "{% pulse %}{% figure t note=t url=t %}{{ t }}{% endfigure %}{% endpulse %}",
    "{% facts %}{% fact t note=t %}{{ t }}{% endfact %}{% endfacts %}",
    "{% table t filtered=t clear=t next=t previous=t shown=t %}<tr><td>{{ t }}</td></tr>{% endtable %}",
    "{% tabs tabs t %}{% trace steps t %}{% trace steps t open=True %}{% timeline events t %}",
    "{% diff changes before=t after=t caption=t %}{% chart chart caption=t %}{% sparkline values t %}",
    "{% thread thread t %}{% formrow t for=t help=t error=t %}{{ t }}{% endformrow %}",
    "{% confirm t action=t id='x' title=t yes=t key=t %}{{ t }}{% endconfirm %}",
    "{% empty t t action=t url=t %}{% failed t t remedy=t retry=t %}{% refused t who=t %}",
    "{% progress 1 2 t url=t note=t %}{% fields form %}",
]


def everything(text: str) -> dict:
    class AnyForm(forms.Form):
        one = forms.CharField(label=text, help_text=text)

        def clean(self):
            raise forms.ValidationError(text or "no")

    return {
        "t": text,
        "tabs": [Tab(text, text, True, 3)],
        "steps": [TraceStep(text, text, text, text, text, text)],
        "events": [Event(date(2026, 5, 8), text, text, text, "risk", text)],
        "changes": [Change(text, text, text + "x"), Change(text, text, text)],
        "chart": charts.bars_chart([charts.Item(text, 5, 1)], title=text, versus=text),
        "values": [1, 2],
        "thread": Thread(["a"], [Node("n", "a", *[text] * 6, "done", text, text, True, text)], (), text),
        "form": AnyForm({"one": text}),
    }


@pytest.mark.parametrize("source", EVERYTHING)
def test_a_component_never_makes_markup_of_what_it_is_given(source):
    plain, evil = (
        [(e.tag, sorted(e.attrib)) for e in parsed(source, **everything(text)).iter()]
        for text in ("plain", EVIL)
    )
    assert plain == evil


@given(ANY_TEXT)
@settings(max_examples=40, deadline=None)
def test_any_text_stays_text(text):
    for source in EVERYTHING:
        plain = parsed(source, **everything("plain"))
        given_one = parsed(source, **everything(text if text.strip() else "x"))
        assert [e.tag for e in plain.iter()] == [e.tag for e in given_one.iter()]


@pytest.mark.parametrize("source", EVERYTHING)
def test_no_component_needs_an_inline_style_or_script(source):
    tree = parsed(source, **everything("plain"))
    assert not tree.xpath("//*[@style]") and not tree.xpath("//script|//style")
    assert not [name for e in tree.iter() for name in e.attrib if name.startswith("on")]


@given(st.integers(-(10**15), 10**15), st.sampled_from(sorted(EXPONENTS)))
def test_money_is_the_figure_that_display_writes(amount, currency):
    assert text_of("{% money a c %}", a=amount, c=currency) == display.format_money(amount, currency)
    assert text_of("{{ a|money:c }}", a=amount, c=currency) == display.format_money(amount, currency)
    parentheses = text_of("{% money a c negative='parentheses' symbol=False %}", a=amount, c=currency)
    assert parentheses == display.format_money(amount, currency, negative="parentheses", symbol=False)
    assert (amount < 0) == parentheses.startswith("(") == parentheses.endswith(")")


def test_a_change_carries_its_sign():
    assert [display.format_change(a) for a in (1, 0, -1)] == ["+£0.01", "£0.00", "-£0.01"]
    assert text_of("{% money 1234 change=True %}") == "+£12.34"


def test_a_figure_with_a_trace_is_a_link_and_nothing_is_a_dash():
    link = parsed("{% money 5 trace='/why' %}").find("a")
    assert (link.get("href"), link.text) == ("/why", "£0.05")
    none = parsed("{% money None %}")[0]
    assert (none.text, none.get("aria-label")) == ("-", "none")


def test_hours_days_and_counts_are_as_display_writes_them():
    day, moment = date(2026, 5, 8), datetime(2026, 5, 8, 16, 32, tzinfo=UTC)
    assert text_of("{% hours 2240 %} {{ 2250|hours }}") == "37 h 20 37.50"
    assert text_of("{% day d %}|{% weekday d %}|{{ d|day }}", d=day) == "8 May 2026|Fri 8 May 2026|8 May 2026"
    assert text_of("{% moment m %}", m=moment) == display.format_moment(moment)
    assert parsed("{% day d %}", d=day).find("time").get("datetime") == "2026-05-08"
    assert text_of("{{ 1|count:'person,people' }}, {{ 58|count:'person,people' }}") == "1 person, 58 people"


def test_keys_one_after_another_are_keys_of_their_own():
    keys = parsed("{% key k %}", k="g <b>").findall("kbd")
    assert [key.text for key in keys] == ["g", "<b>"]


@pytest.mark.parametrize("kind", STATUS_KINDS)
def test_a_status_is_a_word_and_a_shape(kind):
    mark = parsed("{% status k 'In words' %}", k=kind).find("span")
    assert mark.text == "In words" and mark.get("class") == f"status {kind}"


def test_an_unknown_status_is_refused_not_drawn_without_a_shape():
    with pytest.raises(UnknownStatus, match="done, run, wait"):
        draw("{% status 'finished' 'Finished' %}")


def test_every_level_of_djangos_messages_has_a_shape():
    assert set(MESSAGE_KINDS.values()) <= set(STATUS_KINDS)


def test_a_filtered_table_says_so_and_scrolls_in_a_box_that_the_keyboard_reaches():
    tree = parsed("{% table 'Payslips' filtered='held only' clear='/all' next='/n' %}{% endtable %}")
    assert "Filtered: held only" in tree.text_content()
    box = tree.find(".//div[@role='region']")
    assert (box.get("tabindex"), box.get("aria-label")) == ("0", "Payslips")
    assert tree.xpath("//a[@rel='next']/@href") == ["/n"] and not tree.xpath("//a[@rel='prev']")
    assert "Filtered" not in draw("{% table 'All' %}{% endtable %}")


def test_a_field_ties_its_help_and_its_error_to_the_control():
    class Form(forms.Form):
        rate = forms.IntegerField(help_text="Pence an hour.")
        file = forms.FileField(required=False)

    tree = parsed("{% fields form %}", form=Form({"rate": "abc"}))
    control = tree.find(".//input[@name='rate']")
    assert control.get("aria-invalid") == "true"
    for name in control.get("aria-describedby").split():
        assert tree.xpath(f"//*[@id='{name}']"), name
    assert tree.xpath("//div[@role='alert']//a/@href") == ["#id_rate"]
    assert tree.xpath("//label/@for") == ["id_rate", "id_file"]
    assert "optional" in tree.text_content()


def test_a_confirm_posts_with_the_forgery_token_and_the_forms_key():
    tree = parsed(
        "{% confirm 'Approve' action='/a' id='ok' key='a' %}{% endconfirm %}",
        csrf_token="T",
        form_key=lambda: "K",
    )
    form = tree.find(".//dialog/form")
    assert (form.get("method"), form.get("action")) == ("post", "/a")
    assert {i.get("name"): i.get("value") for i in form.iter("input")} == {
        "csrfmiddlewaretoken": "T", "form_key": "K",
    }  # fmt: skip
    opener = tree.find("button")
    assert (opener.get("commandfor"), opener.get("data-key")) == ("ok", "a")


def test_progress_says_where_it_is_and_polls_only_while_there_is_something_to_ask():
    running = parsed("{% progress 9 58 'Calculating' url='/p' %}")[0]
    assert running.get("hx-get") == "/p" and "9 of 58" in running.text_content()
    assert parsed("{% progress 58 58 'Done' %}")[0].get("hx-get") is None
    assert parsed("{% progress 0 0 'Reading' %}").find(".//progress").get("value") is None
    assert "stopped" in text_of("{% progress 1 2 'Posting' failed=True %}")


def test_a_diff_shows_before_and_after_and_what_stayed():
    changes = [Change("Rate", "1", "2"), Change("Code", "L", "L"), Change("X", "", "y")]
    rows = parsed("{% diff c %}", c=changes).xpath("//tbody/tr")
    shown = [[cell.text_content() for cell in row] for row in rows]
    assert shown == [["Rate", "1", "2"], ["Code", "L", "unchanged"], ["X", "nothing", "y"]]


def test_a_chart_has_its_table_one_click_away():
    chart = charts.waterfall_chart([charts.Bar("Gross", 5000, "total")], title="Pay")
    tree = parsed("{% chart c %}", c=chart)
    assert tree.xpath("//details//td/text()") == ["50.00"]
    assert tree.xpath("//svg/@role") == ["img"]


def test_a_closed_trace_is_a_detail_and_an_open_one_is_part_of_the_page():
    steps = [TraceStep("Tax", "£60.20", "gb.paye", "2026.1", result=True)]
    assert parsed("{% trace s 'Why' %}", s=steps)[0].tag == "details"
    assert parsed("{% trace s 'Why' open=True %}", s=steps)[0].tag == "section"
    assert "gb.paye 2026.1" in text_of("{% trace s 'Why' %}", s=steps)


def test_a_thread_marks_where_one_stands_and_draws_each_edge():
    nodes = [Node("a", "One", "Hour", "8.00 h", here=True), Node("b", "Two", "Charge", url="/b")]
    tree = parsed(
        "{% thread t %}", t=Thread(["One", "Two"], nodes, [Edge("a", "b", True), Edge("a", "gone")])
    )
    assert len(tree.xpath("//article")) == 2
    assert tree.xpath("//article[@aria-current='true']/p[1]/text()") == ["Hour"]
    assert tree.xpath("//path/@class") == ["pending"]


def test_the_projects_own_templates_find_the_components():
    assert "£0.05" in engines["django"].from_string("{% load ui %}{% money 5 %}").render({})


class Grouped(GroupedForm):
    groups = (Group("Who", ["name", "left_out"]), Group("", ["amount", "paid"]))

    paid = forms.BooleanField(required=False)
    amount = MoneyField("GBP")
    name = forms.CharField()
    note = forms.CharField(required=False)
    key = forms.CharField(widget=forms.HiddenInput)


def test_a_grouped_form_shows_every_field_once_by_its_groups_and_the_rest_after_them():
    form = Grouped({"amount": "none", "name": "Asha", "key": "k"})
    tree = parsed("{% fields form %}", form=form)
    assert [e.get("name") for e in tree.xpath(".//input")] == ["key", "name", "amount", "paid", "note"]
    assert [e.text_content() for e in tree.xpath(".//fieldset/legend")] == ["Who"]
    grids = [[e.get("name") for e in grid.xpath(".//input")] for grid in tree.xpath(".//div[@class='grid']")]
    assert grids == [["name"], ["amount", "paid"], ["note"]]
    said = tree.xpath(".//div[@class='form-errors']//a")[0]
    assert said.get("href") == f"#{tree.xpath('.//input[@name=$n]', n='amount')[0].get('id')}"


def test_a_form_of_few_fields_stands_side_by_side_without_a_title():
    class Few(GroupedForm):
        starts = forms.CharField()
        ends = forms.CharField()

    tree = parsed("{% fields form %}", form=Few())
    assert len(tree.xpath("./div[@class='grid']/div")) == 2 and not tree.xpath(".//legend")
