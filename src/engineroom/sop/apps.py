from django.apps import AppConfig


class SopConfig(AppConfig):
    name = "engineroom.sop"
    label = "sop"

    def ready(self) -> None:
        from engineroom.sop import registrations  # noqa: F401  registers what this room offers
