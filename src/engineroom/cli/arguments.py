"""What many commands are given, called and explained alike everywhere."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

Client = Annotated[str, typer.Argument(help="the client's code")]
Run = Annotated[int, typer.Argument(help="the run's number")]
PayrollNumber = Annotated[str, typer.Argument(help="the person's payroll number")]
Reason = Annotated[str, typer.Option(help="why; it is kept with it")]
Day = Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"])]
