"""The alphabet: money, exact rates, named roundings, calendars, periods, dated tables, ids and errors.

Pure: no Django, no clock, no I/O but reading the rule files that ship with the code. Money is int64 minor
units; columns are NumPy int64 arrays; a function serves one value and a million alike.
"""
