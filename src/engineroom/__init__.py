"""Engineroom: the back office of many companies at once, run by one firm, every number answerable."""

__version__ = "0.1.0"
