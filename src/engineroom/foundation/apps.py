from django.apps import AppConfig


class FoundationConfig(AppConfig):
    name = "engineroom.foundation"
    label = "foundation"
