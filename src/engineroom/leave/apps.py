from django.apps import AppConfig


class LeaveConfig(AppConfig):
    name = "engineroom.leave"
    label = "leave"

    def ready(self) -> None:
        from engineroom.leave import registrations  # noqa: F401  registers what this room offers
