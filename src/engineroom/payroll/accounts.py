"""The accounts a pay run posts to, by what they are for."""

from __future__ import annotations

STAFF_DEBTS = "1150"
WAGES = "5000"
EMPLOYER_NIC = "5010"
EMPLOYER_PENSION = "5020"
HOLIDAY_COST = "5030"
HMRC = "2200"
NET_WAGES = "2210"
PENSION_PROVIDER = "2220"
HOLIDAY_PROVISION = "2240"
ORDERS = "2230"
ORDER_CHARGES = "4100"
