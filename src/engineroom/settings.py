"""Django's settings. Everything a firm may set comes from the environment; nothing here is a secret.

ENGINEROOM_HOSTS        names under which the pages are reached, by commas; the computer itself otherwise
ENGINEROOM_URL          the address that links in mails begin with; what `serve` listens on otherwise
ENGINEROOM_TLS          1: behind a proxy that speaks TLS and sets X-Forwarded-Proto; cookies go by TLS alone
ENGINEROOM_PROXIES      how many proxies stand in front: limits count the visitor's address, not the proxy's
ENGINEROOM_SMTP         smtp://user:password@host:587 or smtps://..; mail goes into HOME/outbox otherwise
ENGINEROOM_MAIL_FROM    who mail is from
ENGINEROOM_SECRET_KEY   what signs sessions and links; a file in HOME/keys otherwise
"""

from __future__ import annotations

import os
import secrets
from urllib.parse import unquote, urlsplit

from engineroom.foundation.access.secret_key import secret_key
from engineroom.foundation.postgres import connection_settings, home
from engineroom.foundation.prepared import OFTEN

HOME = home()
VAULT_DIR = HOME / "vault"
KEY_FILE = HOME / "keys" / "keys.json"
TOKEN_DIR = HOME / "tokens"
OUTBOX_DIR = HOME / "outbox"
EINVOICE_RULES_DIR = HOME / "einvoice-rules"

SERVING = os.environ.get("ENGINEROOM_SERVING") == "1"
"""Set by `engineroom serve` for its processes: they share a pool of connections and serve hashed files."""
BEHIND_TLS = os.environ.get("ENGINEROOM_TLS") == "1"
BASE_URL = os.environ.get("ENGINEROOM_URL", "http://127.0.0.1:8000").rstrip("/")

ROOMS = [
    "foundation",
    "ui",
    "ledger",
    "openitems",
    "people",
    "leave",
    "timesheets",
    "sop",
    "workforce",
    "quality",
    "payroll",
    "billing",
    "settlement",
    "templates",
    "api",
    "web",
]

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "procrastinate.contrib.django",
    *(f"engineroom.{room}" for room in ROOMS),
    "django_htmx",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
]

MIDDLEWARE = [
    "engineroom.web.middleware.SecurityHeaders",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "engineroom.web.middleware.RefuseTooLarge",
    "engineroom.web.middleware.RefuseUnreadable",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "engineroom.web.middleware.Refusals",
    "allauth.account.middleware.AccountMiddleware",
]

ROOT_URLCONF = "engineroom.web.urls"
WSGI_APPLICATION = "engineroom.web.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.messages.context_processors.messages",
                "engineroom.web.context.surroundings",
            ]
        },
    }
]

# --- the database -------------------------------------------------------------------------------------

THREADS = 4
"""Threads of one serving process. Each may hold one connection, so the pool is as large."""

_connections = connection_settings()
# What is sent often is parsed and planned once (decision 007).
_app = _connections["app"]
_app["OPTIONS"] |= {"server_side_binding": True, "prepare_threshold": OFTEN}
if SERVING:
    pool = {"min_size": 1, "max_size": THREADS + 1, "timeout": 10}
    _app = {**_app, "CONN_MAX_AGE": 0, "OPTIONS": {**_app["OPTIONS"], "pool": pool}}
DATABASES = {
    "default": {"ENGINE": "django.db.backends.postgresql", "CONN_MAX_AGE": None, **_app},
    "owner": {"ENGINE": "django.db.backends.postgresql", **_connections["owner"]},
}
DATABASE_ROUTERS = ["engineroom.foundation.tenancy.router.MigrateAsOwner"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {
    # In the database, so that limits count the same in every process and on every machine.
    "default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "django_cache"}
}

# --- who somebody is ----------------------------------------------------------------------------------

AUTH_USER_MODEL = "foundation.User"
AUTHENTICATION_BACKENDS = ["engineroom.foundation.access.sign_in.Door"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.ScryptPasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
PASSWORD_RESET_TIMEOUT = 7 * 24 * 3600  # an invitation waits a week: people start on Mondays
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"

ACCOUNT_ADAPTER = "engineroom.web.accounts.Accounts"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"  # addresses are an admin's word, and the invitation proves them
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_LOGOUT_REDIRECT_URL = LOGIN_URL
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False
ACCOUNT_REAUTHENTICATION_TIMEOUT = 15 * 60
MFA_ADAPTER = "engineroom.web.accounts.SecondFactor"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "Engineroom"
MFA_TOTP_TOLERANCE = 1  # half minutes before and after: what RFC 6238 5.2 allows for clocks and typing
ALLAUTH_TRUSTED_PROXY_COUNT = int(os.environ.get("ENGINEROOM_PROXIES", "0"))

# Before there is an installation nothing is signed that anybody keeps: any key will do.
SECRET_KEY = os.environ.get("ENGINEROOM_SECRET_KEY") or secret_key(HOME) or secrets.token_urlsafe(50)

# --- what goes over the wire --------------------------------------------------------------------------

ALLOWED_HOSTS = [
    "127.0.0.1",
    "localhost",
    "[::1]",
    *filter(None, os.environ.get("ENGINEROOM_HOSTS", "").split(",")),
]
SESSION_ENGINE = "engineroom.web.sessions"
SESSION_COOKIE_NAME = "engineroom_session"
SESSION_COOKIE_AGE = 12 * 3600  # a working day
SESSION_COOKIE_SAMESITE = "Lax"  # Strict would sign out whoever follows a link in a mail
SESSION_COOKIE_SECURE = BEHIND_TLS
CSRF_COOKIE_SECURE = BEHIND_TLS
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Strict"
CSRF_FAILURE_VIEW = "engineroom.web.errors.forged"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
if BEHIND_TLS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
    SECURE_HSTS_SECONDS = 365 * 24 * 3600
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True

LARGEST_REQUEST = 64 * 1024 * 1024
"""A year of timesheets of 10,000 people is 20 MB. Files go to disk beyond a few, fields stay in memory."""
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FILES = 20

STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "engineroom.ui.stylesheet.StylesheetFinder",
]
STATIC_URL = "/static/"
STATIC_ROOT = HOME / "static" if SERVING else None
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if SERVING
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = not SERVING
WHITENOISE_ALLOW_ALL_ORIGINS = False

# --- mail ---------------------------------------------------------------------------------------------

DEFAULT_FROM_EMAIL = os.environ.get("ENGINEROOM_MAIL_FROM", "Engineroom <engineroom@localhost>")
if _smtp := os.environ.get("ENGINEROOM_SMTP"):
    _parts = urlsplit(_smtp)
    EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    EMAIL_HOST, EMAIL_PORT = _parts.hostname or "localhost", _parts.port or 587
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = unquote(_parts.username or ""), unquote(_parts.password or "")
    EMAIL_USE_SSL, EMAIL_USE_TLS = _parts.scheme == "smtps", _parts.scheme == "smtp"
    EMAIL_TIMEOUT = 20
else:
    EMAIL_BACKEND = "engineroom.web.outbox.Outbox"

# --- the rest -----------------------------------------------------------------------------------------

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-gb"
USE_I18N = False  # one language: no number is formatted, and no word looked up, for another
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

PROCRASTINATE_ON_APP_READY = "engineroom.foundation.jobs.on_app_ready"
PROCRASTINATE_AUTODISCOVER_MODULE_NAME = "tasks"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"terminal": {"class": "logging.StreamHandler"}},
    "loggers": {"django.request": {"handlers": ["terminal"], "level": "ERROR", "propagate": False}},
}
