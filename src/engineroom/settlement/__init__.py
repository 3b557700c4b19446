"""Settlement and clearing: paying and being paid, and proving on the bank statement that it happened.

Pays open items, whatever room made them. Sent is not settled is not cleared: a released file moves money to
"payments in transit"; only a line on the bank's own statement moves it off the bank account.
"""
