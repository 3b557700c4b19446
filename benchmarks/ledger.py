"""ledger: postings a second through `ledger.post` as app, every guard on, against a binary COPY of the same
columns into a table without an index, in the same run. Claim: at least 0.07 of that COPY.
"""

from __future__ import annotations

import statistics
from datetime import date

import numpy as np

from benchmarks.ground import a_firm, bench, seconds

ENTRIES, BATCHES = 20_000, 5
LINES_AN_ENTRY = 3


def main() -> None:
    with a_firm() as firm:
        from django.db import connections

        from engineroom.foundation.columns import binary_rows, column_of
        from engineroom.kernel.ids import NIL, uuid7, uuid7_column, uuids_to_column
        from engineroom.ledger.services import EntryColumns, LineColumns, account_ids, book_named, post

        client = firm.new_client()
        with client.acting("bookkeeper"):
            codes, book = account_ids(), book_named().id
        accounts = uuids_to_column([codes[c] for c in ("1200", "4000", "2250")])
        entry = np.repeat(np.arange(ENTRIES), LINES_AN_ENTRY)
        net = np.arange(1, ENTRIES + 1, dtype=np.int64) * 100
        amount = np.stack([net * 12 // 10, -net, net - net * 12 // 10], axis=1).reshape(-1)
        lines = LineColumns(entry, accounts[np.tile(np.arange(3), ENTRIES)], amount)
        entries = EntryColumns(np.full(ENTRIES, np.datetime64("2026-11-27")), ["Benchmark"] * ENTRIES)

        def guarded() -> None:
            with client.acting("bookkeeper"):
                post("benchmark", ("benchmark", uuid7()), book, entries, lines)

        n = len(amount)
        columns = {
            "id": uuid7_column(n),
            "client_id": client.id,
            "entry_id": uuid7_column(ENTRIES)[entry],
            "line_no": np.tile(np.arange(1, 4, dtype=np.int32), ENTRIES),
            "account_id": lines.account,
            "day": date(2026, 11, 27),
            "currency": ["GBP"] * n,
            "amount": amount,
            "dimension": NIL,
        }
        typed = {name: column_of(values, n) for name, values in columns.items()}
        with connections["owner"].cursor() as cursor:
            cursor.execute(f"CREATE TABLE bare ({', '.join(f'{k} {c.sql_type}' for k, c in typed.items())})")
            cursor.execute("GRANT INSERT ON bare TO engineroom_app")

        def bare() -> None:
            ready = {name: column_of(values, n) for name, values in columns.items()}
            with (
                connections["default"].cursor() as cursor,
                cursor.copy("COPY bare FROM STDIN (FORMAT BINARY)") as copy,
            ):
                copy.write(binary_rows(list(ready.values()), n))

        # In turn, and the ratio of each turn: the machine's speed drifts from one second to the next.
        turns = [(seconds(guarded), seconds(bare)) for _ in range(BATCHES)]
        ratio = statistics.median(theirs / ours for ours, theirs in turns)
        ours, theirs = (n / statistics.median(of) for of in zip(*turns, strict=True))
        bench("postings_per_s", ours, "postings/s", ratio=ratio, vs="binary COPY into a bare table")
        bench("copy_rows_per_s", theirs, "rows/s")
