from django.apps import AppConfig


class TimesheetsConfig(AppConfig):
    name = "engineroom.timesheets"
    label = "timesheets"

    def ready(self) -> None:
        from engineroom.timesheets import registrations  # noqa: F401  registers what this room offers
