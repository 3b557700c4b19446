"""The ground: PostgreSQL, clients and their isolation, access, commands, audit, approvals, vault, numbering, imports, jobs."""
