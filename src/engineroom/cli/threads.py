"""The thread as a tree on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from rich.tree import Tree as RichTree

from engineroom.cli import show
from engineroom.foundation import thread
from engineroom.foundation.access.selectors import my_clients
from engineroom.foundation.tenancy.scope import Identity, acting
from engineroom.kernel.errors import NotFound


def trace(user: Identity, reference: str, client: str | None) -> None:
    """Print where it came from and what became of it, on the first of the user's clients that knows it."""
    with acting(user):
        clients = [c for c in my_clients() if client is None or c.code.lower() == client.lower()]
    for row in clients:
        with acting(user, read=[row.id]):
            try:
                kind, _ = thread.find(reference)
            except NotFound:
                continue
            # One name may be several things: the hours of a day at two customers.
            found = thread.FIND[kind](reference.removeprefix(f"{kind}:"))
            for title, forward in (("came from", False), ("became", True)):
                _print(title, [thread.walk(kind, node_id, forward=forward) for node_id in found])
            return
    forms = (
        "PAYROLLNUMBER@DATE, RUN/PAYROLLNUMBER, an invoice number, a bank "
        "line's or a payment file's reference"
    )
    raise NotFound(f"nothing you may see is called {reference!r}; write {forms}")


def _print(title: str, trees: Sequence[thread.Tree]) -> None:
    show.console.print(Text(title, style="bold"))
    for tree in trees:
        root = RichTree(_line(tree))
        _grow(root, tree)
        show.print_tree(root)


def _grow(branch: RichTree, tree: thread.Tree) -> None:
    for part in tree.branches:
        _grow(branch.add(_line(part)), part)
    if tree.more:
        branch.add(Text(f"and {tree.more} more", style="dim"))


def _line(tree: thread.Tree) -> Text:
    node = tree.node
    text = Text(node.label)
    if node.amount_minor is not None:
        text.append(f"  {show.money(node.amount_minor, node.currency)} {node.currency}", style="bold")
    if tree.again:
        return text.append("  (above)", style="dim")
    beside = [str(node.day) if node.day else "", node.who, node.rule]
    text.append("".join(f"  {b}" for b in beside if b), style="dim")
    if node.state:
        text.append(f"  [{node.state}]")
    return text
