from django.apps import AppConfig


class LedgerConfig(AppConfig):
    name = "engineroom.ledger"
    label = "ledger"

    def ready(self) -> None:
        from engineroom.ledger import registrations  # noqa: F401  registers what this room offers
