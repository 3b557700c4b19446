"""The steps of a payday, as every face takes them: pages, programs and the command line.

Owns no table. It composes the commands of payroll, billing and settlement in the order of a payday, so that
no face has an order of its own.
"""
