"""The ground: PostgreSQL, clients and isolation, access, commands, audit, approvals, vault, imports, jobs."""
