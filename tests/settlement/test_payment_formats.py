"""Payments out and what comes back: NACHA, pain.001, a bank's CSV, returns and pain.002.

What is written is read again by our own reader and is the same batch; ISO 20022's schemas say it is theirs.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from engineroom.kernel.errors import InputRefused, Problem
from engineroom.settlement.formats import bacs18, bank_csv, nacha, outcomes, pain001
from engineroom.settlement.formats.batch import (
    BankAccount,
    Batch,
    Payer,
    Payment,
    as_bacs,
    is_iban,
    is_routing_number,
    plain,
)

SHARED = Path(os.environ.get("ENGINEROOM_SHARED", Path(__file__).parents[2].parent / "shared"))
ACH = SHARED / "formats/nacha/visible/moov-ach"
XSD = SHARED / "formats/iso20022/common/xsd-sepaxml"
MADE, PAY_DAY = datetime(2026, 11, 24, 9, 30, tzinfo=UTC), date(2026, 11, 27)

US = BankAccount(routing="231380104", number="81967038518")
GB = BankAccount(sort_code="200000", number="55779911")
EU = BankAccount(iban="DE89370400440532013000")


def batch(*payments: Payment, account: BankAccount, id_: str = "RUN-7") -> Batch:
    return Batch(id_, MADE, PAY_DAY, Payer("Harbour Payroll Ltd", account, "1123456789"), payments)


def pay(
    n: int, account: BankAccount, currency: str, amount: int = 123_456, text: str = "", country: str = "",
    prenote: bool = False,
) -> Payment:  # fmt: skip
    return Payment(f"P{n:05}", f"Jo Bloggs {n}", account, amount, currency, text, country, "", prenote)


def refusals(run: object, *args: object, **more: object) -> list[Problem]:
    with pytest.raises(InputRefused) as refused:
        run(*args, **more)  # type: ignore[operator]
    assert all(p.problem and p.remedy for p in refused.value.problems)
    return list(refused.value.problems)


# check digits -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("good", ["231380104", "121042882", "031300012", "091000019", "021000021"])
def test_a_routing_number_with_any_digit_changed_is_none(good: str) -> None:
    assert is_routing_number(good)
    for at in range(9):
        for digit in "0123456789":
            changed = good[:at] + digit + good[at + 1 :]
            assert is_routing_number(changed) == (changed == good)


@pytest.mark.parametrize("good", ["DE89370400440532013000", "GB33BUKB20201555555555", "NL91ABNA0417164300"])
def test_an_iban_with_any_letter_changed_is_none(good: str) -> None:
    assert is_iban(good)
    assert not is_iban(good[:-1])
    assert not any(
        is_iban(good[:at] + other + good[at + 1 :])
        for at in range(2, len(good))
        for other in "0123456789"
        if good[at].isdigit() and other != good[at]
    )


# NACHA --------------------------------------------------------------------------------------------------

TERMS = nacha.Terms("231380104", "First Bank", "1123456789", "Harbour Payroll", "12104288")


def test_a_payroll_file_is_exactly_these_bytes() -> None:
    made = nacha.write(batch(pay(1, US, "USD"), pay(2, US, "USD", 0, prenote=True), account=US), TERMS)
    rows = made.decode().splitlines()
    assert rows[0] == (
        "101 23138010411234567892611240930A094101First Bank             Harbour Payroll        RUN-7   "
    )
    assert rows[1] == (
        "5220Harbour Payroll RUN-7               1123456789PPDPAYROLL         261127   1121042880000001"
    )
    assert rows[2] == (
        "62223138010481967038518      0000123456P00001         Jo Bloggs 1             0121042880000001"
    )
    assert rows[3] == (
        "62323138010481967038518      0000000000P00002         Jo Bloggs 2             0121042880000002"
    )
    assert rows[4] == (
        "822000000200462760200000000000000000001234561123456789                         121042880000001"
    )
    assert rows[5] == f"{'9000001000001000000020046276020000000000000000000123456':94}"
    assert rows[6:] == ["9" * 94] * 4
    assert {len(row) for row in rows} == {94}


def test_ccd_carries_one_addenda_and_a_reversal_takes_back_by_debits() -> None:
    tax = batch(pay(1, US, "USD", text="TXP*123456789*941*251130"), pay(2, US, "USD"), account=US)
    file = nacha.read(nacha.write(tax, TERMS, sec="CCD", description="TAXES"))
    [entries] = [b.entries for b in file.batches]
    assert [(len(e.addenda), e.said[78]) for e in entries] == [(1, "1"), (0, "0")]
    back = nacha.read(nacha.write(tax, TERMS, sec="CCD", reversal_of=date(2026, 11, 24)))
    assert back.batches[0].description == "REVERSAL"
    assert [e.code for e in back.batches[0].entries] == ["27", "27"]
    late = refusals(nacha.write, tax, TERMS, sec="CCD", reversal_of=date(2026, 11, 13))
    assert "cannot be reversed" in late[0].problem


def test_everything_wrong_with_a_batch_comes_in_one_answer_by_row() -> None:
    wrong = batch(
        pay(1, replace(US, routing="231380105"), "USD"),
        pay(2, US, "EUR"),
        pay(3, US, "USD", 0),
        replace(pay(4, US, "USD"), reference="P00001"),
        replace(pay(5, US, "USD"), name="王"),
        account=US,
    )
    problems = refusals(nacha.write, wrong, TERMS, description="BONUS")
    assert {(p.row, p.field) for p in problems} == {
        (1, "payee routing number"),
        (2, "currency"),
        (3, "amount"),
        (4, "reference"),
        (5, "name"),
        (None, "description"),
    }


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 10**9), st.booleans(), st.text(max_size=30)), min_size=1, max_size=30)
)
def test_what_nacha_writes_is_read_again_as_the_same_batch(rows: list[tuple[int, bool, str]]) -> None:
    payments = tuple(
        replace(
            pay(n, replace(US, kind="savings" if savings else "checking"), "USD", amount),
            name=plain(f"A{name}", 22),
        )
        for n, (amount, savings, name) in enumerate(rows, 1)
    )
    one = batch(*payments, account=US)
    made = nacha.write(one, TERMS)
    file = nacha.read(made)
    assert nacha.as_batch(file).payments == payments
    assert "\n".join(file.rows) + "\n" == made.decode()


INVALID_ACH = {
    "test__issues__testdata__issue1620": "the batch count",
    "test__issues__testdata__issue702": "is not a routing number",
    "test__issues__testdata__issue751": "not with a file header",
    "test__testdata__20110729A-invalid": "is not the header",
    "test__testdata__20180716-IAT-A17": "does not belong in a batch of class 220",
    "test__testdata__20180716-IAT-A17-A18": "does not belong in a batch of class 220",
    "test__testdata__Iat-invalidAddenda13": "a control character",
    "test__testdata__adv-invalidFileControl": "the entry count",
    "test__testdata__crashers__0": "not with a file header",
    "test__testdata__crashers__1": "not with a file header",
    "test__testdata__crashers__2": "not with a file header",
    "test__testdata__crashers__4": "is not ASCII",
    "test__testdata__iat-invalidAddenda16": "a control character",
    "test__testdata__iat-invalidAddenda17": "a control character",
    "test__testdata__iat-invalidAddenda18": "a control character",
    "test__testdata__iat-invalidAddenda98": "C78 is not a change",
    "test__testdata__iat-invalidAddenda99": "the trace number is zero",
    "test__testdata__iat-invalidAddendaRecordIndicator": "is neither 0 nor 1",
    "test__testdata__iat-invalidBatchHeader": "is not a service class",
    "test__testdata__iat-invalidEntryDetail": "is not a transaction code",
    "test__testdata__ppd-debit-fixedLengthInvalid": "is not the header",
    "test__testdata__ppd-mixedDebitCredit-invalid": "is not the originator's number",
    "test__testdata__return-no-batch-controls": "not with a file header",
    "test__testdata__return-no-batch-header": "not with a file header",
    "test__testdata__return-no-file-header-control": "not with a file header",
    "test__testdata__txp-credit": "is not a date",
    "test__testdata__txp-debit": "is not a number",
    "test__testdata__web-invalidNOCFile": "C92 is not a change",
}
"""Broken files, by why. The two IAT files of 2018 hold debits in a batch that says it has credits only; the
txp files have their fields two places off."""

VALID_ACH = """
cmd__readACH__201805101354 cmd__writeACH__201805101354 cmd__writeACH__202001172118
examples__testdata__ack-read
examples__testdata__adv-read examples__testdata__arc-debit examples__testdata__cie-credit
examples__testdata__dishonored-return examples__testdata__enr-read examples__testdata__iat-mixedCreditDebit
examples__testdata__mte-read examples__testdata__ppd-debit examples__testdata__ppd-mixedDebitCredit
examples__testdata__segmentFile-ppd-credit examples__testdata__shr-debit examples__testdata__trc-debit
test__ach-ack-read__ack-read test__ach-boc-read__boc-debit test__ach-cor-read__cor-read
test__ach-ctx-read__ctx-debit test__ach-enr-read__enr-read test__ach-mte-read__mte-read
test__ach-pop-read__pop-debit test__ach-pos-read__pos-debit test__ach-ppd-read__ppd-credit
test__ach-rck-read__rck-debit test__ach-shr-read__shr-debit test__ach-trx-read__trx-debit
test__ach-xck-read__xck-debit test__issues__testdata__issue1595
test__issues__testdata__issue927__44a858e07e89fb0b24bcfdda733070f38ef1e889
test__issues__testdata__issue927__54fa1e16738209076a14548ff3dd061ef2e671a1
test__issues__testdata__issue927__bfd6b648c4b4e2d1581a0767740233f2c67cebea
test__same-day-ach-ppd-read__same-day-ach-ppd-credit test__testdata__NACHA_SAMPLE_TEL_REVERSAL
test__testdata__cor-example test__testdata__flattenBatchesTraceNumberCollision
test__testdata__flattenIATBatchesMultipleBatchHeaders test__testdata__flattenIATBatchesOneBatchHeader
test__testdata__gl-debit test__testdata__iat-debit test__testdata__iat-mixedDebitCredit
test__testdata__loan-credit test__testdata__ppd-debit test__testdata__ppd-debit-customTraceNumber
test__testdata__return-PPD-custom-reason-code test__testdata__short-line test__testdata__web-debit
"""


@pytest.mark.parametrize("name", [*VALID_ACH.split(), *INVALID_ACH])
def test_ach_files_of_another_project_get_the_verdict_they_deserve(name: str) -> None:
    path = ACH / f"{name}.ach"
    if not path.exists():
        pytest.skip(f"no sample at {path}; set ENGINEROOM_SHARED")
    data = path.read_bytes()
    if says := INVALID_ACH.get(name):
        problems = refusals(nacha.read, data)
        assert any(says in p.problem and p.row for p in problems), [str(p) for p in problems]
        return
    kept = [row.rstrip() for row in nacha.read(data).rows]
    assert kept == [row.rstrip() for row in data.decode().replace("\r\n", "\n").split("\n") if row.strip()]


def test_every_ach_sample_has_a_verdict() -> None:
    if not ACH.exists():
        pytest.skip(f"no samples at {ACH}; set ENGINEROOM_SHARED")
    assert {p.stem for p in ACH.glob("*.ach")} == {*VALID_ACH.split(), *INVALID_ACH}


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_mutated_ach_files_are_read_or_refused(data: st.DataObject) -> None:
    good = bytearray(nacha.write(batch(pay(1, US, "USD"), account=US), TERMS))
    for at, byte in data.draw(
        st.lists(st.tuples(st.integers(0, len(good) - 1), st.integers(0, 255)), max_size=8)
    ):
        good[at] = byte
    cut = data.draw(st.integers(0, len(good)))
    for raw in (bytes(good), bytes(good[:cut]), data.draw(st.binary(max_size=300))):
        try:
            nacha.outcomes_of(nacha.read(raw))
        except InputRefused as refused:
            assert all(p.problem and p.remedy for p in refused.problems)


def test_returns_and_changes_say_which_payment_what_it_means_and_what_to_do() -> None:
    rows = nacha.write(batch(pay(1, US, "USD"), account=US), TERMS).decode().splitlines()
    entry = f"621{rows[2][3:78]}1{rows[2][79:]}"
    returned = f"799R03121042880000001      12104288{'':44}231380100000001"
    change = f"798C03121042880000001      12104288{'021000021   99887766':29}{'':15}231380100000001"
    for addenda in (returned, change):
        kept = [rows[0], rows[1], entry, addenda.ljust(94), rows[3], rows[4]]
        kept[4] = kept[4][:4] + "000002" + "0023138010" + kept[4][20:]
        kept[5] = kept[5][:13] + "00000002" + "0023138010" + kept[5][31:]
        [outcome] = nacha.outcomes_of(nacha.read("\n".join(kept).encode()))
        assert (outcome.reference, outcome.amount_minor) == ("121042880000001", 123_456)
        if addenda is returned:
            assert (outcome.kind, outcome.code) == ("returned", "R03")
            assert "no such account" in outcome.meaning
            assert outcome.next_step == outcomes.ASK_PAYEE
        else:
            assert (outcome.kind, outcome.corrected) == (
                "changed",
                {"routing": "021000021", "account": "99887766"},
            )
            assert outcome.next_step == outcomes.UPDATE


# pain.001 -----------------------------------------------------------------------------------------------

ORDERS = {
    "sepa": batch(pay(1, EU, "EUR", text="Wages & more, café"), pay(2, EU, "EUR", 5), account=EU),
    "uk": batch(pay(1, GB, "GBP", text="Wages"), pay(2, replace(GB, number="12345678"), "GBP"), account=GB),
    "cross-border": batch(
        pay(1, BankAccount(number="123456789", bic="CITIUS33"), "USD", country="US"),
        pay(2, replace(EU, bic="COBADEFFXXX"), "USD", country="DE"),
        account=replace(EU, bic="COBADEFFXXX"),
    ),
}


@pytest.mark.parametrize("version", ["03", "09"])
@pytest.mark.parametrize("profile", ORDERS)
def test_an_order_is_iso_20022s_and_is_read_again_as_the_same_batch(
    profile: pain001.Profile, version: pain001.Version
) -> None:
    one = ORDERS[profile]
    made = pain001.write(one, version=version, profile=profile, purpose="SALA")
    assert made == pain001.write(one, version=version, profile=profile, purpose="SALA")
    again = pain001.read(made)
    wanted = tuple(replace(p, text=plain(p.text, 140)) for p in one.payments)
    assert again.payments == wanted
    assert (again.id, again.made, again.pay_date) == (one.id, one.made, one.pay_date)
    assert again.payer == one.payer
    schema = XSD / f"sepaxml__schemas__pain.001.001.{version}.xsd"
    if not schema.exists():
        pytest.skip(f"no schema at {schema}; set ENGINEROOM_SHARED")
    etree.XMLSchema(etree.parse(str(schema))).assertValid(etree.fromstring(made))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("<NbOfTxs>2<", "<NbOfTxs>3<", "says 3 payments"),
        ("<CtrlSum>1234.61<", "<CtrlSum>1234.60<", "they add to 1,234.61"),
        (">0.05<", ">0.055<", "is not an amount"),
        ("</PmtInf>", "", "not well-formed"),
        ("<Document", "<!DOCTYPE x [<!ENTITY a 'b'>]><Document", "DOCTYPE"),
        ("CstmrCdtTrfInitn", "CstmrDrctDbtInitn", "not a payment order"),
    ],
)
def test_an_order_that_contradicts_itself_is_refused(old: str, new: str, says: str) -> None:
    made = pain001.write(ORDERS["sepa"], profile="sepa").decode()
    assert old in made
    problems = refusals(pain001.read, made.replace(old, new).encode())
    assert any(says in p.problem for p in problems)


def test_an_order_is_refused_by_row_and_field() -> None:
    bad = batch(
        pay(1, replace(EU, iban="DE89370400440532013001"), "EUR"),
        pay(2, GB, "EUR"),
        pay(3, EU, "GBP"),
        account=EU,
    )
    problems = refusals(pain001.write, bad, profile="sepa")
    assert {(1, "payee IBAN"), (2, "payee account"), (3, "currency")} <= {(p.row, p.field) for p in problems}


# Bacs and a bank's CSV ----------------------------------------------------------------------------------


def test_the_same_batch_leaves_by_bacs() -> None:
    one = batch(pay(1, GB, "GBP"), pay(2, replace(GB, number="12345678"), "GBP", 99), account=GB)
    one = replace(one, payer=replace(one.payer, id="123456"))
    originator, credits = as_bacs(one)
    made = bacs18.write(originator, credits, PAY_DAY, created_on=MADE.date(), serial=1, file_number=1)
    assert bacs18.read(made).total_minor == one.total_minor


LAYOUT = bank_csv.Layout(
    columns=(
        ("Beneficiary", "name"), ("Sort code", "sort_code"), ("Account", "account"), ("Amount", "amount"),
        ("Reference", "reference"), ("Date", "pay_date"), ("Type", "=BACS"),
    ),
    delimiter=";",
    decimal=",",
    encoding="cp1252",
)  # fmt: skip


def test_a_banks_csv_is_exactly_these_bytes_and_the_same_batch_again() -> None:
    one = batch(replace(pay(1, GB, "GBP"), name="Zoë; O'Neil"), account=GB)
    made = bank_csv.write(one, LAYOUT)
    assert made == (
        b"Beneficiary;Sort code;Account;Amount;Reference;Date;Type\r\n"
        b'"Zo\xeb; O\'Neil";200000;55779911;1234,56;P00001;27/11/2026;BACS\r\n'
    )
    assert bank_csv.read(made, LAYOUT, id_=one.id, made=MADE, payer=one.payer) == one


def test_what_a_spreadsheet_would_run_is_refused() -> None:
    problems = refusals(bank_csv.write, batch(replace(pay(1, GB, "GBP"), name="=1+1 x"), account=GB), LAYOUT)
    assert [(p.row, p.field) for p in problems] == [(1, "Beneficiary")]


# pain.002 -----------------------------------------------------------------------------------------------

STATUS = """<?xml version="1.0"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.03"><CstmrPmtStsRpt>
<GrpHdr><MsgId>B1</MsgId><CreDtTm>2026-11-27T10:00:00</CreDtTm></GrpHdr>
<OrgnlGrpInfAndSts><OrgnlMsgId>RUN-7</OrgnlMsgId><OrgnlMsgNmId>pain.001</OrgnlMsgNmId><GrpSts>PART</GrpSts>
</OrgnlGrpInfAndSts>
<OrgnlPmtInfAndSts><OrgnlPmtInfId>RUN-7</OrgnlPmtInfId>
<TxInfAndSts><OrgnlEndToEndId>P00001</OrgnlEndToEndId><TxSts>RJCT</TxSts>
<StsRsnInf><Rsn><Cd>AC04</Cd></Rsn><AddtlInf>closed in May</AddtlInf></StsRsnInf></TxInfAndSts>
<TxInfAndSts><OrgnlEndToEndId>P00002</OrgnlEndToEndId><TxSts>ACSC</TxSts></TxInfAndSts>
</OrgnlPmtInfAndSts></CstmrPmtStsRpt></Document>
"""


def test_a_status_report_says_of_each_payment_what_became_of_it() -> None:
    whole, closed, settled = outcomes.read_pain002(STATUS.encode())
    assert (whole.kind, whole.file, whole.reference) == ("pending", "RUN-7", "")
    assert (closed.kind, closed.reference, closed.code) == ("rejected", "P00001", "AC04")
    assert (closed.meaning, closed.next_step) == ("the account is closed", outcomes.ASK_PAYEE)
    assert (closed.information, closed.row) == ("closed in May", 7)
    assert (settled.kind, settled.reference) == ("accepted", "P00002")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("RJCT", "WHAT", "is not a status"),
        ("OrgnlGrpInfAndSts", "Other", "which file it is of"),
        ("CstmrPmtStsRpt", "CstmrCdtTrfInitn", "not a payment status report"),
    ],
)
def test_a_status_report_that_says_nothing_we_know_is_refused(old: str, new: str, says: str) -> None:
    problems = refusals(outcomes.read_pain002, STATUS.replace(old, new).encode())
    assert says in problems[0].problem


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_mutated_xml_is_read_or_refused(data: st.DataObject) -> None:
    for good, reader in (
        (STATUS.encode(), outcomes.read_pain002),
        (pain001.write(ORDERS["sepa"], profile="sepa"), pain001.read),
    ):
        changed = bytearray(good)
        places = st.tuples(st.integers(0, len(good) - 1), st.integers(0, 255))
        for at, byte in data.draw(st.lists(places, max_size=6)):
            changed[at] = byte
        for raw in (bytes(changed), data.draw(st.binary(max_size=100))):
            try:
                reader(raw)  # type: ignore[operator]
            except InputRefused as refused:
                assert all(p.problem for p in refused.problems)


def test_codes_are_of_their_lists_forms() -> None:
    assert all(re.fullmatch(r"R[0-9]{2}", code) for code in outcomes.RETURNS)
    assert all(re.fullmatch(r"C[0-9]{2}", code) for code in outcomes.CHANGES)
