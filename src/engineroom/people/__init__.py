"""People: the humans known to a client, the dated terms on which it employs them, and where they are paid.

Tax details belong to payroll. A person's id is also the id of their counterparty, so anything owed to them is
an open item like any other. National Insurance numbers and bank accounts are sealed columns.
"""
