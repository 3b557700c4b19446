"""formats: 100,000 lines of each statement format read, 100,000 payments of each payment format written.

Claims: a camt.053 file of 100,000 entries is read under 10 s, a file of 100,000 payments in any format is
written under 10 s, each by one process.
"""

from __future__ import annotations

import io
import resource
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

from engineroom.settlement.formats import bacs18, bai2, bank_csv, camt053, mt940, nacha, ofx, pain001
from engineroom.settlement.formats.batch import BankAccount, Batch, Payer, Payment, as_bacs

LINES = PAYMENTS = 100_000
CLAIM_S = 10.0
DAY, MADE = date(2026, 11, 27), datetime(2026, 11, 24, 9, 30, tzinfo=UTC)


def main() -> None:
    for name, reader, made in _statements():
        started = time.process_time()
        count = sum(1 for statement in reader(io.BytesIO(made), file_name=name) for _ in statement.lines)
        _say(f"read_{name}_100k", time.process_time() - started)
        assert count == LINES
    for name, write in _payments():
        started = time.process_time()
        write()
        _say(f"write_{name}_100k", time.process_time() - started)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"BENCH peak_memory={peak:.0f} MB")


def _say(metric: str, took: float) -> None:
    print(f"BENCH {metric}={took:.2f} s ratio={took / CLAIM_S:.2f} vs=claim_10s", flush=True)


def _statements() -> Iterator[tuple[str, Callable[..., Any], bytes]]:
    """Each a hundred thousand lines of 1.00 in, with what a real line says of its payment."""
    n = range(LINES)
    entries = "".join(
        "<Ntry><Amt Ccy='GBP'>1.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>"
        "<BookgDt><Dt>2026-11-27</Dt></BookgDt><ValDt><Dt>2026-11-27</Dt></ValDt>"
        f"<AcctSvcrRef>B{i}</AcctSvcrRef><BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd><SubFmlyCd>DMCT</SubFmlyCd>"
        f"</Fmly></Domn></BkTxCd><NtryDtls><TxDtls><Refs><EndToEndId>E{i}</EndToEndId></Refs><RltdPties><Dbtr><Pty>"
        f"<Nm>ACME {i} LTD</Nm></Pty></Dbtr><DbtrAcct><Id><IBAN>GB33BUKB20201555555555</IBAN></Id></DbtrAcct>"
        f"</RltdPties><RmtInf><Ustrd>Invoice {i}</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>\n"
        for i in n
    )
    balance = "<Bal><Tp><CdOrPrtry><Cd>{}</Cd></CdOrPrtry></Tp><Amt Ccy='GBP'>{}</Amt>"
    balance += "<CdtDbtInd>CRDT</CdtDbtInd></Bal>"
    yield (
        "camt053",
        camt053.read,
        (
            "<Document xmlns='urn:iso:std:iso:20022:tech:xsd:camt.053.001.08'><BkToCstmrStmt><Stmt><Id>S</Id>"
            "<Acct><Id><Othr><Id>20000055667788</Id></Othr></Id><Ccy>GBP</Ccy></Acct>"
            f"{balance.format('OPBD', '0.00')}{balance.format('CLBD', f'{LINES}.00')}{entries}"
            "</Stmt></BkToCstmrStmt></Document>"
        ).encode(),
    )
    moved = "".join(
        f":61:2611271127C1,00NTRFE{i}//B{i}\n:86:/EREF/E{i}/NAME/ACME {i} LTD/REMI/Invoice {i}/\n" for i in n
    )
    head = ":20:S\n:25:20000055667788\n:28C:1/1\n:60F:C261126GBP0,00\n"
    yield "mt940", mt940.read, f"{head}{moved}:62F:C261127GBP{LINES},00\n-\n".encode()
    moved = "".join(
        f"<STMTTRN><TRNTYPE>CREDIT<DTPOSTED>20261127<TRNAMT>1.00<FITID>B{i}<NAME>ACME {i} LTD"
        f"<MEMO>Invoice {i}</STMTTRN>\n"
        for i in n
    )
    head = "OFXHEADER:100\n\n<OFX><BANKMSGSRSV1><STMTTRNRS><STMTRS><CURDEF>GBP<BANKACCTFROM><BANKID>200000"
    head += "<ACCTID>55667788</BANKACCTFROM><BANKTRANLIST><DTSTART>20261127<DTEND>20261127\n"
    yield "ofx", ofx.read, f"{head}{moved}</BANKTRANLIST></STMTRS></STMTTRNRS></BANKMSGSRSV1></OFX>".encode()
    moved = "".join(f"16,142,100,0,B{i},E{i},ACME {i} LTD INVOICE {i}/\n" for i in n)
    head = "01,S,R,261128,0600,1,80,,2/\n02,R,S,1,261127,2359,GBP,2/\n03,20000055667788,GBP,010,0,,/\n"
    total = LINES * 100
    tail = f"49,{total},{LINES + 2}/\n98,{total},1,{LINES + 4}/\n99,{total},1,{LINES + 6}/\n"
    yield "bai2", bai2.read, f"{head}{moved}{tail}".encode()


def _payments() -> Iterator[tuple[str, Callable[[], bytes]]]:
    us = BankAccount(routing="231380104", number="81967038518")
    gb = BankAccount(sort_code="200000", number="55779911")
    eu = BankAccount(iban="DE89370400440532013000")
    terms = nacha.Terms("231380104", "First Bank", "1123456789", "Harbour Payroll", "12104288")
    yield "nacha", lambda: nacha.write(_batch(us, "USD"), terms)
    pounds = _batch(gb, "GBP")
    originator, credits = as_bacs(pounds)
    yield (
        "bacs18",
        lambda: bacs18.write(originator, credits, DAY, created_on=MADE.date(), serial=1, file_number=1),
    )
    euros = _batch(eu, "EUR")
    yield "pain001_03", lambda: pain001.write(euros, version="03", profile="sepa")
    yield "pain001_09", lambda: pain001.write(euros, version="09", profile="sepa")
    columns = (("Name", "name"), ("Sort code", "sort_code"), ("Account", "account"), ("Amount", "amount"))
    yield "bank_csv", lambda: bank_csv.write(pounds, bank_csv.Layout(columns))


def _batch(account: BankAccount, currency: str) -> Batch:
    payments = tuple(
        Payment(f"P{n:06}", f"Jo Bloggs {n}", account, 100_000 + n, currency, f"Wages {n}")
        for n in range(PAYMENTS)
    )
    return Batch("RUN-7", MADE, DAY, Payer("Harbour Payroll", account, "123456"), payments)


if __name__ == "__main__":
    main()
