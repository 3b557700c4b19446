from django.apps import AppConfig


class QualityConfig(AppConfig):
    name = "engineroom.quality"
    label = "quality"

    def ready(self) -> None:
        from engineroom.quality import registrations  # noqa: F401  registers what this room offers
