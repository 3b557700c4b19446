"""Charts of accounts that a book can be opened with: rows of (code, name, type, is control account).

The codes are those the rooms post to; a client that wants other names keeps the codes.
"""

from __future__ import annotations

STAFFING: list[tuple[str, str, str, bool]] = [
    ("1100", "Trade receivables", "asset", True),
    ("1150", "Advances and loans to staff", "asset", False),
    ("1200", "Bank", "asset", False),
    ("2100", "Trade payables", "liability", True),
    ("2200", "PAYE and NIC payable", "liability", True),
    ("2210", "Net wages payable", "liability", True),
    ("2220", "Pension payable", "liability", True),
    ("2230", "Attachment orders payable", "liability", True),
    ("2240", "Holiday pay provision", "liability", False),
    ("2250", "VAT output", "liability", False),
    ("2260", "VAT input", "asset", False),
    ("2300", "Payments in transit", "liability", True),
    ("2900", "Suspense", "liability", False),
    ("3000", "Retained earnings", "equity", False),
    ("4000", "Sales, temporary staff", "income", False),
    ("4100", "Charges for attachment orders", "income", False),
    ("5000", "Wages", "expense", False),
    ("5010", "Employer's NIC", "expense", False),
    ("5020", "Employer's pension", "expense", False),
    ("5030", "Holiday pay cost", "expense", False),
    ("6000", "Purchases and services", "expense", False),
    ("7900", "Bank charges", "expense", False),
]
"""Of a staffing company that employs its temps and supplies them as principal."""
