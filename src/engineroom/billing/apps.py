from django.apps import AppConfig


class BillingConfig(AppConfig):
    name = "engineroom.billing"
    label = "billing"
