"""The rail: every entry leads somewhere, and no two of one face answer to one key."""

from __future__ import annotations

from collections import Counter

import pytest
from django.urls import NoReverseMatch, reverse

from engineroom.web import registry


@pytest.mark.parametrize("face", ["firm", "client", "work", "self"])
def test_no_two_entries_of_a_face_answer_to_one_key(face: str) -> None:
    keys = Counter(e.key for e in registry.navigation() if face in e.faces and e.key)
    assert [key for key, times in keys.items() if times > 1] == []


def test_every_entry_leads_somewhere() -> None:
    for entry in registry.navigation():
        try:
            reverse(entry.url_name)
        except NoReverseMatch:
            reverse(entry.url_name, args=["CODE"])
