"""The `app` role serves; the `owner` role migrates."""

from __future__ import annotations

from typing import Any


class MigrateAsOwner:
    """Migrations run on the owner's connection only; everything else uses the default one."""

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db == "owner"
