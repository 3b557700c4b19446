from django.apps import AppConfig


class OpenItemsConfig(AppConfig):
    name = "engineroom.openitems"
    label = "openitems"
