"""A person's yes at the terminal: to what was shown, by its hash where nobody is there to be asked."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from engineroom.kernel.errors import EngineroomError

HASH_DIGITS = 16
"""As many as are printed: enough to name a content."""


def short(content_hash: str | bytes | memoryview) -> str:
    """A content's name as it is printed."""
    whole = content_hash if isinstance(content_hash, str) else bytes(content_hash).hex()
    return whole[:HASH_DIGITS]


def require_content(*, yes: bool, content: str | None) -> None:
    """Before anything is looked up: `--yes` says yes to something. Raises EngineroomError."""
    if yes and not content:
        raise EngineroomError("--yes says yes to what you looked at: name it with --content HASH[,HASH]")


def agree(question: str, hashes: Sequence[str], *, yes: bool, content: str | None) -> None:
    """What was just shown is agreed to, or this raises: ContentChanged, EngineroomError, typer.Abort.

    hashes: of what was shown, whole, in its order. content: how the caller names them, comma between; what
    else stands now is refused, with or without `yes`.
    """
    if content:
        _same(content, hashes)
    if yes:
        return
    if not sys.stdin.isatty():
        names = ",".join(map(short, hashes))
        raise EngineroomError(
            f"nobody is at the terminal to say yes; to approve what is shown add --yes --content {names}"
        )
    typer.confirm(question, abort=True)


def _same(content: str, hashes: Sequence[str]) -> None:
    named = [part.strip().lower() for part in content.split(",") if part.strip()]
    if len(named) != len(hashes) or any(len(part) < HASH_DIGITS for part in named):
        form = ",".join("HASH" for _ in hashes)
        raise EngineroomError(f"name what is shown by {HASH_DIGITS} digits of its hash: --content {form}")
    from engineroom.foundation.approvals.services import ContentChanged

    if not all(whole.startswith(part) for whole, part in zip(hashes, named, strict=True)):
        raise ContentChanged("what stands is not the content you name; look again")
