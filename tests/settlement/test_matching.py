"""Which bank line settles what: pure rules, an answer only where it is the only one."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engineroom.kernel.ids import uuid7
from engineroom.settlement.engine import matching
from engineroom.settlement.engine.matching import (
    Candidate,
    Line,
    Outcome,
    Settled,
    Unsettled,
    match,
    normalised,
)

DAY = date(2026, 11, 27)


def line(
    amount: int,
    text: str = "",
    payer: str = "",
    *,
    is_return: bool = False,
    day: date = DAY,
    currency: str = "GBP",
) -> Line:
    return Line(uuid7(), day, currency, amount, text, payer, is_return)


def invoice(
    amount: int, reference: str = "INV-000001", customer: str = "Acme Ltd", currency: str = "GBP"
) -> Candidate:
    return Candidate("invoice", uuid7(), reference, amount, currency, customer)


def batch(amount: int, reference: str = "ER000001", day: date = DAY) -> Candidate:
    return Candidate("batch", uuid7(), reference, amount, "GBP", "", day)


def payment(amount: int, reference: str = "ER000001 00001") -> Candidate:
    return Candidate("payment", uuid7(), reference, amount, "GBP")


def only(outcome: Outcome) -> Settled | Unsettled:
    [answer] = [*outcome.settled, *outcome.unsettled]
    return answer


def rule_of(one: Line, *candidates: Candidate) -> str:
    """The rule that settles the line, or the reason why none does."""
    answer = only(match([one], candidates))
    return answer.rule if isinstance(answer, Settled) else answer.reason


# money out --------------------------------------------------------------------------------------------


def test_a_file_is_found_by_its_reference_and_whole_amount() -> None:
    assert rule_of(line(-500, "BACS ER000001"), batch(-500), batch(-500, "ER000002")) == "batch by reference"


def test_a_file_that_the_bank_took_another_amount_for_is_looked_at() -> None:
    answer = only(match([line(-499, "ER000001")], [batch(-500), batch(-499, "ER000002")]))
    assert isinstance(answer, Unsettled)
    assert (answer.reason, "5.00 GBP is on its way" in answer.detail) == ("amount differs", True)


@pytest.mark.parametrize(
    ("days", "rule"),
    [(-2, "unknown payment"), (-1, "batch by amount"), (5, "batch by amount"), (6, "unknown payment")],
)
def test_without_a_reference_a_file_is_found_by_its_amount_around_its_day(days: int, rule: str) -> None:
    assert rule_of(line(-500, "SALARIES", day=DAY + timedelta(days=days)), batch(-500)) == rule


def test_two_files_of_one_amount_are_a_tie() -> None:
    assert rule_of(line(-500), batch(-500), batch(-500, "ER000002")) == "ambiguous"


def test_a_line_that_names_two_files_is_a_tie_even_if_a_third_has_its_amount() -> None:
    three = [batch(-500), batch(-600, "ER000002"), batch(-1100, "ER000003")]
    assert rule_of(line(-1100, "ER000001 ER000002"), *three) == "ambiguous"


def test_a_file_taken_twice_is_not_taken_for_another_of_its_amount() -> None:
    """The bank books ER000001 a second time by mistake; ER000002 happens to be as large."""
    lines = [line(-500, "ER000001"), line(-500, "ER000001")]
    outcome = match(lines, [batch(-500), batch(-500, "ER000002")])
    assert [s.parts[0][0].reference for s in outcome.settled] == ["ER000001"]
    assert [u.reason for u in outcome.unsettled] == ["settled already"]
    assert rule_of(line(-500, "ER000001"), batch(0), batch(-500, "ER000002")) == "settled already"


# money back -------------------------------------------------------------------------------------------


def test_a_return_finds_the_one_payment_it_returns() -> None:
    both = [payment(300), payment(300, "ER000001 00002")]
    answer = only(match([line(300, "ER000001 00002", is_return=True)], both))
    assert isinstance(answer, Settled)
    assert (answer.rule, answer.parts) == ("returned payment", ((both[1], 300),))


def test_a_return_without_the_banks_mark_is_known_by_its_reference() -> None:
    assert rule_of(line(300, "ER000001 00001"), payment(300)) == "returned payment"


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (line(299, "ER000001 00001", is_return=True), "amount differs"),
        (line(300, "ER000009 00001", is_return=True), "unknown return"),
        (line(300, "INV-000001", is_return=True), "unknown return"),
        (line(300, "ER000001 00001 / ER000001 00002", is_return=True), "ambiguous"),
    ],
    ids=["other amount", "other reference", "an invoice", "two payments"],
)
def test_a_return_that_does_not_fit_one_payment_is_looked_at(one: Line, reason: str) -> None:
    assert rule_of(one, payment(300), payment(300, "ER000001 00002"), invoice(300)) == reason


def test_a_payment_comes_back_once() -> None:
    twice = [line(300, "ER000001 00001", is_return=True) for _ in range(2)]
    outcome = match(twice, [payment(300)])
    assert [s.line for s in outcome.settled] == twice[:1]
    assert [u.reason for u in outcome.unsettled] == ["settled already"]


# money in ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["INV-000001", "inv 000001.", "pymt inv000001 thanks", "RF/INV-000001/2026", "INV 000 001"]
)
def test_an_invoice_is_found_however_its_number_is_typed(text: str) -> None:
    assert rule_of(line(100, text), invoice(100)) == "invoice by number"


@pytest.mark.parametrize("text", ["INV-0000012", "INV-00001", "XINV-000001", "1INV", ""])
def test_a_number_that_runs_on_is_another_number(text: str) -> None:
    assert rule_of(line(100, text, "SOMEBODY"), invoice(100)) == "unknown receipt"


def test_one_receipt_pays_several_invoices_that_it_names_in_full() -> None:
    two = [invoice(100), invoice(250, "INV-000002")]
    answer = only(match([line(350, "INV-000001, INV-000002")], two))
    assert isinstance(answer, Settled)
    assert answer.parts == ((two[0], 100), (two[1], 250))


def test_a_partial_receipt_leaves_the_rest_open_for_the_next() -> None:
    one = invoice(100)
    outcome = match([line(60, "INV-000001"), line(40, "INV-000001"), line(1, "INV-000001")], [one])
    assert [(s.rule, s.parts[0][1]) for s in outcome.settled] == [
        ("invoice in part", 60),
        ("invoice by number", 40),
    ]
    assert [u.reason for u in outcome.unsettled] == ["settled already"]


@pytest.mark.parametrize(
    ("amount", "text", "reason"),
    [
        (101, "INV-000001", "amount differs"),
        (99, "INV-000001 INV-000002", "amount differs"),
        (0, "INV-000001", "no money"),
    ],
    ids=["more than is owed", "part of two", "nothing"],
)
def test_an_amount_that_does_not_fit_what_is_named_is_looked_at(amount: int, text: str, reason: str) -> None:
    assert rule_of(line(amount, text), invoice(100), invoice(100, "INV-000002")) == reason


def test_a_second_payment_of_an_invoice_does_not_pay_the_next_one() -> None:
    """It names what it pays; that the same customer owes the same amount again is chance."""
    candidates = [invoice(0), invoice(100, "INV-000002")]
    assert rule_of(line(100, "INV-000001", "ACME LTD"), *candidates) == "settled already"


@pytest.mark.parametrize(
    ("payer", "customer", "rule"),
    [
        ("ACME LTD", "Acme Ltd", "amount and customer"),
        ("ACME STORES (NORTH", "Acme Stores (North of England) plc", "amount and customer"),
        ("ACME STORES (NORTH)", "Acme Stores (North of England) plc", "unknown receipt"),
        ("CARLISLE FOODS LIM", "Carlisle Foods Limited", "amount and customer"),
        ("NORTHERN PROPERTY SERVICES LEEDS LTD", "Northern Property Services York Ltd", "unknown receipt"),
        ("NORTHERN PROPERTY SERVICES YORK LTD", "Northern Property Services York Ltd", "amount and customer"),
        ("Carlisle City Council Housing", "Carlisle City Council Parks Ltd", "unknown receipt"),
        ("CAFE MERIDA GROUP LTD", "Café Mérida Group Ltd", "amount and customer"),
        ("ALDER AND FINCH CATERING LTD", "Alder & Finch Catering Ltd", "amount and customer"),
        ("ALDER & FINCH CATE", "Alder & Finch Catering Ltd", "amount and customer"),
        ("ACME", "Acme Ltd", "amount and customer"),
        ("A", "Acme Ltd", "unknown receipt"),
        ("THE CO-OP", "Theakston Ltd", "unknown receipt"),
        ("", "Acme Ltd", "unknown receipt"),
        ("ANYBODY", "株式会社", "unknown receipt"),
        ("ООО ВЕРХНЕВОЛЖСКИЙ ТОРГОВЫЙ ДОМ", "Acme Ltd", "unknown receipt"),
        ("JOHN", "Johnson Electrical Ltd", "unknown receipt"),
        ("BP", "BP", "amount and customer"),
    ],
)
def test_a_receipt_without_a_number_needs_its_payer_and_its_amount(
    payer: str, customer: str, rule: str
) -> None:
    assert rule_of(line(100, "wages wk 47", payer), invoice(100, customer=customer)) == rule


def test_two_invoices_of_one_amount_and_payer_are_a_tie() -> None:
    answer = only(match([line(100, payer="ACME LTD")], [invoice(100), invoice(100, "INV-000002")]))
    assert isinstance(answer, Unsettled)
    assert answer.reason == "ambiguous"
    assert "INV-000001, INV-000002" in answer.detail


def test_money_of_another_currency_pays_nothing() -> None:
    euros = [invoice(100, currency="EUR")]
    assert rule_of(line(100, "INV-000001", "ACME LTD"), *euros) == "unknown receipt"
    assert rule_of(line(100, "INV-000001", currency="EUR"), *euros) == "invoice by number"


def test_a_guess_never_takes_what_another_line_names() -> None:
    """Whichever of the two lines stands first."""
    named, guessed = line(100, "INV-000001"), line(100, payer="ACME LTD")
    for lines in ([named, guessed], [guessed, named]):
        outcome = match(lines, [invoice(100)])
        assert [s.line for s in outcome.settled] == [named]
        assert [u.reason for u in outcome.unsettled] == ["unknown receipt"]


# for any lines and candidates -------------------------------------------------------------------------

small = st.integers(1, 4).map(lambda n: n * 100)
references = st.sampled_from(
    ["INV-000001", "INV-000002", "INV-000003", "ER000001", "ER000002", "ER000001 00001"]
)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[Line], list[Candidate]]:
    """A few lines and candidates that get into each other's way."""
    customers = st.sampled_from(["Acme Ltd", "Acme Stores Ltd", "Beta plc"])
    candidates = [
        *(
            invoice(draw(st.integers(0, 4)) * 100, f"INV-{n:06d}", draw(customers))
            for n in range(1, draw(st.integers(1, 5)))
        ),
        *(batch(-draw(small), f"ER{n:06d}") for n in range(1, draw(st.integers(1, 4)))),
        *(payment(draw(small), f"ER000001 {n:05d}") for n in range(1, draw(st.integers(1, 3)))),
    ]
    texts = st.lists(references, max_size=2).map(" ".join)
    payers = st.sampled_from(["", "ACME", "ACME STORES", "BETA PLC", "J WHITTAKER"])
    one = st.builds(
        line, st.integers(-4, 8).map(lambda n: n * 100), texts, payers, is_return=st.booleans(),
        currency=st.sampled_from(["GBP", "GBP", "EUR"]),
    )  # fmt: skip
    return draw(st.lists(one, max_size=8)), candidates


@pytest.mark.behaviour("CLR-04")
@given(worlds())
def test_every_line_is_settled_once_or_has_its_reason(world: tuple[list[Line], list[Candidate]]) -> None:
    lines, candidates = world
    outcome = match(lines, candidates)
    answered = Counter(answer.line.id for answer in (*outcome.settled, *outcome.unsettled))
    assert answered == Counter(one.id for one in lines)
    assert all(u.reason and u.detail for u in outcome.unsettled)


@given(worlds())
def test_a_line_is_settled_whole_and_nothing_beyond_what_is_left(
    world: tuple[list[Line], list[Candidate]],
) -> None:
    lines, candidates = world
    used: Counter[UUID] = Counter()
    for settled in match(lines, candidates).settled:
        assert sum(amount for _, amount in settled.parts) == settled.line.amount
        for candidate, amount in settled.parts:
            assert candidate.currency == settled.line.currency
            used[candidate.id] += amount
    for candidate in candidates:
        assert abs(used[candidate.id]) <= abs(candidate.amount)
        assert used[candidate.id] * candidate.amount >= 0


@given(worlds(), st.randoms())
def test_the_order_of_candidates_never_matters(
    world: tuple[list[Line], list[Candidate]], random: object
) -> None:
    lines, candidates = world
    shuffled = list(candidates)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert match(lines, shuffled) == match(lines, candidates)


@given(st.text(max_size=30))
def test_a_reference_is_letters_and_digits_alone(text: str) -> None:
    flat = normalised(text)
    assert flat == normalised(flat)
    assert all(c.isascii() and c.isalnum() for c in flat)


def test_a_guess_looks_at_what_has_its_amount_and_at_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """A month of 300,000 lines is no longer than the lines: counted in names compared, not in seconds."""
    compared: list[str] = []

    def compare(shown: str, customer: str) -> bool:
        compared.append(shown)
        return True

    monkeypatch.setattr(matching, "_is_payer", compare)
    amounts = range(1, 301)
    outcome = match([line(n, payer="ACME") for n in amounts], [invoice(n, f"INV-{n:06d}") for n in amounts])
    assert (len(outcome.settled), len(compared)) == (300, 300)
