"""Bills of suppliers as typed: entered by one, shown and approved by another."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from tests.billing.einvoices import BUYER, invoice
from tests.cli.conftest import Cli
from tests.firm import TestClient

from engineroom.billing.formats import ubl


def test_a_bill_is_entered_coded_approved_and_listed(
    cli: Cli, staffed: TestClient, mail: dict[str, str]
) -> None:
    here = ("supplier-bills", "enter", staffed.code, "PAPER", "P-1", "--issued", "2026-11-20")
    nothing = cli(*here, "--line", "x=Paper", "--vat", "0", who=mail["bookkeeper"])
    assert nothing.code == 2 and "--line" in nothing.err + nothing.out
    made = cli(
        *here, "--name", "Paper Ltd", "--line", "100.00=Paper", "--line", "-20.00=Returned",
        "--vat", "16.00", who=mail["bookkeeper"],
    )  # fmt: skip
    assert made.code == 0, made.err
    coded = cli("supplier-bills", "account", staffed.code, 1, "5000", who=mail["bookkeeper"])
    content = re.search(r"content ([0-9a-f]{16})", coded.out)
    assert content is not None, coded.err
    words = ("supplier-bills", "approve", staffed.code, 1, "--yes", "--content")
    stale = cli(*words, "0" * 16, who=mail["checker"])
    assert stale.code != 0 and "look again" in stale.err + stale.out
    done = cli(*words, content[1], who=mail["checker"])
    assert done.code == 0 and "bill 1 is posted" in done.out, done.err
    listed = cli("supplier-bills", "list", staffed.code, who=mail["lead"])
    assert "Paper Ltd" in listed.out and "96.00" in listed.out
    late = cli("supplier-bills", "withdraw", staffed.code, 1, "--reason", "no", who=mail["bookkeeper"])
    assert late.code != 0 and "posted already" in late.err


def test_an_e_invoice_is_taken_and_a_wrong_one_refused_with_its_rule(
    cli: Cli,
    staffed: TestClient,
    mail: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(django_settings, "EINVOICE_RULES_DIR", tmp_path / "rules")
    file = tmp_path / "in.xml"
    file.write_bytes(ubl.write_document(invoice(buyer=replace(BUYER, vat_id="GB000000000"))))
    taken = cli("supplier-bills", "take", staffed.code, file, who=mail["bookkeeper"])
    assert taken.code == 0 and "bill 1 is a draft" in taken.out, taken.err
    assert "Fork-lift driver" in cli("supplier-bills", "show", staffed.code, 1, who=mail["lead"]).out
    file.write_bytes(file.read_bytes().replace(b">206.40</cbc:PayableAmount>", b">1.00</cbc:PayableAmount>"))
    wrong = cli("supplier-bills", "take", staffed.code, file, who=mail["bookkeeper"])
    assert wrong.code == 2 and "BR-CO-16" in wrong.err + wrong.out
