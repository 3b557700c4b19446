"""Open items: the one place where money meets money. Owns counterparties, open items and allocations.

An item is an amount owed or held on a control account, signed like its posting. An allocation sets two items
of the same account against each other, so allocating never changes the account: control account = sum of its
items, always.
"""
