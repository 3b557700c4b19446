"""E-invoices as typed: rules are installed, and every finding is said with its rule."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from tests.billing.einvoices import invoice
from tests.cli.conftest import Cli

from engineroom.billing import rulesets
from engineroom.billing.formats import ubl


@pytest.fixture
def rules_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(django_settings, "EINVOICE_RULES_DIR", tmp_path / "rules")
    return tmp_path / "rules"


def test_without_rules_schema_and_arithmetic_speak(cli: Cli, rules_folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "one.xml"
    file.write_bytes(ubl.write_document(invoice()))
    assert "no rule set is installed" in cli("einvoice", "rules", "list").out
    clean = cli("einvoice", "check", file)
    assert clean.code == 0, clean.err
    assert "UBL Invoice INV-000001" in clean.out and "no official rules are installed" in clean.out

    lying = file.read_bytes().replace(b">206.40</cbc:PayableAmount>", b">206.41</cbc:PayableAmount>")
    assert lying != file.read_bytes()
    file.write_bytes(lying)
    found = cli("einvoice", "check", file)
    assert found.code == 2
    assert "BR-CO-16" in found.out and "says 206.41 and makes 206.40" in found.out
    assert "1 fatal" in found.err


def test_rules_are_installed_listed_applied_and_removed(cli: Cli, rules_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("saxonche", reason="the official rules need requirements/einvoice.txt")
    assert "Name the files" in cli("einvoice", "rules", "add").out
    added = cli("einvoice", "rules", "add", "--cen")
    assert added.code == 0, added.err
    assert "EN 16931 1.3.16 for UBL" in added.out and "checks every e-invoice" in added.out
    listed = " ".join(cli("einvoice", "rules", "list").out.split())
    assert "1.3.16" in listed and "EUPL-1.2" in listed

    file = tmp_path / "one.xml"
    one = invoice()
    nameless = replace(one, lines=(replace(one.lines[0], name=""),))
    file.write_bytes(ubl.write_document(nameless))
    found = cli("einvoice", "check", file)
    assert found.code == 2
    assert "BR-25 (EN 16931 1.3.16)" in found.out
    assert "shall contain the Item name" in found.out, "the rule's own text"

    (kept,) = rulesets.RuleStore(rules_folder).installed()
    assert cli("einvoice", "rules", "remove", kept.short).code == 0
    assert rulesets.RuleStore(rules_folder).installed() == []


def test_what_is_no_e_invoice_is_refused_with_what_to_do(
    cli: Cli, rules_folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "one.xml"
    file.write_text("<!DOCTYPE Invoice [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><Invoice>&x;</Invoice>")
    refused = cli("einvoice", "check", file)
    assert refused.code == 2 and "DOCTYPE" in refused.out and "root:" not in refused.out + refused.err
    assert cli("einvoice", "check", tmp_path / "none.xml").code == 2
    assert cli("einvoice", "rules", "add", file).code == 2
