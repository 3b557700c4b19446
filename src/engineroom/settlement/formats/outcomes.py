"""What came back of payments: one record for ACH returns, notifications of change and pain.002.

Each says which payment it is of, the code, what that means and the right next step. Meanings and steps of the
codes are known from memory of the NACHA Operating Rules and of ISO 20022's external code sets, not read in
them: confidence unverified. A code that is not listed is told as it is, for a person to look up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from engineroom.kernel.errors import InputRefused, Problem
from engineroom.settlement.formats.pain001 import parsed, row_of, said_in

Kind = Literal["returned", "changed", "rejected", "pending", "accepted"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a bank says of one payment, or of a whole file (reference empty, file set).

    reference: ours where the format carries it, else the trace number the payment left with. corrected: what
    a notification of change says is right, by field. row: where it stands.
    """

    kind: Kind
    reference: str
    code: str
    meaning: str
    next_step: str
    file: str = ""
    amount_minor: int | None = None
    name: str = ""
    information: str = ""
    corrected: dict[str, str] = field(default_factory=dict)
    row: int | None = None


ASK_PAYEE = "Ask the payee for another account, and pay it there once it is confirmed"
STOP = "Do not pay this account again; ask the payee"

RETURNS: dict[str, tuple[str, str]] = {
    "R01": ("the account has not enough money", "Collect it again, at most twice within 180 days"),
    "R02": ("the account is closed", ASK_PAYEE),
    "R03": ("there is no such account, or it is another's", ASK_PAYEE),
    "R04": ("the account number is not valid", "Correct the number with the payee, and pay it again"),
    "R05": ("a debit that a consumer did not authorise", "Do not collect again without a new authorisation"),
    "R06": ("sent back at the request of the sending bank", "See why it was recalled before paying it again"),
    "R07": ("the authorisation was revoked", "Do not collect again without a new authorisation"),
    "R08": ("payment was stopped", STOP),
    "R09": (
        "the money on the account is not yet collected",
        "Collect it again, at most twice within 180 days",
    ),
    "R10": (
        "the customer says that it was not authorised",
        "Do not collect again without a new authorisation",
    ),
    "R11": (
        "the customer says that it is not as authorised",
        "Correct what was wrong; then it may be sent again",
    ),
    "R12": ("the branch was sold to another bank", ASK_PAYEE),
    "R13": ("the receiving bank cannot take it", "Correct the routing number with the payee"),
    "R14": ("the representative payee died or cannot act", STOP),
    "R15": ("the beneficiary or account holder died", STOP),
    "R16": ("the account is frozen", "Ask the payee for another account, or pay by cheque"),
    "R17": (
        "the receiving bank cannot process a field",
        "Correct the fields with the payee, and pay it again",
    ),
    "R20": ("the account takes no such transactions", ASK_PAYEE),
    "R21": ("the company identification is not valid", "Ask our bank which company id it has for us"),
    "R22": ("the individual's identification is not valid", "Correct the identification with the payee"),
    "R23": ("the receiver refused the credit", STOP),
    "R24": ("it is a duplicate", "Compare the two before anything is paid again"),
    "R29": ("a business did not authorise it", "Do not collect again without a new authorisation"),
    "R31": ("permitted late return, agreed with our bank", "See what our bank agreed to"),
}
CHANGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "C01": ("the account number changed", ("account",)),
    "C02": ("the routing number changed", ("routing",)),
    "C03": ("routing number and account number changed", ("routing", "account")),
    "C04": ("the name changed", ("name",)),
    "C05": ("the kind of account changed", ("transaction code",)),
    "C06": ("account number and kind of account changed", ("account", "transaction code")),
    "C07": ("routing number, account number and kind changed", ("routing", "account", "transaction code")),
    "C09": ("the individual's identification changed", ("identification",)),
}
REASONS: dict[str, tuple[str, str]] = {
    "AC01": ("the account number is not right", "Correct the account with the payee, and pay it again"),
    "AC03": ("the payee's account is not valid", "Correct the account with the payee, and pay it again"),
    "AC04": ("the account is closed", ASK_PAYEE),
    "AC06": ("the account is blocked", ASK_PAYEE),
    "AG01": ("the account takes no such payments", ASK_PAYEE),
    "AG02": ("the bank operation code is not right", "Have the file made for the right scheme"),
    "AM02": ("the amount is over what is allowed", "Split it, or ask the bank for a higher limit"),
    "AM04": ("our account has not enough money", "Fund the account, and send it again"),
    "AM05": ("it is a duplicate", "Compare the two before anything is sent again"),
    "BE04": ("the payee's address is missing", "Add it, and send it again"),
    "CUST": ("the customer asked for it", "See who asked before paying it again"),
    "DT01": ("the day is not valid", "Choose a banking day, and send it again"),
    "FF01": ("the file's form is not right", "Have the file made again for this bank"),
    "MD07": ("the payee died", STOP),
    "MS02": ("the payee's side gave no reason", "Ask the payee"),
    "MS03": ("the bank gave no reason", "Ask the bank"),
    "RC01": ("the bank's code is not right", "Correct the BIC or sort code with the payee"),
    "RR04": ("a regulator's reason", "Ask the bank what is missing"),
    "TM01": ("it came after the cut-off", "Send it again on the next banking day"),
}
UNKNOWN = "a code that we do not know"
LOOK_UP = "Ask the bank what it means, and what it asks for"
UPDATE = "Correct the account as the bank says, after a second look, before the next payment"


def of_return(code: str) -> tuple[str, str]:
    return RETURNS.get(code, (UNKNOWN, LOOK_UP))


def corrected(code: str, data: str) -> dict[str, str]:
    """The corrected fields of a notification of change, from its 29 positions."""
    data = data.ljust(29)
    if code == "C01":
        places = {"account": data[:17]}
    elif code == "C02":
        places = {"routing": data[:9]}
    elif code == "C03":
        places = {"routing": data[:9], "account": data[12:29]}
    elif code == "C05":
        places = {"transaction code": data[:2]}
    elif code == "C06":
        places = {"account": data[:17], "transaction code": data[20:22]}
    elif code == "C07":
        places = {"routing": data[:9], "account": data[9:26], "transaction code": data[26:28]}
    else:
        names = CHANGES.get(code, ("", ("data",)))[1]
        places = {names[0]: data}
    return {name: said.strip() for name, said in places.items() if said.strip()}


# pain.002 ---------------------------------------------------------------------------------------------

_STATES: dict[str, tuple[Kind, str, str]] = {
    "ACCP": ("accepted", "the bank's checks are passed", "Nothing is to be done"),
    "ACSP": ("accepted", "accepted, settlement is in process", "Nothing is to be done"),
    "ACSC": ("accepted", "settled on our account", "Nothing is to be done"),
    "ACCC": ("accepted", "settled on the payee's account", "Nothing is to be done"),
    "ACTC": ("accepted", "the file's form is right", "Wait for the bank's checks"),
    "ACWC": ("accepted", "accepted with a change", "See what the bank changed"),
    "ACWP": ("accepted", "accepted, not yet on the payee's account", "Wait"),
    "PART": ("pending", "some payments are accepted, others not", "See the single payments"),
    "PDNG": ("pending", "the bank is still looking at it", "Wait, and ask if nothing comes today"),
    "RCVD": ("pending", "the bank has it", "Wait"),
    "CANC": ("rejected", "it was cancelled", "See who asked before paying it again"),
    "RJCT": ("rejected", "the bank refused it", "Correct what the reason says, and send it again"),
}


def read_pain002(data: bytes, *, file_name: str | None = None) -> list[Outcome]:
    """A payment status report: of the file, its part, and each payment it names. Raises InputRefused."""
    root = parsed(data, file_name, "CstmrPmtStsRpt", "a payment status report (pain.002)")
    found: list[Outcome] = []
    problems: list[Problem] = []
    group = root.find("{*}OrgnlGrpInfAndSts")
    if group is None:
        problem = "the report does not say which file it is of (OrgnlGrpInfAndSts)"
        raise InputRefused([Problem(problem, "Ask the bank for a whole report", file_name, row_of(root))])
    file = said_in(group)("OrgnlMsgId")
    levels = [(group, "GrpSts", "")]
    for part in root.iterfind("{*}OrgnlPmtInfAndSts"):
        levels.append((part, "PmtInfSts", ""))
        levels += [(tx, "TxSts", "tx") for tx in part.iterfind("{*}TxInfAndSts")]
    for element, status, single in levels:
        say = said_in(element)
        state = say(status)
        if not state:
            continue
        if state not in _STATES:
            problem = f"{state[:20]!r} is not a status that we know"
            remedy = "Ask the bank what it means"
            problems.append(Problem(problem, remedy, file_name, row_of(element), status))
            continue
        kind, meaning, step = _STATES[state]
        code = say("StsRsnInf/Rsn/Cd", "StsRsnInf/Rsn/Prtry")
        if kind == "rejected" and code:
            meaning, step = REASONS.get(code, (UNKNOWN, LOOK_UP))
        found.append(
            Outcome(
                kind,
                say("OrgnlEndToEndId") if single else "",
                code or state,
                meaning,
                step,
                file=file,
                information=say("StsRsnInf/AddtlInf"),
                row=row_of(element),
            )
        )
    if problems:
        raise InputRefused(problems)
    if not found:
        raise InputRefused([Problem("the report says no status", "Ask the bank", file_name, row_of(root))])
    return found
