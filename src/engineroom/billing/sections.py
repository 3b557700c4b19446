"""The sections of bills, as tabs on each of their pages."""

from __future__ import annotations

from django.urls import reverse

from engineroom.ui.parts import Tab


def tabs(client: str, here: str) -> list[Tab]:
    named = (
        ("Invoices", "billing:invoices"),
        ("Bill runs", "billing:runs"),
        ("Held", "billing:held"),
        ("Paid against billed", "billing:reconciliation"),
        ("Supplier bills", "billing:supplier_bills"),
        ("E-invoices", "billing:check"),
    )
    return [Tab(label, reverse(name, args=[client]), name == f"billing:{here}") for label, name in named]
