"""The description of the API."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

from django.test import Client as Browser
from ninja import Schema


def test_every_operation_says_what_it_does_and_how_it_fails(server: object) -> None:
    schema = json.loads(Browser().get("/api/openapi.json").content)
    operations = [o for methods in schema["paths"].values() for o in methods.values()]
    assert len(operations) > 50
    for operation in operations:
        assert operation["summary"] and operation["description"].strip() and operation["tags"]
        for status, response in operation["responses"].items():
            kind = "application/problem+json" if int(status) >= 400 else None
            assert kind is None or list(response["content"]) == [kind]
    names = [o["operationId"] for o in operations]
    assert len(names) == len(set(names))


def test_every_schema_has_a_name_of_its_own() -> None:
    """Two of one name would be one in the description: programs would be told the wrong fields."""

    def below(cls: type[Schema]) -> Iterator[type[Schema]]:
        for child in cls.__subclasses__():
            yield child
            yield from below(child)

    ours = {c for c in below(Schema) if c.__module__.startswith("engineroom.") and "[" not in c.__name__}
    names = Counter(c.__name__ for c in ours)
    assert len(ours) > 50
    assert [name for name, count in names.items() if count > 1] == []
