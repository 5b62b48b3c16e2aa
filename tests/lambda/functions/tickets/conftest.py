"""Ticketing without AWS: Security Hub, its rules and their queue, trackers and tables in memory.

Any call that leaves the process can be its end, or the moment at which another invocation comes in between.
"""

from __future__ import annotations

import copy
import itertools
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from functions.tickets.contract import Ticket, TrackerError
from functions.tickets.entry import ChangedMeanwhileError, Watched
from functions.tickets.hourly import look_again
from functions.tickets.logic import handle_findings
from functions.tickets.services import Invocation, Services
from securityhub.events import parse_event, parse_finding
from securityhub.findings.updates import NotUpdated, RequestRefusedError

FUNCTION_ARN = "arn:aws:lambda:eu-west-1:111122223333:function:example"
ACTION_ARN = "arn:aws:securityhub:eu-west-1:111122223333:action/custom/OpenTicket"
NEW_FINDINGS, CHANGES = "NewFindings", "TicketedFindings"
START = datetime(2026, 1, 1, tzinfo=UTC)


class DiedError(BaseException):
    """The end of a process, which nothing handles."""


class MemoryTickets:
    """The table of tickets."""

    def __init__(self, checkpoint):
        self.entries, self.findings = {}, {}
        self.checkpoint = checkpoint

    def load(self, finding, tracker):
        self.checkpoint()
        return self.entries.get((finding.digest, tracker))

    def load_all(self, finding):
        self.checkpoint()
        return {name: entry for (key, name), entry in self.entries.items() if key == finding.digest}

    def watched(self):
        self.checkpoint()
        return [
            Watched(
                finding_id=self.findings[key].id,
                product_arn=self.findings[key].product_uid or self.findings[key].product_arn,
                account=entry.account,
                tracker=name,
                state=entry.state,
                since=entry.since,
            )
            for (key, name), entry in sorted(self.entries.items(), key=lambda item: item[1].since)
            if entry.is_watched
        ]

    def save(self, finding, tracker, entry, *, replacing):
        self.checkpoint()
        self.findings[finding.digest] = finding
        key = (finding.digest, tracker)
        present = self.entries.get(key)
        if (present and present.revision) != (replacing and replacing.revision):
            raise ChangedMeanwhileError
        self.entries[key] = replace(entry, revision=(replacing.revision if replacing else 0) + 1)
        self.checkpoint()
        return self.entries[key]


class MemoryLimits:
    """How many tickets may be opened without a press; `left` is None where any number may.

    Attributes:
        left: by account, how many more tickets each tracker may open; None for any number.
    """

    def __init__(self, checkpoint):
        self.left, self.checkpoint = {}, checkpoint

    def take(self, account, tracker):
        self.checkpoint()
        if account not in self.left:
            return True
        trackers = self.left[account]
        trackers[tracker] -= 1
        return trackers[tracker] >= 0


@dataclass
class Issue:
    """A ticket in a tracker, as the tracker has it."""

    key: str
    finding_id: str
    earlier: Ticket | None
    opened: float
    is_open: bool = True


class MemoryTracker:
    """A tracker, whose search finds a ticket half a minute after it was opened.

    Attributes:
        is_down: whether every call fails.
        answers_late: whether a ticket is opened and the answer does not arrive.
        issues: the tickets, by id.
        calls: the names of the calls, oldest first.
        reasons: the reasons of resolutions, oldest first.
    """

    def __init__(self, name, checkpoint, store):
        self.name = name
        self.checkpoint, self.store = checkpoint, store
        self.is_down = self.answers_late = False
        self.issues = {}
        self.calls, self.reasons = [], []

    def find(self, draft, since):
        self._called("find")
        assert since <= datetime.now(UTC)
        indexed = {id_: one for id_, one in self.issues.items() if self.store.seconds - one.opened >= 30}
        return next((self._ticket(id_) for id_, one in indexed.items() if one.key == draft.key), None)

    def open(self, draft):
        self._called("open")
        assert 0 < len(draft.key) <= 64
        assert draft.earlier is None or not self.issues[draft.earlier.id].is_open
        id_ = f"{self.name.upper()}-{len(self.issues) + 1}"
        self.issues[id_] = Issue(draft.key, draft.finding.id, draft.earlier, self.store.seconds)
        self.checkpoint()
        if self.answers_late:
            raise TrackerError(f"{self.name} did not answer in time.")
        return self._ticket(id_)

    def resolve(self, ticket, reason):
        self._called("resolve")
        self.reasons.append(reason)
        self.issues[ticket.id].is_open = False
        self.checkpoint()

    def open_issues(self, finding_id):
        return [id_ for id_, one in self.issues.items() if one.is_open and one.finding_id == finding_id]

    def _called(self, name):
        self.checkpoint()
        self.calls.append(name)
        if self.is_down:
            error = TrackerError(f"{self.name} answered 429.")
            error.is_refusal = True
            raise error

    def _ticket(self, id_):
        return Ticket(id=id_, link=f"https://{self.name.lower()}.example.com/{id_}")


class World:
    """Everything that ticketing touches.

    Attributes:
        findings: Security Hub's, by id.
        notes: what was written to them, by finding id: (status, text), oldest first.
        unwritable: ids of findings that Security Hub does not update.
        queue: events that the rules have let pass, or that a custom action has sent, and not handled yet.
        history: all events that were ever in the queue.
        tried: ids of the events that were delivered before.
        hub_is_down: whether findings can't be read.
        opens_without_a_press: whether there is a rule for new findings.
        start: the time from which the seconds count.
        latest: the time that was last asked for; each time it is asked for, a second passes.
        turns: the turns that the functions share, if another one writes to findings.
    """

    def __init__(self, template, store):
        self.template = template
        self.store = store
        self.turns = None
        for name in ("claim", "complete", "release", "recall", "keep"):
            setattr(store, name, self._interruptible(getattr(store, name)))
        self.forget()

    def forget(self):
        """Begin anew."""
        self.findings, self.notes, self.unwritable = {}, {}, set()
        self.queue, self.history, self.tried = [], [], set()
        self.hub_is_down = False
        self.opens_without_a_press = True
        self.store.items.clear()
        self.tickets = MemoryTickets(self.checkpoint)
        self.limits = MemoryLimits(self.checkpoint)
        self.trackers = tuple(MemoryTracker(name, self.checkpoint, self.store) for name in ("Jira", "Slack"))
        self._seconds = itertools.count()
        self.start = self.latest = START
        self._numbers = itertools.count(1)
        self._until_death = self._until_intrusion = None
        self._intrude = None
        self._under_way = 0

    # Time, and what may happen in it

    def now(self):
        self.latest = self.start + timedelta(seconds=next(self._seconds))
        return self.latest

    def checkpoint(self):
        """Die here, or let another invocation in, if it is time; see whether all is well in any case."""
        for tracker, finding_id in itertools.product(self.trackers, self.findings):
            assert len(tracker.open_issues(finding_id)) <= 1, "two open tickets of a finding in a tracker"
        if self._until_death is not None:
            self._until_death -= 1
            if self._until_death < 0:
                self._until_death = None
                raise DiedError
        if self._until_intrusion is not None:
            self._until_intrusion -= 1
            if self._until_intrusion < 0:
                self._until_intrusion = None
                self._intrude()

    def _interruptible(self, method):
        def interruptible(*arguments, **settings):
            self.checkpoint()
            answer = method(*arguments, **settings)
            self.checkpoint()
            return answer

        return interruptible

    # Security Hub

    def import_finding(self, finding_id, **changes):
        """Let a provider import a finding for the first time, or update it."""
        before = self.findings.get(finding_id)
        updated = self.now()
        finding = before or {
            **self.template["detail"]["findings"][0],
            "Id": finding_id,
            "Severity": {"Label": "CRITICAL"},
            "Compliance": {"Status": "FAILED"},
            "Workflow": {"Status": "NEW"},
            "RecordState": "ACTIVE",
        }
        finding = {**finding, **changes, "UpdatedAt": updated.isoformat()}
        fails_again = before and before["Compliance"]["Status"] == "PASSED" != finding["Compliance"]["Status"]
        if fails_again and finding["Workflow"]["Status"] in ("NOTIFIED", "RESOLVED"):
            finding["Workflow"] = {"Status": "NEW"}
        self._store(finding)

    def set_status(self, finding_id, status):
        """Let an analyst set a workflow status, which leaves UpdatedAt as it is."""
        self._store({**self.findings[finding_id], "Workflow": {"Status": status}})

    def press(self, *finding_ids):
        """Let an analyst press the custom action."""
        findings = [copy.deepcopy(self.findings[finding_id]) for finding_id in finding_ids]
        self._send(
            {
                **self._envelope("Security Hub Findings - Custom Action", ACTION_ARN),
                "detail": {"actionName": "Open ticket", "actionDescription": "", "findings": findings},
            }
        )

    def batch_update_findings(
        self, findings, *, workflow_status, note_text, note_updated_by, user_defined_fields
    ):
        self.checkpoint()
        assert len(note_text) <= 512
        refused = [finding for finding in findings if finding.id in self.unwritable]
        if user_defined_fields is not None and len(user_defined_fields) > 50:
            raise RequestRefusedError("InvalidInputException", "UserDefinedFields has more than 50 entries")
        for finding in findings:
            if finding not in refused:
                self.notes.setdefault(finding.id, []).append((workflow_status, note_text))
                note = {"Text": note_text, "UpdatedBy": note_updated_by, "UpdatedAt": self.now().isoformat()}
                updated = {**self.findings[finding.id], "Note": note}
                if workflow_status:
                    updated["Workflow"] = {"Status": workflow_status}
                if user_defined_fields is not None:
                    assert all(len(value) <= 1024 for value in user_defined_fields.values())
                    updated["UserDefinedFields"] = user_defined_fields
                self._store(updated)
        self.checkpoint()
        return [
            NotUpdated(finding=one, error_code="FindingNotFound", error_message="gone") for one in refused
        ]

    def get_finding(self, finding):
        self.checkpoint()
        if self.hub_is_down:
            raise RequestRefusedError("InternalException", "Security Hub is down")
        found = self.findings.get(finding.id)
        return found and parse_finding(copy.deepcopy(found))

    def _store(self, finding):
        self.findings[finding["Id"]] = finding
        arn = f"{finding['ProductArn']}/{finding['Id']}"
        envelope = self._envelope("Security Hub Findings - Imported", arn)
        imported = {**envelope, "detail": {"findings": [copy.deepcopy(finding)]}}
        if "Tickets" in finding.get("UserDefinedFields", {}):
            self._send({**imported, "rule": CHANGES})
        if self.passes_filter(finding):
            self._send({**imported, "rule": NEW_FINDINGS})

    def passes_filter(self, finding):
        """Say whether the rule for new findings lets a finding pass."""
        return (
            self.opens_without_a_press
            and finding["Workflow"]["Status"] == "NEW"
            and finding["RecordState"] == "ACTIVE"
            and finding["Compliance"]["Status"] == "FAILED"
            and finding["Severity"]["Label"] == "CRITICAL"
        )

    def _envelope(self, detail_type, resource):
        return {
            **self.template,
            "id": f"event-{next(self._numbers)}",
            "time": self.now().isoformat(),
            "detail-type": detail_type,
            "resources": [resource],
        }

    def _send(self, event):
        self.queue.append(event)
        self.history.append(event)

    # Lambda

    def services(self):
        return Services(
            trackers=self.trackers,
            limits=self.limits,
            tickets=self.tickets,
            once=self.store.once(),
            security_hub=self,
            turns=self.turns,
        )

    def handle(self, event, *, is_late=False, **invocation):
        """Run the function on an event and return what became of its findings."""
        return handle_findings(
            parse_event(event),
            services=self.services(),
            passes_filter=event.get("rule") == NEW_FINDINGS,
            is_late=is_late,
            invocation=Invocation(
                request_id=f"request-{event['id']}", function_arn=FUNCTION_ARN, **invocation
            ),
        )

    def allow(self, tickets, *, account="111122223333"):
        """Begin an hour in which each tracker may open so many tickets about an account's findings."""
        self.limits.left[account] = {tracker.name: tickets for tracker in self.trackers}

    def look_again(self, **invocation):
        """Run the function on the next hour's event, and return what became of the findings."""
        invocation = Invocation(request_id="request-hourly", function_arn=FUNCTION_ARN, **invocation)
        self.store.seconds += 3600
        # By the clock of the tickets' first attempts. What is sent afterwards is later than that.
        self.start = now = datetime.now(UTC) + timedelta(hours=1)
        return look_again(services=self.services(), invocation=invocation, now=lambda: now)

    def dies_looking_again(self, *, after):
        """End the process of the next hour's event after so many calls, and say whether it got that far."""
        self._until_death = after
        try:
            self.look_again()
        except DiedError:
            self.store.seconds += 60
            return True
        finally:
            self._until_death = None
        return False

    def deliver(self, event, *, death_after=None, intrusion_after=None, intrude=None):
        """Run the function on a queued event, which stays in the queue unless all went well.

        Args:
            event: the event.
            death_after: so many calls later the process ends; Lambda retries a minute later.
            intrusion_after: so many calls later, `intrude` runs in between.
            intrude: what runs then.
        """
        self._until_death, self._until_intrusion, self._intrude = death_after, intrusion_after, intrude
        delivery = (event["id"], event.get("rule"))
        is_late = delivery in self.tried
        # The least time after which a retry comes. None passes for an invocation that another one is in the
        # middle of, whose lease is renewed.
        if is_late and not self._under_way:
            self.store.seconds += 60
        self.tried.add(delivery)
        self._under_way += 1
        try:
            summary = self.handle(event, is_late=is_late)
        except DiedError:
            self.store.seconds += 60
            return None
        finally:
            self._until_death = self._until_intrusion = None
            self._under_way -= 1
        if not summary.failures and event in self.queue:
            self.queue.remove(event)
        return summary

    def deliver_all(self):
        """Deliver until nothing is left, and return how many deliveries that took."""
        number = 0
        while self.queue:
            summary = self.deliver(self.queue[0])
            assert not summary.failures, summary.failures
            number += 1
            assert number < 500, "the events never end"
        return number

    def open_issues(self, finding_id):
        """The ids of a finding's open tickets in all trackers."""
        return [id_ for tracker in self.trackers for id_ in tracker.open_issues(finding_id)]


@pytest.fixture
def world(load_event, memory_store):
    return World(load_event("findings_imported"), memory_store)
