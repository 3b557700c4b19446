from django.apps import AppConfig


class PayrollConfig(AppConfig):
    name = "engineroom.payroll"
    label = "payroll"
