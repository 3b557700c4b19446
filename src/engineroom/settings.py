"""Django's settings. Everything a firm may set comes from the environment; nothing here is a secret."""

from __future__ import annotations

import os

from engineroom.foundation.postgres import connection_settings, home

ROOMS = [
    "foundation",
    "ui",
    "ledger",
    "openitems",
    "people",
    "timesheets",
    "payroll",
    "billing",
    "settlement",
]

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "procrastinate.contrib.django",
    *(f"engineroom.{room}" for room in ROOMS),
]

_connections = connection_settings()
DATABASES = {
    "default": {"ENGINE": "django.db.backends.postgresql", "CONN_MAX_AGE": None, **_connections["app"]},
    "owner": {"ENGINE": "django.db.backends.postgresql", **_connections["owner"]},
}
DATABASE_ROUTERS = ["engineroom.foundation.tenancy.router.MigrateAsOwner"]

AUTH_USER_MODEL = "foundation.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SECRET_KEY = os.environ.get(
    "ENGINEROOM_SECRET_KEY", "unused until there are pages: nothing is signed with it"
)
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-gb"

PROCRASTINATE_ON_APP_READY = "engineroom.foundation.jobs.on_app_ready"
PROCRASTINATE_AUTODISCOVER_MODULE_NAME = "tasks"

HOME = home()
VAULT_DIR = HOME / "vault"
KEY_FILE = HOME / "keys" / "keys.json"
TOKEN_DIR = HOME / "tokens"
