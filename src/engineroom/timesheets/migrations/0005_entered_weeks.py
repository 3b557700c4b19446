"""Weeks as their workers enter them. A draft is its worker's to change; what was sent stays as it was sent; only the
firm puts it to the customer and takes the answer in. A worker's own face learns what an hour pays, never what it
bills."""

import django.db.models.deletion
from django.db import migrations, models

import engineroom.foundation.tenancy.models
import engineroom.kernel.ids
from engineroom.foundation.tenancy.operations import ClientTable, GuardFunction, OwnRows
from engineroom.timesheets.dated_rates import RATES_NOW

CHECK_WEEK = """
DECLARE
  placed uuid;
  own boolean := app_face() IN ('self', 'work');
BEGIN
  IF TG_OP = 'INSERT' THEN
    SELECT a.person_id INTO placed FROM timesheets_assignment a
      WHERE a.client_id = NEW.client_id AND a.id = NEW.assignment_id;
    IF placed IS DISTINCT FROM NEW.person_id THEN
      RAISE EXCEPTION 'a week is entered for the person who is placed' USING ERRCODE = 'ER422';
    END IF;
    IF NEW.state <> 'draft' OR NEW.sent_at IS NOT NULL THEN
      RAISE EXCEPTION 'a week begins as a draft' USING ERRCODE = 'ER422';
    END IF;
    RETURN NEW;
  END IF;
  IF NOT (OLD.state || '>' || NEW.state = ANY (CASE WHEN own THEN ARRAY['draft>sent', 'sent>draft']
      ELSE ARRAY['sent>draft', 'sent>asked', 'asked>sent', 'sent>answered', 'asked>answered'] END)) THEN
    RAISE EXCEPTION 'a week that is % does not become % from here', OLD.state, NEW.state USING ERRCODE = 'ER409';
  END IF;
  IF NEW.state = 'sent' AND NOT EXISTS (SELECT FROM timesheets_enteredday d
      WHERE d.client_id = NEW.client_id AND d.week_id = NEW.id) THEN
    RAISE EXCEPTION 'a week without hours is not sent' USING ERRCODE = 'ER422';
  END IF;
  NEW.sent_at := CASE WHEN NEW.state = 'draft' THEN NULL WHEN OLD.state = 'draft' THEN clock_timestamp()
    ELSE OLD.sent_at END;
  RETURN NEW;
END
"""

CHECK_DAY = """
DECLARE
  w timesheets_enteredweek%ROWTYPE;
  d timesheets_enteredday%ROWTYPE;
BEGIN
  IF TG_OP = 'DELETE' THEN d := OLD; ELSE d := NEW; END IF;
  IF TG_OP = 'UPDATE' AND (OLD.week_id, OLD.client_id) IS DISTINCT FROM (NEW.week_id, NEW.client_id) THEN
    RAISE EXCEPTION 'a day stays in its week' USING ERRCODE = 'ER409';
  END IF;
  SELECT * INTO w FROM timesheets_enteredweek x WHERE x.client_id = d.client_id AND x.id = d.week_id FOR UPDATE;
  IF w.state IS DISTINCT FROM 'draft' THEN
    RAISE EXCEPTION 'what was sent stays as it was sent: take it back first' USING ERRCODE = 'ER409';
  END IF;
  IF w.person_id <> d.person_id OR d.day NOT BETWEEN w.week_ending - 6 AND w.week_ending THEN
    RAISE EXCEPTION 'a day is of its week and of its person' USING ERRCODE = 'ER422';
  END IF;
  RETURN d;
END
"""

# From one's own face, of one's own placements; from the firm's, of any that the scope reads. Nothing that is billed.
PAY_RATES = f"""
BEGIN
  RETURN QUERY SELECT r.starts, r.ends, r.pay_rate, r.overtime_ppm, r.weekend_ppm, r.weekly_threshold_minutes
    FROM {RATES_NOW} r
    WHERE r.client_id = ANY (app_read()::uuid[]) AND r.assignment_id = wanted
      AND (app_face() NOT IN ('self', 'work') OR wanted = ANY (app_own('assignment')))
    ORDER BY r.starts;
END
"""  # noqa: S608 ours

SHAPES = """
ALTER TABLE timesheets_enteredday ADD CONSTRAINT entered_day_shape CHECK (
  minutes BETWEEN 1 AND 1440 AND break_minutes BETWEEN 0 AND 1439
  AND (starts IS NULL) = (ends IS NULL) AND (starts IS NOT NULL OR break_minutes = 0)
  AND (starts IS NULL OR minutes + break_minutes =
    CASE WHEN ends > starts THEN 0 ELSE 1440 END + extract(epoch FROM ends - starts)::integer / 60));
ALTER TABLE timesheets_enteredweek ADD CONSTRAINT entered_week_shape CHECK (
  state IN ('draft', 'sent', 'asked', 'answered') AND (state = 'draft') = (sent_at IS NULL)
  AND extract(isodow FROM week_ending) = 7);
"""
SHAPES_BACK = """
ALTER TABLE timesheets_enteredweek DROP CONSTRAINT entered_week_shape;
ALTER TABLE timesheets_enteredday DROP CONSTRAINT entered_day_shape;
"""

GUARD_READS = """
GRANT SELECT ON timesheets_assignmentrate, timesheets_enteredday TO engineroom_guard;
GRANT SELECT, UPDATE ON timesheets_enteredweek TO engineroom_guard;
"""
GUARD_READS_BACK = """
REVOKE ALL ON timesheets_assignmentrate, timesheets_enteredday, timesheets_enteredweek FROM engineroom_guard;
"""

ID = models.UUIDField(default=engineroom.kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)
CLIENT = models.ForeignKey(
    db_constraint=False,
    db_index=False,
    on_delete=django.db.models.deletion.PROTECT,
    related_name="+",
    to="foundation.client",
)


def client_key(to: str, **more: object) -> models.Field:
    return engineroom.foundation.tenancy.models.ClientKey(
        db_constraint=False,
        db_index=False,
        on_delete=django.db.models.deletion.PROTECT,
        related_name="+",
        to=to,
        **more,
    )


def trigger(name: str, when: str, function: str) -> migrations.RunSQL:
    return migrations.RunSQL(
        f"CREATE TRIGGER {name} {when} FOR EACH ROW EXECUTE FUNCTION {function}()",
        f"DROP TRIGGER {name} ON {when.split()[-1]}",
    )


class Migration(migrations.Migration):
    dependencies = [
        ("timesheets", "0004_rate_cards"),
        ("people", "0003_logins"),
        ("web", "0002_own_rows"),  # app_own()
    ]

    operations = [
        migrations.CreateModel(
            name="EnteredWeek",
            fields=[
                ("id", ID.clone()),
                ("week_ending", models.DateField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("draft", "draft"),
                            ("sent", "sent"),
                            ("asked", "asked"),
                            ("answered", "answered"),
                        ],
                        default="draft",
                        max_length=8,
                    ),
                ),
                ("sent_at", models.DateTimeField(null=True)),
                ("assignment", client_key("timesheets.assignment", indexed=False)),
                ("client", CLIENT.clone()),
                ("person", client_key("people.person")),
            ],
            options={
                "indexes": [
                    models.Index(fields=["client", "state", "week_ending"], name="entered_week_state")
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("client", "assignment", "week_ending"), name="entered_week_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="EnteredDay",
            fields=[
                ("id", ID.clone()),
                ("day", models.DateField()),
                ("starts", models.TimeField(null=True)),
                ("ends", models.TimeField(null=True)),
                ("break_minutes", models.IntegerField(default=0)),
                ("minutes", models.IntegerField()),
                ("note", models.CharField(default="", max_length=200)),
                ("client", CLIENT.clone()),
                ("person", client_key("people.person")),
                ("week", client_key("timesheets.enteredweek", indexed=False)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("client", "week", "day"), name="entered_day_once")
                ],
            },
        ),
        ClientTable("EnteredWeek", changes=["state"]),
        ClientTable("EnteredDay"),
        migrations.RunSQL(SHAPES, SHAPES_BACK),
        migrations.RunSQL(GUARD_READS, GUARD_READS_BACK),
        GuardFunction("check_entered_week()", "trigger", CHECK_WEEK),
        GuardFunction("check_entered_day()", "trigger", CHECK_DAY),
        GuardFunction(
            "app_pay_rates(wanted uuid)",
            "TABLE (starts date, ends date, pay_rate bigint, overtime_ppm bigint, weekend_ppm bigint, "
            "weekly_threshold_minutes bigint)",
            "#variable_conflict use_column" + PAY_RATES,
            callable_by_app=True,
            reads_only=True,
        ),
        trigger(
            "entered_week_checked", "BEFORE INSERT OR UPDATE ON timesheets_enteredweek", "check_entered_week"
        ),
        trigger(
            "entered_day_checked",
            "BEFORE INSERT OR UPDATE OR DELETE ON timesheets_enteredday",
            "check_entered_day",
        ),
        *(
            OwnRows(table, "person_id = ANY ((SELECT app_own('person'))::uuid[])")
            for table in ("timesheets_enteredweek", "timesheets_enteredday")
        ),
    ]
