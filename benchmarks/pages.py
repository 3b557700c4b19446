"""pages: Today, a client's home, a pay run and a thread under an open loop of 60 requests a second on 2
cores, in a firm of 200 clients and a million postings, served as `engineroom serve` serves. Claims: p95 of
each page under 100 ms, no errors; the first page under 100 KB with all it loads; no layout shift; no request
that leaves the machine.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import re
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from benchmarks._busy_firm import BusyFirm, make
from benchmarks.ground import a_firm, bench

RATE, SECONDS, WARM_UP = 60, 60, 200
HOST = "127.0.0.1"
CLAIM_MS, CLAIM_KB = 100, 100
OF_THE_BIG_CLIENT = 0.1
"""Share of requests that are about the client of 10,000 people; the others spread over all."""


def main() -> None:
    with a_firm() as firm:
        busy = make(firm)
        _queries(busy)
        with _served() as port:
            cookie = _sign_in(port, busy)
            addresses = _addresses(busy)
            _ask(port, cookie, _plan(addresses, WARM_UP), rate=RATE / 3)
            print(f"# load average before: {os.getloadavg()[0]:.1f}")
            _report(_ask(port, cookie, _plan(addresses, RATE * SECONDS), rate=RATE))
            print(f"# load average after: {os.getloadavg()[0]:.1f}")
            _first_page(port, cookie, addresses)


# --- the server ---------------------------------------------------------------------------------------


@contextmanager
def _served() -> Iterator[int]:
    """`engineroom serve`, as a firm runs it: pages and the worker of jobs, on loopback."""
    from engineroom.cli.serving import free_port

    port = free_port(HOST, 8200)
    program = Path(sys.executable).parent / "engineroom"
    server = subprocess.Popen([program, "serve", "--host", HOST, "--port", str(port)])
    try:
        until = time.monotonic() + 90
        while _status(port, "/healthz") != 200:
            assert server.poll() is None and time.monotonic() < until, "the server does not come up"
            time.sleep(0.2)
        yield port
    finally:
        server.terminate()
        server.wait(60)


def _status(port: int, address: str) -> int:
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", address)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def _sign_in(port: int, busy: BusyFirm) -> str:
    """Through the door; returns the cookie of the session."""
    connection = http.client.HTTPConnection(HOST, port, timeout=30)
    connection.request("GET", "/sign-in")
    door = connection.getresponse()
    text, jar = door.read().decode(), _cookies(door)
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', text)
    assert token, "the door has no form"
    form = {"csrfmiddlewaretoken": token[1], "login": busy.email, "password": busy.password}
    connection.request(
        "POST",
        "/sign-in",
        urlencode(form),
        {
            "Content-Type": "application/x-www-form-urlencoded",
            "Cookie": "; ".join(f"{k}={v}" for k, v in jar.items()),
            "Referer": f"http://{HOST}:{port}/sign-in",
        },
    )
    answer = connection.getresponse()
    jar |= _cookies(answer)
    assert answer.status == 302 and "engineroom_session" in jar, f"the door said {answer.status}"
    return f"engineroom_session={jar['engineroom_session']}"


def _cookies(answer: http.client.HTTPResponse) -> dict[str, str]:
    lines = answer.headers.get_all("Set-Cookie") or []
    return dict(line.split(";")[0].split("=", 1) for line in lines)


# --- what is asked ------------------------------------------------------------------------------------


def _addresses(busy: BusyFirm) -> dict[str, list[str]]:
    """By page, every address of it; the big client's first. Only pages that this installation has."""
    return {
        "today": ["/today"],
        "client": [f"/c/{code}" for code in busy.clients],
        "run": [f"/c/{code}/runs/{number}" for code, number in busy.runs],
        "thread": [f"/c/{code}/thread/{kind}/{found}" for code, kind, found in busy.threads],
    }


def _plan(addresses: dict[str, list[str]], many: int) -> list[tuple[str, str]]:
    """The pages in turn, each about a client drawn with a fixed seed."""
    draw = random.Random(60)
    pages = list(addresses)
    return [(page, _drawn(draw, addresses[page])) for page in (pages[n % len(pages)] for n in range(many))]


def _drawn(draw: random.Random, addresses: Sequence[str]) -> str:
    client = addresses[0].split("/")[1:3]
    of_big = [a for a in addresses if a.split("/")[1:3] == client]
    return draw.choice(of_big if draw.random() < OF_THE_BIG_CLIENT else addresses)


Answers = list[tuple[str, float, int]]
"""Page, seconds from the request's moment to its last byte, status; 0 for none."""


def _ask(port: int, cookie: str, plan: Sequence[tuple[str, str]], rate: float) -> Answers:
    asked = {"host": HOST, "port": port, "cookie": cookie, "rate": rate, "plan": plan}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks._load"],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=True,
    )
    return [tuple(row) for row in json.loads(done.stdout)]


def _report(results: Answers) -> None:
    """Per page and over all. An error is any answer but 200."""
    taken: dict[str, list[float]] = defaultdict(list)
    errors: dict[tuple[str, int], int] = defaultdict(int)
    for page, seconds, status in results:
        taken[page].append(seconds * 1e3)
        if status != 200:
            errors[page, status] += 1
    for page, times in taken.items():
        cut = statistics.quantiles(times, n=100)
        print(f"#   {page}: p50 {cut[49]:.0f}, p95 {cut[94]:.0f}, p99 {cut[98]:.0f} ms of {len(times)}")
        bench(f"page_{page}_p95_ms", cut[94], "ms", ratio=cut[94] / CLAIM_MS, vs=f"{CLAIM_MS} ms")
    worst = max(statistics.quantiles(times, n=100)[94] for times in taken.values())
    bench("pages_p95_ms", worst, "ms", ratio=worst / CLAIM_MS, vs=f"{CLAIM_MS} ms")
    share = sum(errors.values()) / len(results)
    bench("pages_errors", sum(errors.values()), "answers", ratio=share, vs="all")
    assert not errors, f"answers other than 200: {dict(errors)}"


def _queries(busy: BusyFirm) -> None:
    """What each page asks of PostgreSQL and how long it takes with nobody else on the server: figures that
    say where time goes when those under load drift with the machine.
    """
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from engineroom.foundation.access.sign_in import user_at_the_door

    browser, user = Client(headers={"host": HOST}), user_at_the_door(email=busy.email)
    assert user is not None
    browser.force_login(user)
    for page, addresses in _addresses(busy).items():
        browser.get(addresses[0])
        with CaptureQueriesContext(connection) as asked:
            start = time.perf_counter()
            browser.get(addresses[0])
            taken = time.perf_counter() - start
        in_database = sum(float(query["time"]) for query in asked.captured_queries)
        print(
            f"# {page}: {len(asked)} statements, {taken * 1e3:.0f} ms alone, "
            f"{in_database * 1e3:.0f} ms of them in PostgreSQL",
            flush=True,
        )


# --- what a browser sees ------------------------------------------------------------------------------

CHROMIUM = "/usr/bin/chromium"
WATCH_SHIFTS = """
window.shifted = 0;
new PerformanceObserver(list => { for (const entry of list.getEntries()) window.shifted += entry.value; })
  .observe({type: "layout-shift", buffered: true});
"""


def _first_page(port: int, cookie: str, addresses: dict[str, list[str]]) -> None:
    """Each page in a browser that has never been here: bytes, shifts, and who else was asked for anything."""
    from playwright.sync_api import sync_playwright

    base = f"http://{HOST}:{port}"
    name, _, value = cookie.partition("=")
    loaded: dict[str, int] = {}
    shifted = 0.0
    foreign: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for page_name, found in {"door": ["/sign-in"], **addresses}.items():
            context = browser.new_context()
            if page_name != "door":
                context.add_cookies([{"name": name, "value": value, "url": base}])
            context.add_init_script(WATCH_SHIFTS)
            asked = _hear(context)
            page = context.new_page()
            sizes = _weigh(context, page)
            answer = page.goto(base + found[0], wait_until="networkidle")
            assert answer is not None and answer.status == 200, f"{found[0]} answers {answer}"
            shifted = max(shifted, page.evaluate("window.shifted"))
            loaded[page_name] = sum(sizes)
            foreign += [url for url in asked if urlsplit(url).netloc != f"{HOST}:{port}"]
            context.close()
        browser.close()
    print("# bytes of a first visit: " + ", ".join(f"{k} {v:,}" for k, v in loaded.items()))
    kilobytes = loaded["today"] / 1000
    bench("first_page_kb", kilobytes, "KB", ratio=kilobytes / CLAIM_KB, vs=f"{CLAIM_KB} KB")
    bench("layout_shift", shifted, "score", ratio=shifted, vs="none")
    bench("foreign_requests", len(foreign), "requests", ratio=len(foreign), vs="none")
    assert not foreign, f"asked elsewhere: {foreign}"


def _hear(context: Any) -> list[str]:
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    return asked


def _weigh(context: Any, page: Any) -> list[int]:
    """The bytes of every answer as they come over the wire, headers and all."""
    sizes: list[int] = []
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    session.on("Network.loadingFinished", lambda done: sizes.append(int(done["encodedDataLength"])))
    return sizes
