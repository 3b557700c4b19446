from django.apps import AppConfig


class TimesheetsConfig(AppConfig):
    name = "engineroom.timesheets"
    label = "timesheets"
