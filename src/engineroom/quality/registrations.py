"""What promises offer to the rest: a case's clock, on the case's page."""

from __future__ import annotations

from engineroom.sop import beside
from engineroom.sop.models import Case


@beside.register
def clock_beside(case: Case) -> beside.Beside | None:
    from engineroom.quality import pages  # a page asks; the command line need not load what makes pages

    return pages.clock_beside(case)
