from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "engineroom.web"
    label = "web"

    def ready(self) -> None:
        from engineroom.payday import (
            beside,  # noqa: F401  it shows what a case pays, on the case's page
            commands,  # noqa: F401  procedures find its steps by their names
        )
        from engineroom.web import (
            accounts,  # noqa: F401  it listens for sign-ins
            hours_pages,  # noqa: F401  programs find its commands by their names
            letters_pages,  # noqa: F401  it shows mailings among the jobs, and on Today
            request_pages,  # noqa: F401  programs find its command by its name
        )
