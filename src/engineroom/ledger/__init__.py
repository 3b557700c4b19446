"""The ledger: a client's books. Owns books, accounts, entries, postings, balances and period locks.

Post, reverse, correct; never edit. `services.post` is the only writer. An entry is a set of lines that adds
to zero in every currency; PostgreSQL refuses anything else, and refuses to change what stands.
"""
