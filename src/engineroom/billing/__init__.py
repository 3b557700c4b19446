"""Billing: from billable hours to invoices, and the margin that is left.

Owns bill runs, invoices and their lines. A draft is a computation, not a row: it has no number. Issuing takes
the number, writes the invoice for good, posts revenue and makes the receivable. A held hour is in no invoice
and no revenue.
"""
