from django.db import migrations

from engineroom.foundation.tenancy.operations import ClientTable, Contributes, NoOverlap


class Migration(migrations.Migration):
    dependencies = [("people", "0001_initial"), ("openitems", "0002_guards")]

    operations = [
        ClientTable("Person"),
        ClientTable("Employment", changes=["ends"]),
        # The two sealed columns are sealed anew with a new key; the fingerprint says that they still mean the same.
        ClientTable("BankAccount", changes=["ends", "sort_code", "account_number"]),
        NoOverlap("Employment", key=["person_id"]),
        NoOverlap("BankAccount", key=["person_id"]),
        # Master data is a subject of its own: whoever changed a person's details may not approve them.
        Contributes("Person", subject="person"),
        Contributes("Employment", subject="person", column="person_id"),
    ]
