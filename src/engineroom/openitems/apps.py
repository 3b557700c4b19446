from django.apps import AppConfig


class OpenItemsConfig(AppConfig):
    name = "engineroom.openitems"
    label = "openitems"

    def ready(self) -> None:
        from engineroom.openitems import registrations  # noqa: F401  registers what this room offers
