"""The bank's side: statements in camt.053 with the lines a test wants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from xml.sax.saxutils import escape

from engineroom.kernel.money import format_minor

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"
DAY = date(2026, 11, 27)


@dataclass(frozen=True)
class Booked:
    """A line. amount: minor units, money in positive. reference: the bank's own; returned: the reason."""

    amount: int
    text: str = ""
    payer: str = ""
    reference: str = ""
    end_to_end: str = ""
    returned: str = ""
    day: date | None = DAY
    status: str = "BOOK"

    def xml(self, currency: str) -> str:
        money = format_minor(abs(self.amount), currency, grouped=False)
        side = "Cdtr" if self.amount < 0 else "Dbtr"
        return "".join(
            [
                f"<Ntry><Amt Ccy='{currency}'>{money}</Amt>",
                f"<CdtDbtInd>{'DBIT' if self.amount < 0 else 'CRDT'}</CdtDbtInd>",
                f"<Sts><Cd>{self.status}</Cd></Sts>",
                f"<BookgDt><Dt>{self.day}</Dt></BookgDt>" if self.day else "",
                f"<AcctSvcrRef>{escape(self.reference)}</AcctSvcrRef>" if self.reference else "",
                "<NtryDtls><TxDtls><Refs>",
                f"<EndToEndId>{escape(self.end_to_end or 'NOTPROVIDED')}</EndToEndId></Refs>",
                f"<RltdPties><{side}><Pty><Nm>{escape(self.payer)}</Nm></Pty></{side}></RltdPties>"
                if self.payer
                else "",
                f"<RmtInf><Ustrd>{escape(self.text)}</Ustrd></RmtInf>" if self.text else "",
                f"<RtrInf><Rsn><Cd>{self.returned}</Cd></Rsn></RtrInf>" if self.returned else "",
                "</TxDtls></NtryDtls></Ntry>\n",
            ]
        )


def statement(
    lines: Sequence[Booked],
    *,
    id_: str = "S1",
    account: str = "20000055667788",
    currency: str = "GBP",
    opening: int = 0,
    closing: int | None = None,
    period: tuple[date, date] | None = None,
    page: int | None = None,
) -> str:
    """One statement that foots, unless `closing` says otherwise."""
    booked = sum(one.amount for one in lines if one.status == "BOOK")
    first, last = period or (DAY, DAY)
    pages = f"<StmtPgntn><PgNb>{page}</PgNb><LastPgInd>false</LastPgInd></StmtPgntn>" if page else ""
    return "".join(
        [
            f"<Stmt><Id>{id_}</Id>{pages}",
            f"<FrToDt><FrDtTm>{first}T00:00:00</FrDtTm><ToDtTm>{last}T23:59:59</ToDtTm></FrToDt>",
            f"<Acct><Id><Othr><Id>{account}</Id></Othr></Id><Ccy>{currency}</Ccy></Acct>",
            _balance("OPBD", opening, currency),
            _balance("CLBD", opening + booked if closing is None else closing, currency),
            *(one.xml(currency) for one in lines),
            "</Stmt>\n",
        ]
    )


def _balance(code: str, amount: int, currency: str) -> str:
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>"
        f"<Amt Ccy='{currency}'>{format_minor(abs(amount), currency, grouped=False)}</Amt>"
        f"<CdtDbtInd>{'DBIT' if amount < 0 else 'CRDT'}</CdtDbtInd><Dt><Dt>{DAY}</Dt></Dt></Bal>\n"
    )


def document(*statements: str) -> str:
    """A file of statements."""
    return (
        f"<?xml version='1.0' encoding='UTF-8'?>\n<Document xmlns='{NAMESPACE}'><BkToCstmrStmt>"
        f"<GrpHdr><MsgId>M1</MsgId></GrpHdr>\n{''.join(statements)}</BkToCstmrStmt></Document>"
    )


def write(folder: Path, *statements: str, name: str = "statement.xml") -> Path:
    path = folder / name
    path.write_text(document(*statements), encoding="utf-8")
    return path
