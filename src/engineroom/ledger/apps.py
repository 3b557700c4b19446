from django.apps import AppConfig


class LedgerConfig(AppConfig):
    name = "engineroom.ledger"
    label = "ledger"
