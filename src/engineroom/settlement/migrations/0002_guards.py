from django.db import migrations

from engineroom.foundation.tenancy.operations import ClientTable


class Migration(migrations.Migration):
    dependencies = [("settlement", "0001_initial"), ("openitems", "0002_guards")]

    operations = [
        ClientTable("OwnAccount"),
        ClientTable("PaymentBatch", history=True),
        ClientTable("BatchStage", history=True),
        ClientTable("Payment", history=True),
        ClientTable("Statement", history=True),
        ClientTable("BankLine", history=True),
        ClientTable("Cleared", history=True),
        ClientTable("LineException", history=True),
    ]
