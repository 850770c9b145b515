"""What the API and the command line show as JSON: names in camel case, times ISO 8601, unknown is null."""

from stream.web.shapes.cases import CaseShown, case_shown
from stream.web.shapes.customers import (
    EntryShown,
    Report,
    entry_shown,
    reconciliation_shown,
    report,
)
from stream.web.shapes.runs import ProviderShown, RunShown, provider_shown, run_shown
from stream.web.shapes.status import OrgStatus, status_of
from stream.web.shapes.times import Json, time_shown

__all__ = [
    "CaseShown",
    "EntryShown",
    "Json",
    "OrgStatus",
    "ProviderShown",
    "Report",
    "RunShown",
    "case_shown",
    "entry_shown",
    "provider_shown",
    "reconciliation_shown",
    "report",
    "run_shown",
    "status_of",
    "time_shown",
]
