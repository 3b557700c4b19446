from django.apps import AppConfig


class PeopleConfig(AppConfig):
    name = "engineroom.people"
    label = "people"

    def ready(self) -> None:
        from engineroom.people import registrations  # noqa: F401  registers what this room offers
