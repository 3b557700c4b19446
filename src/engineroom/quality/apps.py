from django.apps import AppConfig


class QualityConfig(AppConfig):
    name = "engineroom.quality"
    label = "quality"
