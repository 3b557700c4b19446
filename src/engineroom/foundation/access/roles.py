"""Who may do what. The table of docs/roles.md is generated from here, and a test compares the two.

A permission is `<room>.<read|prepare|approve|release|admin>`; a role holds patterns of them. What a role
never does is held elsewhere too: maker is not checker, and approver is not releaser, by PostgreSQL.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache

DATA_CLASSES = ("pay", "bank", "identity", "health")


@dataclass(frozen=True)
class Role:
    """face: where this role works; masked: what is shown as dots; never: what is refused, in words."""

    face: str
    permissions: tuple[str, ...]
    masked: tuple[str, ...] = ()
    never: str = ""

    def may(self, permission: str) -> bool:
        return any(fnmatchcase(permission, pattern) for pattern in self.permissions)


VERBS = ("read", "prepare", "approve", "release", "work", "answer")
"""What a token may be narrowed to: the last word of a permission. Admin and grant are for whole tokens."""

BOOKS = ("ledger", "openitems", "settlement", "accounting")
SERVICES = ("payroll", "timesheets", "billing", "people", "leave", "sop")

ROLES: dict[str, Role] = {
    "owner": Role(
        "firm",
        ("*.read", "*.approve", "*.release", "sop.work"),
        ("identity", "health"),
        "release what they approved",
    ),
    "lead": Role(
        "firm",
        ("*.read", "*.prepare", "*.approve", "*.release", "sop.work", "foundation.grant"),
        ("health",),
        "release what they approved",
    ),
    "specialist": Role(
        "firm",
        ("*.read", *(f"{room}.prepare" for room in SERVICES), "sop.work"),
        (),
        "approve",
    ),
    "bookkeeper": Role(
        "firm",
        ("*.read", *(f"{room}.prepare" for room in BOOKS), "sop.work"),
        ("identity", "health"),
        "approve",
    ),
    "checker": Role(
        "firm",
        ("*.read", "*.approve", "*.release", "sop.work"),
        ("health",),
        "prepare; release what they approved where two others exist",
    ),
    "auditor": Role("firm", ("*.read",), ("bank", "identity", "health"), "write"),
    "admin": Role(
        "firm",
        ("foundation.admin", "foundation.grant"),
        DATA_CLASSES,
        "any client data; grant to self",
    ),
    "worker": Role("work", ("sop.own", "timesheets.own"), DATA_CLASSES, "anything else"),
    "client_finance": Role(
        "client",
        ("*.read", "timesheets.prepare", "people.prepare", "leave.prepare", "sop.answer"),
        ("identity", "health"),
        "another company",
    ),
    "client_approver": Role(
        "client",
        (
            "*.read",
            "timesheets.prepare",
            "people.prepare",
            "leave.prepare",
            "sop.answer",
            "payroll.approve",
            "billing.approve",
            "leave.approve",
        ),
        ("identity", "health"),
        "approve what they prepared",
    ),
    "employee": Role(
        "self", ("people.own", "payroll.own", "leave.own", "timesheets.own"), (), "another person"
    ),
}

RELEASING = tuple(name for name, role in ROLES.items() if role.may("settlement.release"))
"""Roles counted when a checker asks whether two others exist who could release."""

ROOM_OF_SUBJECT = {"pay_run": "payroll", "bill_run": "billing"}
"""Whose permission approves and releases a subject; any other kind names its room itself."""

WRITING = tuple(n for n, role in ROLES.items() if not all(p.endswith(".read") for p in role.permissions))
"""Roles that may open a client for writing; an auditor never does. PostgreSQL holds it, in app_enter."""


@lru_cache(4096)
def may(roles: frozenset[str], permission: str) -> bool:
    """Whether any of the roles holds the permission."""
    return any(ROLES[name].may(permission) for name in roles)


def masked(roles: frozenset[str]) -> frozenset[str]:
    """Classes of data hidden from somebody with these roles: hidden only if every role hides it.

    A worker sees what their task declares and an employee their own person. Which rows those are, only a room
    can say; so these two roles open nothing here.
    """
    opening = [ROLES[name] for name in roles if ROLES[name].face in ("firm", "client")]
    if not opening:
        return frozenset(DATA_CLASSES)
    return frozenset.intersection(*(frozenset(role.masked) for role in opening))
