"""Every table of the ground floor, gathered from the folders that own them."""

from engineroom.foundation.access.models import Credential, Grant, Token, User
from engineroom.foundation.approvals.models import (
    Approval,
    ApprovalVoid,
    Contribution,
    ContributionSource,
    Release,
)
from engineroom.foundation.audit.models import AuditEvent, AuditSeal, AuditUnsealed
from engineroom.foundation.commands.models import CommandRun
from engineroom.foundation.engagement.models import Engagement
from engineroom.foundation.imports.models import ImportCommit, ImportPreview
from engineroom.foundation.numbering.models import NumberSeries
from engineroom.foundation.search.models import SearchWord
from engineroom.foundation.tenancy.models import Client, Installation
from engineroom.foundation.vault.models import VaultFile

__all__ = [
    "Approval",
    "ApprovalVoid",
    "AuditEvent",
    "AuditSeal",
    "AuditUnsealed",
    "Client",
    "CommandRun",
    "Contribution",
    "ContributionSource",
    "Credential",
    "Engagement",
    "Grant",
    "ImportCommit",
    "ImportPreview",
    "Installation",
    "NumberSeries",
    "Release",
    "SearchWord",
    "Token",
    "User",
    "VaultFile",
]
