"""Timesheets: where people are placed, at what rates, when they worked, and what those hours became.

Owns purchase orders, assignments, rates, timesheets, time entries, charges and holds. A charge is the pair
that every hour becomes: one payable side and one billable side in one row, so neither exists without the
other. The billable side may be held, with its reason, while the payable side is paid. Rates are stored here
and solved by billing.
"""
