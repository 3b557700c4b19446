"""A short procedure for tests: a task, a client request, two branches, a rework, an escalation."""

from __future__ import annotations

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
