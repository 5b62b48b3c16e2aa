"""Findings, figures, and services in memory for the summary."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from functions.summary.counting import Count
from functions.summary.figures import AGES, SEVERITIES, Figures, Group, Remediations
from functions.summary.finding_pages import Page
from functions.summary.open_findings import OpenFindings
from securityhub.events import parse_finding

NOW = datetime(2026, 3, 9, 7, 0, tzinfo=UTC)
SECURITY_HUB = "arn:aws:securityhub:eu-west-1::product/aws/securityhub"


def asff(number, *, severity="HIGH", age_days=3, account="111122223333", control="S3.8", **changes):
    """Return a finding of a control."""
    return {
        "Id": f"finding-{number}",
        "ProductArn": SECURITY_HUB,
        "AwsAccountId": account,
        "AwsAccountName": f"name of {account}",
        "Title": f"{control} Title of the control",
        "CreatedAt": (NOW - timedelta(days=age_days)).isoformat(),
        "Severity": {"Label": severity},
        "Workflow": {"Status": "NEW"},
        "RecordState": "ACTIVE",
        "Compliance": {"Status": "FAILED", "SecurityControlId": control},
        **changes,
    }


def finding(number, **changes):
    """Return the same, parsed."""
    return parse_finding(asff(number, **changes))


def figures(**changes):
    """Return figures that are complete."""
    group = Group(key="111122223333", name="payments", open=(1, 2, 0, 0, 0), new=1, overdue=1)
    control = Group(key="S3.8", name="S3 buckets should block access", open=(1, 2, 0, 0, 0), new=1, overdue=1)
    values = {
        "schedule": "daily",
        "scheduled": NOW,
        "since": NOW - timedelta(days=1),
        "open": (1, 2, 3, 4, 5),
        "new": (1, 0, 0, 0, 0),
        "overdue": (0, 1, 0, 0, 0),
        "ages": tuple(
            (1, 2, 3, 4, 5) if not index else (0,) * len(SEVERITIES) for index in range(len(AGES) + 1)
        ),
        "fixed": (0, 0, 2, 0, 0),
        "suppressed": 7,
        "newly_suppressed": 1,
        "accounts": (group,),
        "account_count": 1,
        "controls": (control,),
        "control_count": 3,
        "remediations": Remediations(done=4, failed=0),
        "dead_letters": {"Routing": 0},
    }
    return Figures(**{**values, **changes})


class MemoryPages:
    """Pages of findings by part, as Security Hub returns them.

    Attributes:
        parts: The findings of each part.
        requests: Part and token of each request.
        errors: What the next requests raise, by part.
        size: How many findings a page has.
    """

    def __init__(self, **parts):
        self.parts = parts
        self.requests, self.errors, self.size = [], {}, 2

    def page(self, part, token):
        self.requests.append((part, token))
        if self.errors.get(part):
            raise self.errors[part].pop(0)
        findings = self.parts.get(part, [])
        start = int(token or 0)
        end = start + self.size
        return Page(findings=findings[start:end], unreadable=0, token=str(end) if end < len(findings) else "")


class MemoryStorage:
    """What `Storage` keeps, without S3, as the JSON that it would be."""

    def __init__(self):
        self.stored, self.open, self.unfinished = {}, {}, {}

    def page_place(self, schedule, scheduled):
        return f"s3://pages/{schedule}/{scheduled:%Y-%m-%d}.html"

    def figures(self, schedule, scheduled):
        kept = self.stored.get((schedule, scheduled))
        return Figures.from_json(kept) if kept else None

    def put_figures(self, given):
        self.stored[given.schedule, given.scheduled] = given.to_json()

    def earlier_figures(self, schedule, before):
        keys = sorted(key for key in self.stored if key[0] == schedule and key[1] < before)
        return [Figures.from_json(self.stored[key]) for key in keys]

    def previously_open(self, schedule, before):
        keys = sorted(key for key in self.open if key[0] == schedule and key[1] < before)
        return self.open[keys[-1]] if keys else None

    def put_open(self, schedule, scheduled, count):
        self.open[schedule, scheduled] = OpenFindings(scheduled, count.tally.seen)

    def progress(self, schedule, scheduled):
        kept = self.unfinished.get((schedule, scheduled))
        return Count.from_json(kept) if kept else Count()

    def put_progress(self, schedule, scheduled, count):
        self.unfinished[schedule, scheduled] = count.to_json(scheduled)
