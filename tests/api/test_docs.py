"""docs/api.md says what is so: its examples run, in order."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.test import Client as Browser

from tests.api.conftest import Caller
from tests.firm import Firm, Temp, TestClient, hours_file, set_up
from tests.sop.writing import publish_ready

PAGE = Path(__file__).resolve().parents[2] / "docs" / "api.md"
CAPTURE = re.compile(r"^(\w+)=\$\((.*) \| jq -r \.(\w+)\)$")


def examples() -> list[str]:
    """Every line of the page's shell blocks."""
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def fill(text: str, names: dict[str, str]) -> str:
    return re.sub(r"\$(\w+)", lambda found: names[found[1]], text)


def curl(line: str, names: dict[str, str], folder: Path) -> Any:
    """What curl would do, to the application itself."""
    words = [fill(word, names) for word in shlex.split(line.partition(" # ")[0])]
    assert words.pop(0) == "curl"
    method, headers, data, url = "get", {}, None, ""
    while words:
        word = words.pop(0)
        if word == "-X":
            method = words.pop(0).lower()
        elif word == "-H":
            name, _, value = words.pop(0).partition(": ")
            headers[name] = value
        elif word == "-d":
            data = words.pop(0)
        elif word == "-F":
            field, _, name = words.pop(0).partition("=@")
            with (folder / name).open("rb") as file:
                return Browser().post(words.pop(0), {field: file}, headers=headers)
        elif word == "-o":
            words.pop(0)
        else:
            url = word
    if method == "get":
        return Browser().get(url, headers=headers)
    return Browser().post(url, data or "", content_type="application/json", headers=headers)


def test_the_examples_run(firm: Firm, client: TestClient, caller: Callable[..., Caller]) -> None:
    publish_ready(firm, "document_request")
    temps = [Temp("T1", "Jo Bloggs"), Temp("T2", "Al Green")]
    set_up(client, temps)
    hours_file(client, temps)
    names = {"URL": "", "CODE": client.code}
    for name, role in (("TOKEN", "specialist"), ("APPROVER", "lead"), ("RELEASER", "checker")):
        names[name] = caller(client.staff[role]).token
    lines = examples()
    assert len(lines) > 20
    for line in lines:
        captured = CAPTURE.match(line)
        answer = curl(captured[2] if captured else line, names, client.folder)
        expected = re.search(r" # (\d{3})", line)
        assert answer.status_code == int(expected[1] if expected else 200), (line, answer.content)
        if captured:
            names[captured[1]] = str(json.loads(answer.content)[captured[3]])
