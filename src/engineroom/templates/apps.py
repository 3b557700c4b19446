from django.apps import AppConfig


class TemplatesConfig(AppConfig):
    name = "engineroom.templates"
    label = "templates"

    def ready(self) -> None:
        from engineroom.templates import tasks  # noqa: F401  registers its background jobs
