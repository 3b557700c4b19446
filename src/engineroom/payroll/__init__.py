"""Payroll: from approved hours and tax details to payslips that answer for every penny.

`engine` holds what is true (pure, per country); this room holds what happened: tax details, pay runs,
attempts, payslips. A run's figures are one attempt's; readers join the published attempt, and one UPDATE
publishes.
"""
