"""The official rules, applied in a process of their own, which is kept and asked again.

If that process goes down, the check is tried once more in a new one; goes that down too, the check is refused
and everything else lives on. A check that runs into the time limit is refused at once: it would take as long
again, while everybody else's waits.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from engineroom.billing.formats.einvoice import Finding
from engineroom.kernel.errors import EngineroomError

TIMEOUT_S = 120
"""A 2,000-line invoice takes 3 s under two rule sets; a large one several times that."""

HOW_TO_INSTALL = ".venv/bin/python -m pip install --require-hashes -r requirements/einvoice.txt"


class RulesNotApplied(EngineroomError):
    """The official rules could not be applied; nothing is known of the e-invoice."""

    status = 503


class NoRuleProcessor(RulesNotApplied):
    """SaxonC is not installed here."""

    def __init__(self) -> None:
        super().__init__(
            f"the official rules need saxonche (SaxonC), which is not installed here: {HOW_TO_INSTALL}"
        )


class RuleProcess:
    """The child process, started when first asked. Safe for threads, one request at a time."""

    def __init__(self) -> None:
        self._asking = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def apply(self, content: bytes, rules: Sequence[Path]) -> list[list[Finding]]:
        """Findings of each rule set. content: parsed and written again, so without a DOCTYPE. Raises
        RulesNotApplied.
        """
        if not rules:
            return []
        if find_spec("saxonche") is None:
            raise NoRuleProcessor
        with self._asking:
            try:
                answer = self._ask(content, rules)
            except OSError:
                try:
                    answer = self._ask(content, rules)
                except OSError as error:
                    raise RulesNotApplied(
                        f"the process that applies the official rules ended twice on this e-invoice "
                        f"({error}); try another version of the rules, or of saxonche"
                    ) from None
        if "error" in answer:
            raise RulesNotApplied(f"the official rules could not be applied: {answer['error']}")
        return [
            [Finding(rule, severity, text, where) for rule, severity, text, where in found]
            for found in answer["findings"]
        ]

    def _ask(self, content: bytes, rules: Sequence[Path]) -> dict[str, Any]:
        child = self._running()
        assert child.stdin is not None and child.stdout is not None
        asked = {"rules": [str(path) for path in rules], "bytes": len(content)}
        try:
            child.stdin.write(json.dumps(asked).encode() + b"\n" + content)
            child.stdin.flush()
            line = self._line(child)
        except TimeoutError as error:  # an OSError too, but not one to be tried again
            self.stop()
            raise RulesNotApplied(
                f"the official rules took too long on this e-invoice ({error}), so nothing is known of it; "
                f"ask for it in several invoices of fewer lines"
            ) from None
        except OSError:
            self.stop()
            raise
        if not line.endswith(b"\n"):
            self.stop()
            raise ConnectionResetError(f"it ended with {child.returncode}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    @staticmethod
    def _line(child: subprocess.Popen[bytes]) -> bytes:
        assert child.stdout is not None
        parts: list[bytes] = []
        until = time.monotonic() + TIMEOUT_S
        while not parts or not parts[-1].endswith(b"\n"):
            ready, _, _ = select.select([child.stdout], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                raise TimeoutError(f"no answer in {TIMEOUT_S} seconds")
            part = os.read(child.stdout.fileno(), 1 << 20)
            if not part:
                break
            parts.append(part)
        return b"".join(parts)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is None or self._owner != os.getpid() or self._child.poll() is not None:
            self._owner = os.getpid()  # a fork of us starts its own
            self._child = subprocess.Popen(
                [sys.executable, "-m", "engineroom.billing.rule_process"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        return self._child

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child else None

    def stop(self) -> None:
        child, self._child = self._child, None
        if child is None or self._owner != os.getpid():
            return
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


PROCESS = RuleProcess()
atexit.register(PROCESS.stop)
