"""A bank line is found by what the bank says of it."""

from django.db import migrations

from engineroom.foundation.tenancy.operations import Searched


class Migration(migrations.Migration):
    dependencies = [("settlement", "0002_guards"), ("foundation", "0003_search")]

    operations = [
        Searched(
            "BankLine",
            kind="'bank_line'",
            names="concat_ws(' ', bank_reference, end_to_end, counterparty_name, remittance)",
        ),
    ]
