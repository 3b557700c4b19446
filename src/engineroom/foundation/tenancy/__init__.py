"""Clients and their isolation: the kinds of table, the client-matching key, and `acting`, the only way in.

Row security guards against the forgotten filter, not against injected SQL: use bound parameters only.
"""
