from django.apps import AppConfig


class BillingConfig(AppConfig):
    name = "engineroom.billing"
    label = "billing"

    def ready(self) -> None:
        from engineroom.billing import registrations  # noqa: F401  registers what this room offers
