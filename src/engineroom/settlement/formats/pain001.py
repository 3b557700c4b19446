"""pain.001, the ISO 20022 payment order, written and read again: versions .03 and .09.

Three profiles: SEPA (euro, IBAN, shared charges by service level), UK (pounds, sort code and number as
clearing member and other id, or IBAN) and cross-border (any currency, BIC, the payee's country, shared
charges). Bytes depend on the batch alone, so the same batch makes the same file.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Literal, cast
from xml.sax.saxutils import escape

from lxml import etree

from engineroom.kernel.errors import InputRefused, Problem
from engineroom.kernel.money import EXPONENTS, NotMoney, format_minor, parse_minor
from engineroom.settlement.formats.batch import (
    BankAccount,
    Batch,
    Payer,
    Payment,
    plain,
    problems_of,
    refuse,
)

Version = Literal["03", "09"]
Profile = Literal["sepa", "uk", "cross-border"]

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain.001.001."
NAME_WIDTH, TEXT_WIDTH = 70, 140
MAX_FILE_BYTES = 256 * 1024 * 1024

_NEEDS = {"sepa": ("iban",), "uk": ("iban", "sort_code"), "cross-border": ("iban", "sort_code", "bic")}
_CURRENCIES: dict[str, tuple[str, ...]] = {"sepa": ("EUR",), "uk": ("GBP",), "cross-border": ()}
_SERVICE = {"sepa": "SEPA", "uk": "NURG", "cross-border": "NURG"}
_CHARGES = {"sepa": "SLEV", "uk": "SLEV", "cross-border": "SHAR"}


def write(batch: Batch, *, version: Version = "09", profile: Profile = "sepa", purpose: str = "") -> bytes:
    """The bytes of a payment order. purpose: ISO's category, such as SALA for pay.

    Raises InputRefused with every problem: its row is the payment's place, from 1.
    """
    problems = problems_of(batch, needs=_NEEDS[profile], currencies=_CURRENCIES[profile])
    currencies = {p.currency for p in batch.payments}
    if len(currencies) > 1:
        problem = f"one order is in one currency, not in {', '.join(sorted(currencies))}"
        problems.append(Problem(problem, "Make one batch of each currency", field="currency"))
    if profile == "cross-border":
        for row, payment in enumerate(batch.payments, 1):
            if not (len(payment.country) == 2 and payment.country.isalpha() and payment.country.isupper()):
                problem = f"{payment.country!r} is not a country"
                problems.append(
                    Problem(problem, "Enter its two letters, such as US", row=row, field="country")
                )
            if not payment.account.bic:
                problems.append(
                    Problem("there is no BIC", "Ask for the payee's bank", row=row, field="payee BIC")
                )
    refuse(problems)
    [currency] = currencies
    total = format_minor(batch.total_minor, currency, grouped=False)
    count = len(batch.payments)
    id_, payer = escape(batch.id), escape(plain(batch.payer.name, NAME_WIDTH))
    day = f"<Dt>{batch.pay_date}</Dt>" if version == "09" else f"{batch.pay_date}"
    category = f"<CtgyPurp><Cd>{escape(purpose)}</Cd></CtgyPurp>" if purpose else ""
    sums = f"<NbOfTxs>{count}</NbOfTxs><CtrlSum>{total}</CtrlSum>"
    head = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="{NAMESPACE}{version}"><CstmrCdtTrfInitn>'
        f"<GrpHdr><MsgId>{id_}</MsgId><CreDtTm>{batch.made:%Y-%m-%dT%H:%M:%S}</CreDtTm>{sums}"
        f"<InitgPty><Nm>{payer}</Nm>{_organisation(batch.payer.id)}</InitgPty></GrpHdr>\n"
        f"<PmtInf><PmtInfId>{id_}</PmtInfId><PmtMtd>TRF</PmtMtd><BtchBookg>true</BtchBookg>{sums}"
        f"<PmtTpInf><SvcLvl><Cd>{_SERVICE[profile]}</Cd></SvcLvl>{category}</PmtTpInf>"
        f"<ReqdExctnDt>{day}</ReqdExctnDt><Dbtr><Nm>{payer}</Nm></Dbtr>"
        f"<DbtrAcct>{_account(batch.payer.account)}<Ccy>{currency}</Ccy></DbtrAcct>"
        f"<DbtrAgt>{_agent(batch.payer.account, version) or _NO_AGENT}</DbtrAgt>"
        f"<ChrgBr>{_CHARGES[profile]}</ChrgBr>\n"
    )
    parts = [head]
    parts += [_payment(p, version) for p in batch.payments]
    parts.append("</PmtInf></CstmrCdtTrfInitn></Document>\n")
    return "".join(parts).encode()


_NO_AGENT = "<FinInstnId><Othr><Id>NOTPROVIDED</Id></Othr></FinInstnId>"


def _organisation(id_: str) -> str:
    return f"<Id><OrgId><Othr><Id>{escape(plain(id_, 35))}</Id></Othr></OrgId></Id>" if id_ else ""


def _account(account: BankAccount) -> str:
    if account.iban:
        return f"<Id><IBAN>{account.iban}</IBAN></Id>"
    return f"<Id><Othr><Id>{escape(account.number)}</Id></Othr></Id>"


def _agent(account: BankAccount, version: Version) -> str:
    name = "BICFI" if version == "09" else "BIC"
    bic = f"<{name}>{account.bic}</{name}>" if account.bic else ""
    clearing = ""
    if account.sort_code and not account.iban:
        member = f"<MmbId>{account.sort_code}</MmbId>"
        clearing = f"<ClrSysMmbId><ClrSysId><Cd>GBDSC</Cd></ClrSysId>{member}</ClrSysMmbId>"
    return f"<FinInstnId>{bic}{clearing}</FinInstnId>" if bic or clearing else ""


def _payment(payment: Payment, version: Version) -> str:
    amount = format_minor(payment.amount_minor, payment.currency, grouped=False)
    agent = _agent(payment.account, version)
    town = f"<TwnNm>{escape(plain(payment.town, 35))}</TwnNm>" if payment.town else ""
    address = f"<PstlAdr>{town}<Ctry>{payment.country}</Ctry></PstlAdr>" if payment.country else ""
    text = escape(plain(payment.text, TEXT_WIDTH))
    return (
        f"<CdtTrfTxInf><PmtId><EndToEndId>{escape(payment.reference)}</EndToEndId></PmtId>"
        f'<Amt><InstdAmt Ccy="{payment.currency}">{amount}</InstdAmt></Amt>'
        f"{f'<CdtrAgt>{agent}</CdtrAgt>' if agent else ''}"
        f"<Cdtr><Nm>{escape(plain(payment.name, NAME_WIDTH))}</Nm>{address}</Cdtr>"
        f"<CdtrAcct>{_account(payment.account)}</CdtrAcct>"
        f"{f'<RmtInf><Ustrd>{text}</Ustrd></RmtInf>' if text else ''}</CdtTrfTxInf>\n"
    )


# read -------------------------------------------------------------------------------------------------


def read(data: bytes, *, file_name: str | None = None) -> Batch:
    """A payment order as one batch. Its counts and sums are checked. Raises InputRefused."""
    problems: list[Problem] = []

    def wrong(row: int | None, field: str, problem: str) -> None:
        problems.append(Problem(problem, "Have the file made again; do not send it", file_name, row, field))

    root = parsed(data, file_name, "CstmrCdtTrfInitn", "a payment order (pain.001)")
    parts = root.findall("{*}PmtInf")
    if len(parts) != 1:
        wrong(None, "PmtInf", f"the order has {len(parts)} parts; one is read")
        raise InputRefused(problems)
    part = parts[0]
    payments = []
    for element in part.iterfind("{*}CdtTrfTxInf"):
        payment = _read_payment(element, wrong)
        if payment is not None:
            payments.append(payment)
    say = _said(part)
    head = _said(root)
    made = head("GrpHdr/CreDtTm")
    day = say("ReqdExctnDt/Dt", "ReqdExctnDt")
    for where, said, element in ((head, "GrpHdr/NbOfTxs", root), (say, "NbOfTxs", part)):
        if where(said) and where(said) != str(len(payments)):
            wrong(row_of(element), "NbOfTxs", f"it says {where(said)} payments; there are {len(payments)}")
    currency = payments[0].currency if payments else "EUR"
    total = sum(p.amount_minor for p in payments)
    for where, said in ((head, "GrpHdr/CtrlSum"), (say, "CtrlSum")):
        if (sum_ := where(said)) and _minor(sum_, currency) != total:
            problem = f"it says the payments add to {sum_[:40]}; they add to {format_minor(total, currency)}"
            wrong(row_of(root), "CtrlSum", problem)
    try:
        moment, pay_date = datetime.fromisoformat(made), date.fromisoformat(day)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except ValueError:
        wrong(row_of(root), "CreDtTm", f"{made!r} and {day!r} are not its moment and its day")
    refuse(problems)
    payer = Payer(say("Dbtr/Nm"), _read_account(part, "Dbtr"), head("GrpHdr/InitgPty/Id/OrgId/Othr/Id"))
    return Batch(head("GrpHdr/MsgId"), moment, pay_date, payer, tuple(payments))


def parsed(data: bytes, file_name: str | None, message: str, what: str) -> etree._Element:
    """The message of an ISO 20022 document. Nothing is fetched or expanded. Raises InputRefused."""

    def refused(row: int | None, problem: str) -> InputRefused:
        return InputRefused([Problem(problem, "Take the file as the bank gave it", file_name, row)])

    if len(data) > MAX_FILE_BYTES:
        raise refused(None, f"the file is larger than {MAX_FILE_BYTES // 1024 // 1024} MB")
    parser = etree.XMLParser(resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False,
                             remove_comments=True, remove_pis=True)  # fmt: skip
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        row = getattr(error, "lineno", None)
        raise refused(row, f"the file is not well-formed XML: {str(error)[:200]}") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise refused(1, "the file has a DOCTYPE, which could make it mean something else than it says")
    found = root.find(f"{{*}}{message}")
    if found is None:
        raise refused(1, f"the file is not {what}")
    return found


def row_of(element: etree._Element) -> int | None:
    """The element's line in the file (lxml's stubs do not type it)."""
    return cast("int | None", element.sourceline)


class _said:
    """Text below an element by path, in any namespace; empty when there is none."""

    def __init__(self, element: etree._Element) -> None:
        self.element = element

    def __call__(self, *paths: str) -> str:
        for path in paths:
            found = self.element.find("/".join(f"{{*}}{name}" for name in path.split("/")))
            if found is not None and found.text and found.text.strip():
                return str(found.text.strip())
        return ""


said_in = _said


def _minor(text: str, currency: str) -> int | None:
    try:
        return parse_minor(text, currency)
    except NotMoney:
        return None


def _read_account(element: etree._Element, side: str) -> BankAccount:
    say = _said(element)
    agent = f"{side}Agt/FinInstnId"
    return BankAccount(
        iban=say(f"{side}Acct/Id/IBAN"),
        number=say(f"{side}Acct/Id/Othr/Id"),
        sort_code=say(f"{agent}/ClrSysMmbId/MmbId"),
        bic=say(f"{agent}/BICFI", f"{agent}/BIC"),
    )


def _read_payment(element: etree._Element, wrong: object) -> Payment | None:
    say = _said(element)
    amount = element.find("{*}Amt/{*}InstdAmt")
    currency = "" if amount is None else amount.get("Ccy") or ""
    minor = _minor(say("Amt/InstdAmt"), currency) if currency in EXPONENTS else None
    if minor is None or minor <= 0:
        problem = f"{say('Amt/InstdAmt')[:40]!r} {currency!r} is not an amount"
        wrong(row_of(element), "InstdAmt", problem)  # type: ignore[operator]
        return None
    return Payment(
        say("PmtId/EndToEndId"), say("Cdtr/Nm"), _read_account(element, "Cdtr"), minor, currency,
        text=say("RmtInf/Ustrd"), country=say("Cdtr/PstlAdr/Ctry"), town=say("Cdtr/PstlAdr/TwnNm"),
    )  # fmt: skip
