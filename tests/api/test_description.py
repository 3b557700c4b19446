"""The description of the API."""

from __future__ import annotations

import json

from django.test import Client as Browser


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
