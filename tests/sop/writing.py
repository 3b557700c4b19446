"""Procedures for tests: a short one (task, client request, branches, rework, escalation), and ready ones."""

from __future__ import annotations

from contextlib import suppress

from engineroom.foundation.tenancy.scope import acting
from engineroom.kernel.errors import Conflict
from engineroom.sop import drafts
from tests.firm import Firm

TEXT = """---
procedure: short
title: A short one
fields:
  day: {title: Day, type: date}
---
What it is for.

## Collect
```yaml
who: specialist
sla: 4 working hours
checks:
  - Everything is there
evidence:
  - file: The list
    key: list
```
Collect everything.

## Ask the client
```yaml
ask:
  - text: What is missing
    key: missing
sla: 1 working day
```
Please tell us what is missing.

## Both
```yaml
parallel: [count, pay]
then: finish
```

## Count
```yaml
who: specialist
evidence:
  - number: The sum
    key: total
next:
  - when: total < 0
    go: count
  - otherwise: finish
```

## Pay
```yaml
who: lead
four_eyes: checker
evidence:
  - text: Reference
    key: reference
```

## Finish
```yaml
who: lead
apart_from: [count]
may_skip: yes
escalate: {after: 2 days, to: owner}
```
"""


def procedure_text(key: str, *, title: str = "A short one") -> str:
    """The same text as a procedure of that name."""
    return TEXT.replace("procedure: short", f"procedure: {key}").replace(
        "title: A short one", f"title: {title}"
    )


def publish_ready(firm: Firm, *keys: str) -> None:
    """Procedures of the library, published once in this firm, whichever test comes first."""
    with acting(firm.owner, write=firm.house_id):
        for key in keys:
            with suppress(Conflict):  # another test published it
                drafts.publish(drafts.library()[key])
