from django.apps import AppConfig


class PayrollConfig(AppConfig):
    name = "engineroom.payroll"
    label = "payroll"

    def ready(self) -> None:
        from engineroom.payroll import registrations  # noqa: F401  registers what this room offers
