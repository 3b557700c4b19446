"""Background jobs of the faces: letters are sent."""

from __future__ import annotations

from uuid import UUID

from procrastinate import JobContext, RetryStrategy
from procrastinate.contrib.django import app

from engineroom.foundation import duties
from engineroom.foundation.jobs.tasks import periodic
from engineroom.web import hours_pages, letters, reminding

TRIES = 8
"""After 4 s, then each time four times as long: the last one 18 hours after the one before, a day in all."""


@app.task(
    name=letters.JOB,
    queue="mail",
    pass_context=True,
    retry=RetryStrategy(max_attempts=TRIES, exponential_wait=4, retry_exceptions=[letters.MailServerAway]),
)
def send_letters_job(context: JobContext, client_id: str, mailing_id: str) -> None:
    """Send what is not sent of a mailing. Run twice, nothing is sent twice."""
    last_time = context.job.attempts >= TRIES
    done = letters.send(UUID(client_id), UUID(mailing_id), last_time=last_time)
    if done.waiting and not last_time:
        raise letters.MailServerAway(f"{done.waiting} letters wait for the mail server: {done.why}")


@periodic(app, cron="7 7,12 * * *", periodic_id="remind")
@app.task(name="web.remind", queue="mail", queueing_lock="web.remind")
def remind_job(timestamp: int = 0) -> None:
    """In the morning and at noon: remind clients whose yes is due, and tell the bureau where it is late."""
    reminding.remind_all(duties.today())


@periodic(app, cron="17 * * * *", periodic_id="chase_hours")
@app.task(name="web.chase_hours", queue="mail", queueing_lock="web.chase_hours")
def chase_hours_job(timestamp: int = 0) -> None:
    """Every hour: remind customers of hours that wait for their answer, turn to who stands in, tell the
    bureau."""
    hours_pages.chase_all()
