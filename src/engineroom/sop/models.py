"""Procedures and their frozen versions; cases that run them, their tasks, evidence and events."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from engineroom.foundation.tenancy.models import ClientKey, ClientModel, FirmModel
from engineroom.foundation.vault.models import VaultFile

FORMATS = ("md", "bpmn")
CASE_STATES = ("running", "done", "cancelled")
OPEN_STATES = ("open", "check")
TASK_STATES = (*OPEN_STATES, "done", "skipped", "cancelled", "withdrawn")
WORKED_KINDS = ("task", "command", "client_request")


class Procedure(FirmModel):
    """What the firm does, by name, and the text that is being worked on. Cases run versions, never this."""

    key = models.CharField(max_length=60, unique=True)
    title = models.CharField(max_length=200)
    draft = models.TextField(default="")
    draft_format = models.CharField(max_length=4, choices=[(f, f) for f in FORMATS], default="md")
    draft_by_id = models.UUIDField(null=True)
    draft_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return self.title


class Version(FirmModel):
    """A procedure as published: its text, its graph in canonical form, and the graph's hash. For ever.

    PostgreSQL checks the hash, writes who and when, and takes the steps out of the graph by itself.
    """

    history = True

    procedure = models.ForeignKey(Procedure, on_delete=models.PROTECT, related_name="versions")
    number = models.IntegerField()
    format = models.CharField(max_length=4, choices=[(f, f) for f in FORMATS], default="md")
    source = models.TextField()
    graph = models.TextField()
    sha256 = models.CharField(max_length=64)
    note = models.CharField(max_length=300, default="")
    published_by_id = models.UUIDField(null=True)
    published_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["procedure", "number"], name="version_number"),
        ]

    def __str__(self) -> str:
        return f"version {self.number}"


class VersionStep(FirmModel):
    """What the guards have to know of a step. Written by PostgreSQL from the version's graph; by nobody else.

    needs: keys of the evidence and checks without which the step is not done.
    """

    history = True

    version = models.ForeignKey(Version, on_delete=models.PROTECT, related_name="+")
    key = models.CharField(max_length=60)
    kind = models.CharField(max_length=20)
    four_eyes = models.BooleanField()
    may_skip = models.BooleanField()
    needs = ArrayField(models.TextField())
    apart_from = ArrayField(models.TextField())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["version", "key"], name="version_step_key")]


class Case(ClientModel):
    """One run of one version for one client. Everything it is can be recomputed from its events.

    version_id: no key, so that 100,000 cases do not queue at the row of one version; a guard checks it.
    values: what the case carries, as typed, by field. arrived: flows on which a join has got a token.
    seq: the number of its last event. parent_task_id: the step of another case that this one is.
    """

    number = models.BigIntegerField()
    title = models.CharField(max_length=200)
    procedure_key = models.CharField(max_length=60)
    version_id = models.UUIDField()
    state = models.CharField(max_length=10, choices=[(s, s) for s in CASE_STATES], default="running")
    values = models.JSONField(default=dict)
    arrived = ArrayField(models.IntegerField(), default=list)
    seq = models.IntegerField(default=0)
    parent_task_id = models.UUIDField(null=True)
    reason = models.CharField(max_length=500, default="")
    started_by_id = models.UUIDField()
    started_at = models.DateTimeField(db_default=Now(), editable=False)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "number"], name="case_number"),
            models.CheckConstraint(condition=models.Q(state__in=CASE_STATES), name="case_state_known"),
            models.CheckConstraint(
                condition=models.Q(state="running", ended_at__isnull=True)
                | models.Q(ended_at__isnull=False) & ~models.Q(state="running"),
                name="case_ended",
            ),
            models.CheckConstraint(
                condition=~models.Q(state="cancelled") | ~models.Q(reason=""),
                name="case_cancelled_with_reason",
            ),
        ]
        indexes = [
            models.Index(fields=["client", "state", "started_at"], name="case_list"),
            models.Index(
                fields=["client", "version_id"], name="case_version", condition=models.Q(state="running")
            ),
        ]

    def __str__(self) -> str:
        return f"case {self.number}"


class Task(ClientModel):
    """A place where a token of a case stands, or stood: something to be done, or to be waited for.

    state: open; check (done by one, waits for a second person); then how it ended. role: whose it is;
    assignee_id: who has it; maker_id: who did what waits for a check. host_id: the task it stands beside;
    race_id: what it competes with. fires_at: of a timer, the instant it fires. due_at: what was promised.
    """

    case = ClientKey(Case, implied="a new step's case is looked up (check_new_tasks)")
    step = models.CharField(max_length=60)
    kind = models.CharField(max_length=20)
    title = models.CharField(max_length=200)
    role = models.CharField(max_length=60, default="")
    state = models.CharField(max_length=10, choices=[(s, s) for s in TASK_STATES], default="open")
    assignee_id = models.UUIDField(null=True)
    maker_id = models.UUIDField(null=True)
    host_id = models.UUIDField(null=True)
    race_id = models.UUIDField(null=True)
    fires_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True)
    escalated_to = models.CharField(max_length=60, default="")
    reworks = models.SmallIntegerField(default=0)
    reason = models.CharField(max_length=500, default="")
    opened_at = models.DateTimeField(db_default=Now(), editable=False)
    ended_at = models.DateTimeField(null=True)
    ended_by_id = models.UUIDField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(state__in=TASK_STATES), name="task_state_known"),
            models.CheckConstraint(
                condition=models.Q(state__in=OPEN_STATES, ended_at__isnull=True)
                | models.Q(ended_at__isnull=False) & ~models.Q(state__in=OPEN_STATES),
                name="task_ended",
            ),
            models.CheckConstraint(
                condition=~models.Q(state__in=("skipped", "cancelled")) | ~models.Q(reason=""),
                name="task_ended_with_reason",
            ),
        ]
        indexes = [
            # Boards go over many clients, so they do not lead with one.
            models.Index(
                fields=["assignee_id", "due_at"],
                name="task_assignee_due",
                condition=models.Q(state__in=OPEN_STATES, assignee_id__isnull=False),
            ),
            models.Index(
                fields=["client", "role", "due_at"],
                name="task_pool",
                condition=models.Q(state__in=OPEN_STATES, assignee_id__isnull=True, kind__in=WORKED_KINDS),
            ),
            models.Index(
                fields=["client", "escalated_to", "due_at"],
                name="task_escalated",
                condition=models.Q(state__in=OPEN_STATES) & ~models.Q(escalated_to=""),
            ),
            # Who has anything to do at all: of most clients a reader is asked nothing more.
            models.Index(fields=["client"], name="task_open", condition=models.Q(state__in=OPEN_STATES)),
            models.Index(
                fields=["client", "fires_at"],
                name="task_timers",
                condition=models.Q(state="open", fires_at__isnull=False),
            ),
            models.Index(
                fields=["client", "due_at"],
                name="task_of_client",
                condition=models.Q(state="open", kind="client_request"),
            ),
        ]


class TaskEvidence(ClientModel):
    """What was shown for a step: a value, a link, a hash, a tick, a file of the vault. The latest counts."""

    history = True

    task = ClientKey(Task)
    key = models.CharField(max_length=60)
    kind = models.CharField(max_length=10)
    value = models.TextField(default="")
    file = ClientKey(VaultFile, null=True, indexed=False)
    by_id = models.UUIDField(null=True)
    on_behalf_id = models.UUIDField(null=True)
    at = models.DateTimeField(db_default=Now(), editable=False)


class CaseEvent(ClientModel):
    """One thing that happened to a case. All of them in order are the case; rows elsewhere are their sum."""

    history = True

    case = ClientKey(Case, indexed=False, implied="an event's case is looked up (check_case_events)")
    seq = models.IntegerField()
    kind = models.CharField(max_length=20)
    task_id = models.UUIDField(null=True)
    step = models.CharField(max_length=60, default="")
    data = models.JSONField(default=dict)
    by_id = models.UUIDField(null=True)
    on_behalf_id = models.UUIDField(null=True)
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["client", "case", "seq"], name="case_event_seq")]


class CaseMove(ClientModel):
    """A case went from one version to another. plan: where each open step went, and what was decided.

    before: where its tokens stood, so that it can be taken back. batch: moves that were asked for together.
    """

    history = True

    case = ClientKey(Case)
    from_version_id = models.UUIDField()
    to_version_id = models.UUIDField()
    batch = models.UUIDField()
    plan = models.JSONField(default=dict)
    before = models.JSONField(default=dict)
    undoes = ClientKey("self", null=True)
    reason = models.CharField(max_length=300)
    by_id = models.UUIDField(null=True)
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["client", "undoes"],
                condition=models.Q(undoes__isnull=False),
                name="case_move_undone_once",
            )
        ]
