"""What procedures offer to the rest: what is to be done, on Today."""

from __future__ import annotations

from engineroom.sop import boards, services  # noqa: F401  duties and commands register themselves
