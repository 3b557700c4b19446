"""The accounts an invoice posts to."""

RECEIVABLES = "1100"
VAT_OUTPUT = "2250"
SALES = "4000"
