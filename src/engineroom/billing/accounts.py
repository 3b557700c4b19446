"""The accounts that invoices, and bills of suppliers, post to."""

RECEIVABLES = "1100"
VAT_OUTPUT = "2250"
SALES = "4000"

PAYABLES = "2100"
VAT_INPUT = "2260"
PURCHASES = "6000"
"""Where a bill's lines go unless somebody says another account."""
