"""Leave: what somebody may take, has taken and is asking for; sickness and its spells; who is away.

One ledger, in minutes, INSERT only: hours and days are two views of it, and a balance is a sum as at any
day. Payroll asks what was taken in a period (`selectors.taken_between`) and what a leaver is owed; leave
knows nothing of pay.
"""
