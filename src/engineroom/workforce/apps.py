from django.apps import AppConfig


class WorkforceConfig(AppConfig):
    name = "engineroom.workforce"
    label = "workforce"
