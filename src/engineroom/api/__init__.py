"""What programs call: the same services as pages and the command line, under `/api`.

Each room's operations stand in its own `api.py`; here they are mounted on a client's address, beside what
belongs to no single room: who calls, clients, imports, the audit trail, the thread, and a payday's steps.
"""
