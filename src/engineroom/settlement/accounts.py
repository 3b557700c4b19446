"""The accounts money moves through."""

BANK = "1200"
IN_TRANSIT = "2300"
NET_WAGES = "2210"
RECEIVABLES = "1100"
