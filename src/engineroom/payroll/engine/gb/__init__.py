"""Great Britain, gross to net: PAYE, Class 1 National Insurance, loans, workplace pension, holiday accrual.

Tax years 2025-26 and 2026-27; a further year is a further version in each file of `rules/`.
"""
