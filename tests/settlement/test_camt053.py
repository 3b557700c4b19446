"""camt.053: a statement is read whole and right, or refused by line, in memory that does not grow."""

from __future__ import annotations

import io
import os
import re
import tracemalloc
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engineroom.kernel.errors import InputRefused, Problem
from engineroom.settlement.formats import camt053, reading
from engineroom.settlement.formats.camt053 import read
from engineroom.settlement.formats.record import Line, Statement

SHARED = Path(os.environ.get("ENGINEROOM_SHARED", Path(__file__).parents[2].parent / "shared"))
SAMPLES = SHARED / "formats/iso20022/visible"
NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"


def balance(code: str, amount: str, indicator: str = "CRDT", currency: str = "GBP") -> str:
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy='{currency}'>{amount}</Amt>"
        f"<CdtDbtInd>{indicator}</CdtDbtInd><Dt><Dt>2026-11-20</Dt></Dt></Bal>\n"
    )


def entry(
    amount: str = "12.34",
    indicator: str = "CRDT",
    status: str = "<Cd>BOOK</Cd>",
    more: str = "",
    currency: str = "GBP",
    before: str = "",
) -> str:
    return (
        f"<Ntry>{before}<Amt Ccy='{currency}'>{amount}</Amt><CdtDbtInd>{indicator}</CdtDbtInd>"
        f"<Sts>{status}</Sts><BookgDt><Dt>2026-11-20</Dt></BookgDt>{more}</Ntry>\n"
    )


def statement(
    *parts: str, account: str = "<Id><IBAN>GB33BUKB20201555555555</IBAN></Id><Ccy>GBP</Ccy>"
) -> str:
    return f"<Stmt><Id>S1</Id><Acct>{account}</Acct>\n{''.join(parts)}</Stmt>\n"


def document(*statements: str, namespace: str = NAMESPACE) -> bytes:
    xmlns = f' xmlns="{namespace}"' if namespace else ""
    head = f"<?xml version='1.0' encoding='UTF-8'?>\n<Document{xmlns}><BkToCstmrStmt>"
    head += "<GrpHdr><MsgId>M1</MsgId></GrpHdr>\n"
    return f"{head}{''.join(statements)}</BkToCstmrStmt></Document>".encode()


def footed(*entries: str, closing: str) -> bytes:
    return document(statement(balance("OPBD", "100.00"), balance("CLBD", closing), *entries))


def all_of(data: bytes, expected_currency: str | None = None) -> list[tuple[Statement, list[Line]]]:
    stream = io.BytesIO(data)
    return [
        (s, list(s.lines)) for s in read(stream, file_name="bank.xml", expected_currency=expected_currency)
    ]


def lines_of(*entries: str, closing: str) -> list[Line]:
    return all_of(footed(*entries, closing=closing))[0][1]


def refused(data: bytes, expected_currency: str | None = None) -> list[Problem]:
    with pytest.raises(InputRefused) as refusal:
        all_of(data, expected_currency)
    problems = list(refusal.value.problems)
    assert problems
    assert all(p.file == "bank.xml" and p.remedy for p in problems)
    return problems


# what is read -----------------------------------------------------------------------------------------


def test_a_statement_says_whose_it_is_and_its_lines_come_signed_and_numbered() -> None:
    [(found, lines)] = all_of(footed(entry("50.00"), entry("20.50", "DBIT"), closing="129.50"))
    assert (found.id, found.message_id, found.account.iban) == ("S1", "M1", "GB33BUKB20201555555555")
    assert (found.currency, found.opening_minor, found.closing_minor) == ("GBP", 100_00, 129_50)
    assert [(b.code, b.amount_minor, b.day) for b in found.balances] == [
        ("OPBD", 100_00, date(2026, 11, 20)),
        ("CLBD", 129_50, date(2026, 11, 20)),
    ]
    assert [(line.ordinal, line.amount_minor, line.is_credit) for line in lines] == [
        (1, 5000, True),
        (2, -2050, False),
    ]
    assert lines[0].booking_date == date(2026, 11, 20)
    assert found.problems == []


def test_everything_a_transaction_says_is_kept() -> None:
    details = """<AcctSvcrRef>SVC1</AcctSvcrRef><BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd>
      <SubFmlyCd>BACS</SubFmlyCd></Fmly></Domn><Prtry><Cd>BAC</Cd></Prtry></BkTxCd><NtryDtls><TxDtls><Refs>
      <InstrId>I1</InstrId><EndToEndId>E2E-1</EndToEndId><TxId>T1</TxId><MndtId>MD1</MndtId></Refs>
      <Amt Ccy="GBP">12.34</Amt><RltdPties><Dbtr><Pty><Nm>Acme Stores</Nm></Pty></Dbtr>
      <DbtrAcct><Id><Othr><Id>20041511112222</Id></Othr></Id></DbtrAcct>
      <Cdtr><Pty><Nm>Us</Nm></Pty></Cdtr></RltdPties>
      <RltdAgts><DbtrAgt><FinInstnId><BICFI>BUKBGB22</BICFI></FinInstnId></DbtrAgt></RltdAgts>
      <RmtInf><Ustrd>INV 71</Ustrd><Ustrd>and 72</Ustrd>
      <Strd><CdtrRefInf><Ref>RF18</Ref></CdtrRefInf></Strd></RmtInf>
      <AddtlTxInf>by bacs</AddtlTxInf></TxDtls></NtryDtls><AddtlNtryInf>DIRECT CREDIT</AddtlNtryInf>"""
    [line] = lines_of(entry(more=details, before="<NtryRef>N1</NtryRef>"), closing="112.34")
    only = line.transaction
    assert (line.entry_reference, line.account_servicer_reference) == ("N1", "SVC1")
    assert line.additional_information == "DIRECT CREDIT"
    code = line.bank_transaction_code
    assert (code.domain, code.family, code.subfamily, code.proprietary) == ("PMNT", "RCDT", "BACS", "BAC")
    assert (only.end_to_end_id, only.instruction_id, only.transaction_id, only.mandate_id) == (
        "E2E-1",
        "I1",
        "T1",
        "MD1",
    )
    assert (only.counterparty_name, only.counterparty_account) == ("Acme Stores", "20041511112222")
    assert (only.counterparty_agent, only.amount_minor) == ("BUKBGB22", 1234)
    assert (only.remittance_text, only.structured_reference) == ("INV 71 and 72", "RF18")
    assert (only.is_return, only.original_end_to_end_id) == (False, None)


def test_a_returned_payment_says_why_and_which_it_was() -> None:
    details = """<NtryDtls><TxDtls><Refs><EndToEndId>PAY-7</EndToEndId></Refs><RltdPties>
      <Cdtr><Nm>Ann</Nm></Cdtr>
      </RltdPties><RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf></TxDtls></NtryDtls>"""
    [line] = lines_of(
        entry("30.00", more=details, before="").replace("<Sts>", "<RvslInd>true</RvslInd><Sts>"),
        closing="130.00",
    )
    assert line.is_reversal and line.amount_minor == 3000
    only = line.transaction
    assert (only.is_return, only.return_reason, only.original_end_to_end_id) == (True, "AC04", "PAY-7")
    assert only.counterparty_name == "Ann"


def test_a_batch_entry_keeps_each_transaction_with_its_sign() -> None:
    one = "<TxDtls><Refs><EndToEndId>{}</EndToEndId></Refs><Amt Ccy='GBP'>{}</Amt></TxDtls>"
    parts = "".join(one.format(f"E{n}", amount) for n, amount in enumerate(("1.00", "2.00", "4.00")))
    more = f"<NtryDtls><Btch><NbOfTxs>3</NbOfTxs></Btch>{parts}</NtryDtls>"
    [line] = lines_of(entry("7.00", "DBIT", more=more), closing="93.00")
    assert [t.amount_minor for t in line.transactions] == [-100, -200, -400]
    assert (line.batch_count, line.transaction.end_to_end_id) == (3, None)


def test_a_batch_that_does_not_add_up_is_a_warning() -> None:
    more = "<NtryDtls>" + "<TxDtls><Amt Ccy='GBP'>1.00</Amt></TxDtls>" * 3 + "</NtryDtls>"
    [(found, _)] = all_of(footed(entry("7.00", more=more), closing="107.00"))
    assert [(p.severity, p.field) for p in found.problems] == [("warning", "Ntry 1")]


def test_pending_lines_are_shown_but_not_added() -> None:
    lines = lines_of(
        entry("5.00"), entry("9.00", status="<Cd>PDNG</Cd>"), entry("1.00", status="INFO"), closing="105.00"
    )
    assert [(line.status, line.is_booked) for line in lines] == [
        ("BOOK", True),
        ("PDNG", False),
        ("INFO", False),
    ]


@pytest.mark.parametrize("version", ["02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12", "13"])
def test_every_version_is_read(version: str) -> None:
    data = footed(entry("1.00"), closing="101.00").replace(b"053.001.08", f"053.001.{version}".encode())
    assert len(all_of(data)[0][1]) == 1


def test_a_file_without_namespace_or_in_utf_16_is_read() -> None:
    text = footed(entry("1.00"), closing="101.00").decode().replace(f' xmlns="{NAMESPACE}"', "")
    assert len(all_of(text.encode())[0][1]) == 1
    assert len(all_of(text.replace("UTF-8", "UTF-16").encode("utf-16"))[0][1]) == 1


def test_statements_follow_one_another_also_when_their_lines_are_left_unread() -> None:
    one = statement(balance("OPBD", "1.00"), balance("CLBD", "2.00"), entry("0.50"), entry("0.50"))
    two = statement(balance("OPBD", "2.00"), balance("CLBD", "2.00"))
    three = statement(balance("PRCD", "2.00"), balance("CLBD", "1.00", "DBIT"), entry("3.00", "DBIT"))
    stream = io.BytesIO(document(one, two, three))
    closings = []
    for n, found in enumerate(read(stream, file_name="bank.xml")):
        closings.append(found.closing_minor)
        if n == 0:
            assert next(found.lines).ordinal == 1  # and no more
    assert closings == [200, 200, -100]


@pytest.mark.parametrize(
    ("written", "minor"), [("8.85000", 885), (".5", 50), ("5.", 500), ("+5", 500), (" 7.10 ", 710)]
)
def test_amounts_may_be_written_as_xml_decimals_are(written: str, minor: int) -> None:
    closing = f"{100 + minor // 100}.{minor % 100:02d}"
    assert lines_of(entry(written), closing=closing)[0].amount_minor == minor


# what is refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written", ["abc", "", "12..34", "1,234.00", "-5.00", "8.85123", "1e3", "٣", "9" * 5000, "1 2"]
)
def test_what_is_not_an_amount_is_refused_with_its_line(written: str) -> None:
    [problem] = refused(footed(entry("1.00"), entry(written), closing="101.00"))
    assert (problem.row, problem.field) == (7, "Ntry 2 Amt")


def test_decimals_follow_the_currency() -> None:
    yen = "<Id><IBAN>X</IBAN></Id><Ccy>JPY</Ccy>"
    parts = (balance("OPBD", "100", currency="JPY"), balance("CLBD", "300", currency="JPY"))
    [(found, lines)] = all_of(document(statement(*parts, entry("200", currency="JPY"), account=yen)))
    assert (found.closing_minor, lines[0].amount_minor) == (300, 200)
    assert len(refused(document(statement(*parts, entry("200.5", currency="JPY"), account=yen)))) == 1


def test_a_statement_that_does_not_add_up_is_refused() -> None:
    [problem] = refused(footed(entry("5.00"), closing="104.99"))
    assert "100.00 + 5.00 is not 104.99" in problem.problem


def test_without_balances_a_statement_is_read_with_a_warning() -> None:
    [(found, lines)] = all_of(document(statement(entry())))
    assert len(lines) == 1
    assert [(p.severity, p.field) for p in found.problems] == [("warning", "Bal")]


def test_another_currency_than_the_accounts_is_refused() -> None:
    [problem] = refused(footed(entry("5.00", currency="EUR"), closing="105.00"))
    assert "in EUR, the account in GBP" in problem.problem
    [problem] = refused(footed(entry("5.00"), closing="105.00"), expected_currency="USD")
    assert "the statement is in GBP" in problem.problem
    mixed = statement(balance("OPBD", "1.00"), balance("CLBD", "1.00", currency="SEK"))
    assert [p.field for p in refused(document(mixed))] == ["Bal CLBD Amt"]
    unknown = statement(balance("OPBD", "1.00", currency="XXX"), account="<Id><IBAN>X</IBAN></Id>")
    assert "'XXX' is not a currency" in refused(document(unknown))[0].problem


def test_all_problems_of_a_file_come_together_at_its_end() -> None:
    bad = entry("x", "SIDEWAYS", status="").replace("2026-11-20", "2026-02-30")
    data = document(statement(bad, entry().replace("2026-11-20", "20/11/2026")), statement(account=""))
    fields = {p.field for p in refused(data) if p.severity == "error"}
    assert fields == {"Ntry 1 Amt", "Ntry 1", "BookgDt/Dt", "Acct", "Ccy"}


def test_reading_stops_after_many_problems() -> None:
    assert len(refused(document(statement(*[entry("x")] * 1000)))) == reading.MAX_PROBLEMS


def test_the_lines_of_a_refused_file_still_come_before_the_refusal() -> None:
    stream = io.BytesIO(footed(entry("1.00"), entry("abc"), entry("2.00"), closing="103.00"))
    ordinals = []
    with pytest.raises(InputRefused):
        for found in read(stream, file_name="bank.xml"):
            ordinals = [line.ordinal for line in found.lines]
    assert ordinals == [1, 3]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"  \n ", "empty"),
        (b":20:STARTUMS\n:25:123\n", "not XML"),
        (b"\x1f\x8b\x08\0\0", "not XML"),
        (b"<html><body>Please log in</body></html>", "<html><body>"),
        (b"<Document/>", "truncated"),
        (b"<Docu", "truncated"),
        (document(), "no statement"),
        (footed(entry(), closing="112.34")[:-30], "truncated"),
        (footed(entry(), closing="112.34")[:600], "truncated"),
        (footed(entry(), closing="112.34") + b"<more/>", "not well-formed"),
        (footed(entry(), closing="112.34").replace(b"S1", b"S\xff1"), "encoding"),
        (footed(entry(), closing="112.34").replace(b"UTF-8", b"KLINGON"), "encoding"),
        (document(namespace="urn:iso:std:iso:20022:tech:xsd:camt.052.001.08"), "not a camt.053 namespace"),
        (document(namespace="urn:iso:std:iso:20022:tech:xsd:camt.053.001.01"), "version 01"),
        (document(namespace="urn:iso:std:iso:20022:tech:xsd:camt.053.001.14"), "version 14"),
        (document("<Stmt><Ntry><NtryDtls><Ntry/></NtryDtls></Ntry></Stmt>"), "Ntry stands where"),
        (document("<TxDtls/>"), "TxDtls stands where"),
        (document(namespace=NAMESPACE + "}"), "not a camt.053 namespace"),
        (document(namespace="{"), "not a camt.053 namespace"),
    ],
)
def test_what_is_no_statement_is_refused_in_one_problem(data: bytes, says: str) -> None:
    problems = refused(data)
    assert len(problems) == 1
    assert says in problems[0].problem


@pytest.mark.parametrize("padding", [0, 70_000])
def test_a_doctype_is_refused_by_name_before_anything_is_expanded(padding: int) -> None:
    bomb = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    doctype = f'<!DOCTYPE Document [<!--{"x" * padding}--><!ENTITY a0 "lol">{bomb}<!ENTITY f SYSTEM "file:///etc/passwd">]>'
    data = (
        footed(entry(), closing="112.34")
        .replace(b"?>\n<Doc", f"?>\n{doctype}<Doc".encode())
        .replace(b"S1", b"&a9;&f;")
    )
    [problem] = refused(data)
    assert (problem.row, problem.field) == (1, "DOCTYPE")


# memory and hostility ---------------------------------------------------------------------------------


class Endless(io.RawIOBase):
    """A stream made as it is read: a head, one part over and over, a tail."""

    def __init__(self, head: bytes, part: bytes, times: int, tail: bytes) -> None:
        self.parts = self.make(head, part, times, tail)
        self.rest = b""

    @staticmethod
    def make(head: bytes, part: bytes, times: int, tail: bytes) -> Iterator[bytes]:
        yield head
        for _ in range(times // 100):
            yield part * 100
        yield tail

    def read(self, size: int = -1) -> bytes:
        while len(self.rest) < size and (part := next(self.parts, b"")):
            self.rest += part
        found, self.rest = self.rest[:size], self.rest[size:]
        return found


def endless(part: str, times: int, head: str = "", tail: str = "") -> Endless:
    before, after = document(statement(balance("OPBD", "0.00"), balance("CLBD", "0.00"), "@@")).split(b"@@")
    return Endless(before + head.encode(), part.encode(), times, tail.encode() + after)


def peak_bytes(stream: Endless) -> tuple[int, int, list[Problem]]:
    """Lines read, and the most memory that Python and lxml's Python objects held, and problems."""
    tracemalloc.start()
    count, problems = 0, []
    try:
        for found in read(stream, file_name="bank.xml"):  # type: ignore[arg-type]
            count += sum(1 for _ in found.lines)
    except InputRefused as refusal:
        problems = list(refusal.problems)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return count, peak, problems


def test_ten_times_the_lines_need_no_more_memory() -> None:
    pair = entry("1.00") + entry("1.00", "DBIT")
    few, small, _ = peak_bytes(endless(pair, 200))
    many, large, _ = peak_bytes(endless(pair, 2000))
    assert (few, many) == (400, 4000)
    assert large < 2 * small + 100_000


@pytest.mark.parametrize(
    ("part", "head", "tail"),
    [
        ("<Junk>1</Junk>", "", ""),
        ("<Junk>1</Junk>", "<Ntry>", "</Ntry>"),
        ("<Bal/>", "", ""),
        ("x", "<Ntry><NtryRef>", "</NtryRef></Ntry>"),
        ("<!-- no -->", "", ""),
    ],
)
def test_bytes_that_yield_nothing_are_refused_before_they_fill_memory(
    part: str, head: str, tail: str
) -> None:
    times = 6 * 1024 * 1024 // len(part)
    _, _, problems = peak_bytes(endless(part, times, head, tail))
    assert "bytes stand between entries" in problems[-1].problem


def test_an_entry_that_repeats_its_fields_between_transactions_is_refused() -> None:
    part = "<NtryRef>1</NtryRef><NtryDtls><TxDtls/></NtryDtls>"
    _, _, problems = peak_bytes(endless(part, 2000, "<Ntry>", "</Ntry>"))
    assert "repeats its fields" in problems[-1].problem


def test_an_entry_with_endless_transactions_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camt053, "MAX_TRANSACTIONS", 500)
    _, _, problems = peak_bytes(endless("<TxDtls/>", 1000, "<Ntry><NtryDtls>", "</NtryDtls></Ntry>"))
    assert "more than 500 transactions" in problems[-1].problem


def test_a_file_over_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_FILE_BYTES", 100_000)
    assert "larger than" in refused(footed(*[entry("0.00")] * 2000, closing="100.00"))[0].problem


VALID = footed(
    entry("5.00", more="<NtryDtls><TxDtls><Refs><EndToEndId>E</EndToEndId></Refs></TxDtls></NtryDtls>"),
    entry("1.00", "DBIT"),
    closing="104.00",
)


def read_or_refuse(data: bytes) -> None:
    try:
        all_of(data)
    except InputRefused as refusal:
        assert refusal.problems


@given(st.binary(max_size=500))
def test_arbitrary_bytes_are_refused(data: bytes) -> None:
    assert refused(data)


@given(
    st.lists(
        st.tuples(st.integers(0, len(VALID)), st.integers(0, 40), st.binary(max_size=6)),
        min_size=1,
        max_size=4,
    )
)
def test_mutated_statements_are_read_or_refused_but_never_crash(
    changes: list[tuple[int, int, bytes]],
) -> None:
    data = VALID
    for at, length, other in changes:
        data = data[:at] + other + data[at + length :]
    read_or_refuse(data)


TOKENS = sorted(set(re.findall(r"<[^>]+>", VALID.decode())))


@given(
    st.lists(
        st.tuples(st.integers(0, 80), st.sampled_from([*TOKENS, "", "&x;", "<![CDATA[", "9"])),
        min_size=1,
        max_size=5,
    )
)
@settings(max_examples=150)
def test_statements_with_tags_put_elsewhere_are_read_or_refused(changes: list[tuple[int, str]]) -> None:
    tokens = re.findall(r"<[^>]+>|[^<]+", VALID.decode())
    for at, other in changes:
        tokens[at % len(tokens)] = other
    read_or_refuse("".join(tokens).encode())


# others' files ----------------------------------------------------------------------------------------

VERDICTS = {
    "camt-bsp/tests__test_data__camt.053.001.02.xml": "read 3",
    "camt-bsp/tests__test_data__golden__camt053_duplicate_same_day.xml": "read 2",
    "camt-bsp/tests__test_data__golden__camt053_garbled_amount.xml": "'12..34' is not an amount",
    "camt-bsp/tests__test_data__golden__camt053_multicurrency.xml": "read 3",
    "camt-bsp/tests__test_data__golden__camt053_no_namespace.xml": "read 1",
    "camt-bsp/tests__test_data__pain.001.001.03.xml": "a payment order",
    "camt-genkgo/test__data__camt053.v2.all-balance-types.xml": "1.01 + 8.85 is not 4.04",
    "camt-genkgo/test__data__camt053.v2.five.decimals.xml": "18.15 + 8.85 is not 27.05",
    "camt-genkgo/test__data__camt053.v2.minimal.ultimate.xml": "in SEK, the account in EUR",
    "camt-genkgo/test__data__camt053.v2.minimal.xml": "in SEK, the account in EUR",
    "camt-genkgo/test__data__camt053.v2.multi.statement.xml": "read 2",
    "camt-genkgo/test__data__camt053.v2.with-account-name.xml": "in EUR, the account in JPY",
    "camt-genkgo/test__data__camt053.v2.with-party-ids.xml": "in SEK, the account in EUR",
    "camt-genkgo/test__data__camt053.v2.wrong.xml": "no statement",
    "camt-genkgo/test__data__camt053.v3.xml": "in SEK, the account in EUR",
    "camt-genkgo/test__data__camt053.v4.xml": "in SEK, the account in EUR",
    "camt-genkgo/test__data__camt053.v8.xml": "in SEK, the account in EUR",
    "camt-genkgo/test__data__camt054.v2.with-account-name.xml": "camt.054",
    "camt-genkgo/test__data__camt054.v2.xml": "camt.054",
    "camt-genkgo/test__data__camt054.v4.xml": "camt.054",
    "camt-genkgo/test__data__camt054.v8-with-UETR.xml": "camt.054",
    "camt-genkgo/test__data__camt054.v8-with-financial-institution.xml": "camt.054",
    "camt-genkgo/test__data__camt054.v8.xml": "camt.054",
    "camt-oca/account_statement_import_camt__test_files__test-camt053": "does not add up",
    "camt-oca/account_statement_import_camt__test_files__test-camt053-no-ntry": "read 0",
    "camt-oca/account_statement_import_camt__test_files__test-camt053-txdtls": "read 1",
    "camt-oca/account_statement_import_camt__test_files__test-camt053.zip": "not XML",
    "camt-oca/account_statement_import_camt__test_files__test-camt054": "camt.054",
    "gs/example_files__gs_camt__camt052_001_02.xml": "camt.052",
    "gs/example_files__gs_camt__camt053_001_02.xml": "in EUR, the account in USD",
}
"""Many of these are made up and do not add up; a bank that sent them would be asked for another file."""


@pytest.mark.parametrize(("name", "verdict"), VERDICTS.items())
def test_files_of_other_projects_get_the_verdict_they_deserve(name: str, verdict: str) -> None:
    path = SAMPLES / name
    if not path.exists():
        pytest.skip(f"no sample at {path}; set ENGINEROOM_SHARED")
    try:
        with path.open("rb") as stream:
            found = f"read {sum(1 for s in read(stream, file_name=path.name) for _ in s.lines)}"
    except InputRefused as refusal:
        found = str(refusal)
    assert verdict in found


def test_every_sample_has_a_verdict() -> None:
    if not SAMPLES.exists():
        pytest.skip(f"no samples at {SAMPLES}; set ENGINEROOM_SHARED")
    samples = {
        str(p.relative_to(SAMPLES)) for p in SAMPLES.rglob("*") if p.is_file() and p.suffix != ".pydata"
    }
    assert samples == set(VERDICTS)
