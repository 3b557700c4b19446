"""Named places where a test may kill the process for real, to prove that a re-run gives the same books.

Does nothing unless ENGINEROOM_FAILPOINT names the place; then the process gets SIGKILL, as a power cut would.
"""

from __future__ import annotations

import os
import signal


def failpoint(name: str) -> None:
    """Die here if the environment says so: `<step>` is in the step's transaction, `<step>:after` behind."""
    if os.environ.get("ENGINEROOM_FAILPOINT") == name:
        os.kill(os.getpid(), signal.SIGKILL)
