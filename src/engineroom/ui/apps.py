from django.apps import AppConfig


class UiConfig(AppConfig):
    name = "engineroom.ui"
    label = "ui"
