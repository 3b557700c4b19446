"""CSV and QIF taken in: only with a layout that a person of the client confirmed, which is remembered."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
from django.db import Error, connection

from engineroom.foundation.imports import services as imports
from engineroom.kernel.errors import InputRefused, NotFound, NotPermitted
from engineroom.settlement import layouts
from engineroom.settlement.formats import mapped
from engineroom.settlement.models import BankLine, Statement, StatementLayout
from tests.firm import TestClient
from tests.web.conftest import signed_in

CSV = (
    "Date,Details,Amount,Balance\n27/11/2026,ACME RENT,1250.00,2250.00\n13/11/2026,BROADBAND,-30.10,1000.00\n"
)
QIF = "!Type:Bank\nD13/11'26\nT-30.10\nPBROADBAND\n^\nD27/11'26\nT1250.00\nPACME\n^\n"


def kept(client: TestClient, text: str, name: str) -> Path:
    path = client.folder / name
    path.write_text(text)
    return path


def confirm(client: TestClient, text: str, form: mapped.Format) -> None:
    found = mapped.detect(text.encode(), form)
    with client.acting("bookkeeper"):
        layouts.confirm_layout("main", found.fingerprint, found.mapping.as_dict())


@pytest.mark.parametrize(("form", "text"), [("csv", CSV), ("qif", QIF)])
def test_a_file_waits_for_its_layout_and_is_then_taken_once(
    client: TestClient, form: mapped.Format, text: str
) -> None:
    with pytest.raises(InputRefused) as refused:
        client.take("statement", kept(client, text, f"one.{form}"), role="bookkeeper")
    assert "nobody has said what" in str(refused.value)
    confirm(client, text, form)
    [taken] = client.take("statement", kept(client, text, f"one.{form}"), role="bookkeeper").taken
    assert taken.counts == {"statements": 1, "lines": 2, "known": 0}
    assert client.take("statement", kept(client, text, f"two.{form}"), role="bookkeeper").taken[0].again
    with client.acting("bookkeeper"):
        assert sorted(BankLine.objects.filter(client_id=client.id).values_list("amount", flat=True)) == [
            -3_010,
            125_000,
        ]
        statement = Statement.objects.get(client_id=client.id)
    balances = (103_010, 225_000) if form == "csv" else (None, None)
    assert (statement.opening, statement.closing) == balances


def test_a_later_file_that_overlaps_brings_only_what_is_new(client: TestClient) -> None:
    confirm(client, CSV, "csv")
    client.take("statement", kept(client, CSV, "one.csv"), role="bookkeeper")
    row = "28/11/2026,LUNCH,-4.00,2246.00\n"
    later = CSV.replace("Balance\n", f"Balance\n{row}")
    done = client.take("statement", kept(client, later, "two.csv"), role="bookkeeper")
    assert done.taken[0].counts == {"statements": 1, "lines": 1, "known": 2}
    assert any("known by its words" in p.problem for p in done.problems)


def test_another_shape_is_not_read_with_this_layout_and_the_latest_counts(client: TestClient) -> None:
    confirm(client, CSV, "csv")
    other = CSV.replace("Details", "Narrative")
    with pytest.raises(InputRefused, match="nobody has said"):
        client.take("statement", kept(client, other, "other.csv"), role="bookkeeper")
    found = mapped.detect(CSV.encode(), "csv")
    with client.acting("bookkeeper"):
        wrong = {**found.mapping.as_dict(), "date_format": "%m/%d/%Y"}
        layouts.confirm_layout("main", found.fingerprint, wrong)
    with pytest.raises(InputRefused, match="which the layout says"):
        client.take("statement", kept(client, CSV, "one.csv"), role="bookkeeper")


def test_a_layout_that_cannot_be_is_refused(client: TestClient) -> None:
    good = mapped.detect(CSV.encode(), "csv")
    with client.acting("bookkeeper"):
        for mapping in ({"format": "csv"}, {**good.mapping.as_dict(), "columns": [["date", "x"]]}, {}):
            with pytest.raises(InputRefused):
                layouts.confirm_layout("main", good.fingerprint, mapping)
        with pytest.raises(InputRefused, match="shape"):
            layouts.confirm_layout("main", "abc", good.mapping.as_dict())
        with pytest.raises(NotFound, match="no bank account called 'other'"):
            layouts.confirm_layout("other", good.fingerprint, good.mapping.as_dict())
    with client.acting("checker"), pytest.raises(NotPermitted):
        layouts.confirm_layout("main", good.fingerprint, good.mapping.as_dict())


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE settlement_statementlayout SET fingerprint = repeat('1', 64)",
        "DELETE FROM settlement_statementlayout",
        "INSERT INTO settlement_statementlayout "
        "(id, client_id, own_account_id, fingerprint, mapping, by_user_id) "
        "SELECT gen_random_uuid(), client_id, own_account_id, 'x', mapping, by_user_id "
        "FROM settlement_statementlayout",
    ],
)
def test_what_was_confirmed_stays_as_it_was(client: TestClient, statement: str) -> None:
    confirm(client, CSV, "csv")
    with client.acting("bookkeeper"):
        assert StatementLayout.objects.filter(client_id=client.id).count() == 1
        with pytest.raises(Error), connection.cursor() as cursor:
            cursor.execute(statement)


def test_a_page_shows_the_first_lines_and_remembers_what_was_chosen(client: TestClient) -> None:
    """As a person goes: bring the file in, be told, confirm, and find it read without errors."""
    path = kept(client, CSV, "bank.csv")
    with client.acting("bookkeeper"):
        seen, _ = imports.preview("statement", path)
    browser = signed_in(client.staff["bookkeeper"])
    told = browser.get(f"/c/{client.code}/imports/{seen.preview_id}").content.decode()
    address = f"/c/{client.code}/bank/layouts/{seen.preview_id}"
    assert address in told and "Confirm its layout" in told
    shown = browser.get(address).content.decode()
    assert "ACME RENT" in shown and "Details" in shown
    chosen = {
        "account": "main", "date_format": "%d/%m/%Y", "decimal": ".", "sign": "negative", "column_0": "date",
        "column_1": "text", "column_2": "amount", "column_3": "balance", "form_key": str(uuid4()),
    }  # fmt: skip
    wrong = browser.post(f"{address}/confirm", {**chosen, "column_2": "", "form_key": str(uuid4())})
    assert "no column is the amount" in wrong.content.decode() or wrong.status_code == 302
    done = browser.post(f"{address}/confirm", chosen)
    assert done.status_code in (302, 303), done.content.decode()[:2000]
    after = browser.get(done["Location"]).content.decode()
    assert "Nothing is wrong with it" in after and "Confirm its layout" not in after
    with client.acting("bookkeeper"):
        assert StatementLayout.objects.filter(client_id=client.id).count() == 1
