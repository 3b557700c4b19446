"""Who is in the sample: the client's customers, its sixty temps, where they work and how they are taxed.

Pure data. Ages fit National Insurance categories, pensions fit ages and pay, loans fit where one studied.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

YEAR_STARTS = date(2026, 4, 6)
"""Tax year 2026-27."""

SERVICES_TAKEN = (
    ("payroll", "payslip", 3_20, "paid by noon on the pay date"),
    ("pay_and_bill", "invoice", 2_50, "invoices out on the pay date"),
    ("payments", "month", 180_00, "bank lines cleared by noon of the next working day"),
    ("bookkeeping", "month", 650_00, "month closed by its fifth working day"),
)
"""What the client takes of the firm: service, what the price is for, pence, and what is promised."""

DATA_PROCESSING = (
    "Whose: the client's people and its customers' contacts. What for: paying and billing them. Which: "
    "names, addresses, bank accounts, National Insurance numbers, hours and pay. How long: six years after "
    "the tax year. Who else: HMRC, the pension provider and the bank. Where: in the United Kingdom."
)

NONE, AT_SOURCE, NET_PAY, SACRIFICE = "", "relief_at_source", "net_pay", "salary_sacrifice"


@dataclass(frozen=True)
class Order:
    """A customer's purchase order as its file says it; `limit_amount` is as somebody wrote it."""

    number: str
    from_date: date
    until_date: date | None = None
    limit_amount: str = ""


@dataclass(frozen=True)
class Customer:
    """A customer and what was agreed with it. Multipliers are percentages; roles pay pence an hour."""

    code: str
    name: str
    address: str
    vat_number: str
    payment_days: int
    email: str
    roles: dict[str, int]
    markup_percent: int
    weekly_minutes: int = 2400
    overtime: str = "150%"
    weekend: str = "200%"
    order: Order | None = None


CUSTOMERS = (
    Customer(
        "ALDER",
        "Alder & Finch Catering Ltd",
        "Unit 4, Denton Yard, Carlisle CA2 5OC",
        "GB 000 0417 21",
        14,
        "accounts@alderfinch.example",
        {"Kitchen porter": 1271, "Catering assistant": 1271, "Chef de partie": 1620},
        36,
        weekend="150%",
    ),
    Customer(
        "BRIGHT",
        "Brightwell Distribution plc",
        "Kingmoor Park North, Carlisle CA6 4OV",
        "GB 000 1180 36",
        30,
        "supplier.invoices@brightwell.example",
        {"Warehouse operative": 1295, "Forklift driver": 1460, "Shift leader": 1680},
        34,
        order=Order("PO-88213", date(2026, 11, 2), date(2026, 12, 31)),
    ),
    Customer(
        "CAFE",
        "Café Mérida Group Ltd",
        "11 Scotch Street, Carlisle CA3 8CK",
        "GB 000 2236 08",
        14,
        "hola@cafemerida.example",
        {"Barista": 1271, "Café supervisor": 1410},
        38,
        weekly_minutes=2250,
        weekend="150%",
    ),
    Customer(
        "CEDAR",
        "Cedar Court Care Homes Ltd",
        "Cedar Court, Warwick Road, Carlisle CA1 2KM",
        "GB 000 3094 52",
        30,
        "finance@cedarcourt.example",
        {"Care assistant": 1325, "Senior carer": 1510, "Registered nurse": 2380},
        37,
        weekly_minutes=2250,
        order=Order("CC-7741", date(2026, 4, 1)),
    ),
    Customer(
        "FERRIS",
        "Ferris Engineering (Penrith) Ltd",
        "Gilwilly Estate, Penrith CA11 9IV",
        "GB 000 4451 17",
        30,
        "purchase.ledger@ferris.example",
        {"CNC operator": 1895, "Fitter": 1940, "Welder": 2015, "Quality inspector": 2160},
        33,
        order=Order("FE/2026/1187", date(2026, 9, 1), date(2027, 2, 26), "£145,000.00"),
    ),
    Customer(
        "HARBOUR",
        "Harbourside Cold Stores Ltd",
        "Dock Road, Workington CA14 2VC",
        "GB 000 5120 44",
        14,
        "office@harbourside.example",
        {"Cold store picker": 1340, "Reach truck driver": 1525},
        35,
    ),
    Customer(
        "KESTREL",
        "Kestrel Contact Centres Ltd",
        "Dalston House, Carlisle CA5 7MO",
        "GB 000 6673 90",
        30,
        "ap@kestrelcontact.example",
        {"Call handler": 1305, "Team manager": 1820},
        40,
        weekly_minutes=2250,
        weekend="150%",
    ),
    Customer(
        "MOORLAND",
        "Moorland District Council",
        "Civic Hall, Market Place, Alston CA9 3CI",
        "GB 000 7008 63",
        30,
        "payments@moorland.example",
        {"Refuse loader": 1370, "Admin officer": 1560, "Housing officer": 1985, "Project officer": 2400},
        32,
        weekly_minutes=2250,
        order=Order("MDC-PO-004512", date(2026, 4, 1), date(2027, 3, 31), "180000"),
    ),
)


@dataclass(frozen=True)
class Temp:
    """A person, where they work, and how they are taxed. also: the same week's second customer, and role."""

    payroll_number: str
    name: str
    born: date
    starts: date
    customer: str
    role: str
    tax_code: str = "1257L"
    week1: bool = False
    ni_category: str = "A"
    loan: str = ""
    postgraduate: bool = False
    pension: str = AT_SOURCE
    leaves: date | None = None
    also: tuple[str, str] | None = None
    left_before: str = ""
    """A customer they worked for until the end of October: an old assignment that stays on the file."""

    @property
    def taxed_from(self) -> date:
        return max(self.starts, YEAR_STARTS)

    @property
    def has_figures_to_date(self) -> bool:
        """A week 1 code stands alone: nobody knows, or asks for, what was earned before."""
        return not self.week1


def _day(text: str) -> date:
    return date.fromisoformat(text)


def _temp(number: int, name: str, born: str, starts: str, customer: str, role: str, **terms: object) -> Temp:
    return Temp(f"N{number}", name, _day(born), _day(starts), customer, role, **terms)  # type: ignore[arg-type]


STARTER, LEAVER, TRACED, RETURNED = "N1034", "N1016", "N1036", "N1052"

TEMPS: tuple[Temp, ...] = (
    _temp(1001, "Grace Adeyemi", "1988-05-17", "2025-02-03", "ALDER", "Catering assistant"),
    _temp(1002, "Piotr Zieliński", "1979-09-30", "2024-10-07", "ALDER", "Chef de partie", tax_code="1383M"),
    _temp(1003, "Molly Hetherington", "2006-08-12", "2026-06-29", "ALDER", "Kitchen porter",
          ni_category="M", pension=NONE),
    _temp(1004, "Ian McAllister", "1971-01-22", "2025-05-12", "ALDER", "Kitchen porter", tax_code="S1257L"),
    _temp(1005, "Renée Dubois", "1994-11-03", "2026-01-19", "ALDER", "Chef de partie", loan="2"),
    _temp(1006, "Samir Haddad", "1999-02-14", "2026-08-31", "ALDER", "Catering assistant", week1=True,
          pension=NONE),
    _temp(1007, "Doreen Tallentire", "1957-03-08", "2024-09-02", "ALDER", "Catering assistant",
          tax_code="K475", ni_category="C", pension=NONE),
    _temp(1008, "Kyle Bainbridge", "1990-07-25", "2025-03-10", "BRIGHT", "Warehouse operative"),
    _temp(1009, "Ana-Maria Popescu", "1986-12-19", "2024-11-18", "BRIGHT", "Forklift driver"),
    _temp(1010, "Dean Armstrong", "1983-04-02", "2026-02-16", "BRIGHT", "Warehouse operative",
          tax_code="1172L"),
    _temp(1011, "Funmi Balogun", "1996-06-09", "2025-09-22", "BRIGHT", "Warehouse operative", loan="2"),
    _temp(1012, "Craig Nixon", "1975-10-11", "2024-08-12", "BRIGHT", "Shift leader", pension=NET_PAY),
    _temp(1013, "Tomasz Wójcik", "1992-03-27", "2025-06-02", "BRIGHT", "Forklift driver"),
    _temp(1014, "Jodie Routledge", "2003-09-05", "2026-05-18", "BRIGHT", "Warehouse operative",
          ni_category="H"),
    _temp(1015, "Mohammed Rafiq", "1981-08-16", "2025-01-13", "BRIGHT", "Warehouse operative"),
    _temp(1016, "Lee Musgrave", "1993-05-01", "2026-03-02", "BRIGHT", "Warehouse operative",
          leaves=date(2026, 11, 19)),
    _temp(1017, "Wei Zhang", "1989-01-30", "2026-07-13", "BRIGHT", "Warehouse operative",
          tax_code="BR", ni_category="J", pension=NONE),
    _temp(1018, "Zoë Whitlock", "2000-10-21", "2026-04-20", "CAFE", "Barista", loan="5"),
    _temp(1019, "José Hernández", "1991-04-18", "2025-07-07", "CAFE", "Café supervisor"),
    _temp(1020, "Ffion Pritchard", "2005-02-26", "2026-09-07", "CAFE", "Barista",
          tax_code="C1257L", pension=NONE),
    _temp(1021, "Harvey Lowther", "2007-01-15", "2026-10-05", "CAFE", "Barista",
          ni_category="M", pension=NONE),
    _temp(1022, "Nadia Karimi", "1997-07-07", "2026-02-02", "CAFE", "Barista"),
    _temp(1023, "Blessing Nkosi", "1985-09-12", "2024-07-15", "CEDAR", "Registered nurse",
          loan="1", pension=NET_PAY),
    _temp(1024, "Carole Blenkinsop", "1968-06-23", "2025-04-14", "CEDAR", "Care assistant",
          also=("KESTREL", "Call handler")),
    _temp(1025, "Princess Mensah", "1995-12-01", "2025-11-03", "CEDAR", "Senior carer"),
    _temp(1026, "Siobhan Ní Bhriain", "1987-02-11", "2026-01-05", "CEDAR", "Registered nurse",
          loan="2", postgraduate=True),
    _temp(1027, "Joyce Dacre", "1958-05-19", "2024-06-17", "CEDAR", "Care assistant",
          ni_category="C", pension=NONE),
    _temp(1028, "Anjali Thomas", "1998-08-08", "2025-08-18", "CEDAR", "Care assistant"),
    _temp(1029, "Mary-Jane Okafor", "1990-10-30", "2025-02-24", "CEDAR", "Senior carer", tax_code="1131N"),
    _temp(1030, "Kirsty Graham", "1984-03-13", "2025-10-13", "CEDAR", "Care assistant", tax_code="S1257L"),
    _temp(1031, "Emmanuel Tetteh", "2001-01-28", "2026-06-08", "CEDAR", "Care assistant",
          tax_code="BR", pension=NONE),
    _temp(1032, "Stuart Fearon", "1976-11-06", "2024-05-20", "FERRIS", "Welder", pension=SACRIFICE),
    _temp(1033, "Łukasz Nowak", "1988-08-24", "2025-01-27", "FERRIS", "CNC operator"),
    _temp(1034, "Owen Griffiths", "1994-04-04", "2026-11-18", "FERRIS", "Fitter", week1=True, pension=NONE),
    _temp(1035, "Colin Irving", "1969-12-27", "2024-04-29", "FERRIS", "Quality inspector",
          tax_code="D0", ni_category="J", pension=NONE),
    _temp(1036, "Aoife O'Neil", "1993-03-14", "2025-03-31", "FERRIS", "CNC operator", loan="2"),
    _temp(1037, "Ross Kerr", "1991-09-09", "2025-12-08", "FERRIS", "Fitter", tax_code="S1257L", loan="4"),
    _temp(1038, "Martin Pattinson", "1973-07-18", "2024-03-18", "FERRIS", "Welder", pension=NET_PAY),
    _temp(1039, "Bogdan Ionescu", "1985-05-05", "2026-03-23", "FERRIS", "Quality inspector"),
    _temp(1040, "Shaun Tyson", "1987-10-02", "2025-05-19", "HARBOUR", "Reach truck driver"),
    _temp(1041, "Ewa Kowalczyk", "1990-02-20", "2025-08-04", "HARBOUR", "Cold store picker"),
    _temp(1042, "Jamie Birkett", "2002-12-14", "2026-04-27", "HARBOUR", "Cold store picker"),
    _temp(1043, "Abdul Karim Chowdhury", "1982-06-30", "2024-12-02", "HARBOUR", "Reach truck driver",
          tax_code="1218L"),
    _temp(1044, "Paula Skelton", "1977-04-21", "2025-06-23", "HARBOUR", "Cold store picker"),
    _temp(1045, "Vasile Munteanu", "1996-09-16", "2026-08-10", "HARBOUR", "Cold store picker",
          tax_code="0T", week1=True, pension=NONE),
    _temp(1046, "Tom Baxter-Lyle", "1999-11-11", "2026-05-05", "HARBOUR", "Cold store picker", loan="2"),
    _temp(1047, "Michelle Steel", "1980-08-03", "2025-09-01", "HARBOUR", "Reach truck driver",
          also=("BRIGHT", "Forklift driver")),
    _temp(1048, "Priyanka Sharma", "1997-05-29", "2025-10-27", "KESTREL", "Call handler"),
    _temp(1049, "Gareth Hughes", "1989-07-01", "2026-01-12", "KESTREL", "Team manager",
          tax_code="C1257L", loan="1"),
    _temp(1050, "Chloe Winter", "2000-03-19", "2025-07-21", "KESTREL", "Call handler",
          loan="5", left_before="CAFE"),
    _temp(1051, "Daniel Osei", "1992-10-08", "2026-02-23", "KESTREL", "Call handler"),
    _temp(1052, "Heather Stobbart", "1974-02-05", "2025-04-28", "KESTREL", "Call handler"),
    _temp(1053, "Iqra Hussain", "2006-04-17", "2026-07-06", "KESTREL", "Call handler",
          ni_category="M", pension=NONE),
    _temp(1054, "Victoria Nelson", "1986-01-09", "2024-10-21", "KESTREL", "Team manager", pension=NET_PAY),
    _temp(1055, "Barry Hodgson", "1972-12-12", "2025-03-03", "MOORLAND", "Refuse loader",
          left_before="BRIGHT"),
    _temp(1056, "Ruth Eldridge", "1978-05-26", "2024-09-16", "MOORLAND", "Admin officer", pension=NET_PAY),
    _temp(1057, "Marcus Bell", "1995-08-22", "2026-03-16", "MOORLAND", "Housing officer", loan="2"),
    _temp(1058, "Sinéad Gallagher", "1983-11-17", "2025-02-10", "MOORLAND", "Project officer"),
    _temp(1059, "Neil Sowerby", "1970-09-04", "2025-11-24", "MOORLAND", "Refuse loader"),
    _temp(1060, "Olena Kovalenko", "1991-06-13", "2026-09-14", "MOORLAND", "Admin officer",
          tax_code="BR", pension=NONE),
)  # fmt: skip


@dataclass(frozen=True)
class ClientContact:
    """Somebody at the client who looks at what the bureau does for it. role: as grants name it."""

    email: str
    name: str
    role: str


CLIENT_CONTACTS = (
    ClientContact("fiona@northgate.example", "Fiona Marsh", "client_finance"),
    ClientContact("ivor@northgate.example", "Ivor Beck", "client_approver"),
)
"""The finance lead reads; the director approves, and so never prepares."""

CUSTOMER_BY_CODE = {customer.code: customer for customer in CUSTOMERS}
TEMP_BY_NUMBER = {temp.payroll_number: temp for temp in TEMPS}
