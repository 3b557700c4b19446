from django.apps import AppConfig


class SettlementConfig(AppConfig):
    name = "engineroom.settlement"
    label = "settlement"

    def ready(self) -> None:
        from engineroom.settlement import registrations  # noqa: F401  registers what this room offers
