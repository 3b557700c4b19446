from django.apps import AppConfig


class PeopleConfig(AppConfig):
    name = "engineroom.people"
    label = "people"
