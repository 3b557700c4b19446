"""An open loop of requests, in a process of its own so that it takes no time from who it measures.

Every request has its moment on a fixed schedule, whatever became of those before it, and its latency counts
from that moment: a server that stands still makes all that queue up late, as it does people.

Reads JSON from stdin: {host, port, cookie, rate, plan: [[page, address], ..]}; writes a list of
[page, seconds, status].
"""

from __future__ import annotations

import http.client
import itertools
import json
import sys
import threading
import time
from typing import Any

VISITORS = 96
"""Connections. More than can wait at once unless answers take over a second and a half."""


def main() -> None:
    asked = json.load(sys.stdin)
    results: list[list[Any]] = []
    turn = itertools.count()
    start = time.perf_counter() + 0.5
    visitors = [threading.Thread(target=_visit, args=(asked, turn, start, results)) for _ in range(VISITORS)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    json.dump(results, sys.stdout)


def _visit(asked: dict[str, Any], turn: itertools.count[int], start: float, results: list[list[Any]]) -> None:
    connection = http.client.HTTPConnection(asked["host"], asked["port"], timeout=30)
    headers = {"Cookie": asked["cookie"], "Accept-Encoding": "gzip, br", "Accept": "text/html"}
    while (n := next(turn)) < len(asked["plan"]):
        page, address = asked["plan"][n]
        due = start + n / asked["rate"]
        time.sleep(max(0.0, due - time.perf_counter()))
        try:
            connection.request("GET", address, headers=headers)
            answer = connection.getresponse()
            answer.read()
            status = answer.status
        except (OSError, http.client.HTTPException):
            connection.close()
            status = 0
        results.append([page, time.perf_counter() - due, status])


if __name__ == "__main__":
    main()
