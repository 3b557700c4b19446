"""docs/roles.md, from the code: python -m engineroom.foundation.access.roles_doc > docs/roles.md"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from engineroom.foundation.access.roles import DATA_CLASSES, RELEASING, ROLES, ROOM_OF_SUBJECT, WRITING, Role

HEAD = """# Who may do what

Made from `src/engineroom/foundation/access/roles.py`; a test fails when the two differ. To make it anew:

    python -m engineroom.foundation.access.roles_doc > docs/roles.md

A grant is (user, client, role, from, until, reason). A permission is
`<room>.<read|prepare|approve|release|admin>`; a star stands for any room. Commands name one; pages and API
calls inherit it.
"""

COLUMNS = ("role", "face", "permissions on a granted client", "masked", "never")

ROOMS = ", ".join(sorted(set(ROOM_OF_SUBJECT.values())))

FOOT = f"""
- Masked classes of data ({", ".join(DATA_CLASSES)}) are shown as dots; every read of such a column is
  logged, masked or not. With several roles on a client, a class is masked only if each of them masks it.
- What a worker is shown is for the task to declare, what an employee is shown is their own person; the
  accessor of private columns itself opens nothing for these two. Which person a user is says their login
  (`people.give_login`, by whoever may grant, never to oneself); from those two faces PostgreSQL shows, of
  every client table, one's own rows or none.
- A client is opened for writing by these roles and by no other, whatever the code says, because PostgreSQL
  refuses: {", ".join(WRITING)}.
- Approve and release are two permissions and, for the same subject, two people. Those who may release
  are {", ".join(RELEASING)}. A checker may release what they approved only where fewer than two others exist.
- A user has one face, by kind: staff the firm's, worker the work's, client the client's, employee their own.
  A role of another face cannot be granted to them.
- An approval and a release need the permission of the subject's room
  ({ROOMS}) by a live grant, and a grant needs `foundation.grant` there: PostgreSQL asks for all
  three, from this same table.
- Owner and admin are granted by an admin of the house client alone, and so is any role by somebody who does
  not work on the client. Nobody grants to themselves.
- A delegate acts on behalf of somebody with the delegate's own roles; both count as maker or checker. A job
  runs as the system with the roles, as they are when it runs, of whoever set it off.
"""


def page() -> str:
    return HEAD + "\n" + "\n".join(_table()) + "\n" + FOOT


def _table() -> Iterator[str]:
    yield _row(COLUMNS)
    yield _row(["---"] * len(COLUMNS))
    for name, role in ROLES.items():
        yield _row((name.replace("_", " "), role.face, _permissions(role), _masked(role), role.never))


def _permissions(role: Role) -> str:
    return ", ".join(f"`{permission}`" for permission in role.permissions)


def _masked(role: Role) -> str:
    if role.face == "work":
        return "as the task declares"
    return "all" if role.masked == DATA_CLASSES else ", ".join(role.masked) or "-"


def _row(cells: tuple[str, ...] | list[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.stdout.write(page())
