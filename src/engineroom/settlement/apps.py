from django.apps import AppConfig


class SettlementConfig(AppConfig):
    name = "engineroom.settlement"
    label = "settlement"
