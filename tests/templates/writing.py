"""Templates as somebody would write them, for tests."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from engineroom.foundation.tenancy.scope import acting
from engineroom.templates import drafts
from tests.firm import Firm

_keys = itertools.count(1)

MONTHLY = {
    "MONTHLY": {
        "name": "Monthly",
        "frequency": "monthly",
        "anchor": "2026-04-01",
        "pay_rule": "last_banking_day",
        "cut_off_days": "5",
    }
}
USUAL: dict[str, dict[str, dict[str, str]]] = {
    "Accounts": {"7100": {"name": "Bonuses", "type": "expense"}},
    "Account map": {"cost.bonus_pay": {"account": "7100"}},
    "Pay schedules": MONTHLY,
    "Leave kinds": {
        "annual": {"of": "law", "holidays": "ENG"},
        "birthday": {"of": "client", "label": "Birthday", "entitles": "no", "element": "holiday_pay"},
    },
    "Leave entitlements": {"annual": {"weeks": "6", "carry_weeks": "1", "carry_months": "3"}},
    "Account holds": {"bank_accounts": {"hold_first": "yes"}},
    "Promises": {"all_others": {"name": "Two days", "minutes": "960"}},
    "Working hours": {"desk": {"zone": "Europe/London", "week": "Mon-Fri 09:00-17:00", "holidays": "ENG"}},
}


def text_of(
    key: str,
    said: Mapping[str, Mapping[str, Mapping[str, str]]],
    *,
    title: str = "Usual",
    country: str = "gb",
) -> str:
    """The document that says this."""
    lines = [
        "---",
        f"template: {key}",
        f"title: {title}",
        f"country: {country}",
        "---",
        "What is shared.",
        "",
    ]
    for heading, items in said.items():
        lines += [f"## {heading}", "```yaml"]
        for item, fields in items.items():
            lines.append(f'"{item}":')
            lines += [f'  {name}: "{value}"' for name, value in fields.items()]
        lines += ["```", ""]
    return "\n".join(lines)


def changed(**parts: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, dict[str, str]]]:
    """The usual template with these fields set otherwise; parts by their title with _ for spaces."""
    said = {part: {item: dict(fields) for item, fields in items.items()} for part, items in USUAL.items()}
    for name, items in parts.items():
        for item, fields in items.items():
            said[name.replace("_", " ")].setdefault(item, {}).update(fields)
    return said


def published(
    firm: Firm, said: Mapping[str, Mapping[str, Mapping[str, str]]] = USUAL, key: str = ""
) -> drafts.Published:
    """A version that says this, of a template of its own unless it has a key."""
    with acting(firm.owner, write=firm.house_id):
        return drafts.publish(text_of(key or f"usual_{next(_keys)}", said))
