"""Ticketing without AWS: Security Hub, its rules and their queue, trackers and tables in memory.

Any call that leaves the process can be its end, or the moment at which another invocation comes in between.
"""

from __future__ import annotations

import copy
import itertools
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from functions.tickets.contract import Abilities, Look, Ticket, TrackerError
from functions.tickets.decisions import Meanings
from functions.tickets.entry import ChangedMeanwhileError, Watched
from functions.tickets.following import follow
from functions.tickets.group_records import Changes, Membership, Pending
from functions.tickets.group_refreshes import GroupIncompleteError, handle_refresh
from functions.tickets.grouping import GroupBy
from functions.tickets.hints import Hint, Unread
from functions.tickets.hourly import look_again, look_at
from functions.tickets.logic import handle_findings
from functions.tickets.looks_queue import from_message, to_message
from functions.tickets.outcomes import TicketsIncompleteError
from functions.tickets.polling import poll
from functions.tickets.services import Invocation, Services
from functions.tickets.text import body, title
from functions.tickets.ticket_table import TicketTable
from invocation.clients import create_client
from invocation.stop_switch import NOTHING_STOPPED
from securityhub.events import Finding, parse_event, parse_finding
from securityhub.findings.updates import NotUpdated, RequestRefusedError
from securityhub.outcomes import OutcomesNotReportedError
from tests.grouped_findings import listed

FUNCTION_ARN = "arn:aws:lambda:eu-west-1:111122223333:function:example"
ACTION_ARN = "arn:aws:securityhub:eu-west-1:111122223333:action/custom/OpenTicket"
NEW_FINDINGS, CHANGES, HINTS = "NewFindings", "TicketedFindings", "TicketChanges"
MEANINGS = Meanings(resolved=frozenset({"done"}), suppressed=frozenset({"won't do", "accepted risk"}))
START = datetime(2026, 1, 1, tzinfo=UTC)
KEY_DIGITS = 16
"""How many digits of a ticket's key are those of its finding or group."""


class DiedError(BaseException):
    """The end of a process, which nothing handles."""


def identified(one):
    return Finding.identified(
        id_=one.id, product=one.product_uid or one.product_arn, account=one.aws_account_id
    )


class MemoryTickets:
    """The table of tickets."""

    def __init__(self, checkpoint):
        self.entries, self.findings = {}, {}
        self.checkpoint = checkpoint

    def load(self, finding, tracker):
        self.checkpoint()
        return self.entries.get((finding.digest, tracker))

    def load_named(self, digest, tracker):
        self.checkpoint()
        entry = self.entries.get((digest, tracker))
        return entry and (identified(self.findings[digest]), entry)

    def load_all(self, finding):
        self.checkpoint()
        return {name: entry for (key, name), entry in self.entries.items() if key == finding.digest}

    def of(self, tracker):
        """The findings with a record for a tracker, and those records."""
        return [(self.findings[key], one) for (key, name), one in self.entries.items() if name == tracker]

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


class MemoryIndex:
    """The index of tickets."""

    def __init__(self, tickets, groups, checkpoint):
        self.tickets, self.groups, self.checkpoint = tickets, groups, checkpoint
        self.polled = {}

    def owners_of(self, tracker, ticket_id):
        self.checkpoint()
        findings = [
            identified(self.tickets.findings[key])
            for (key, name), entry in self.tickets.entries.items()
            if name == tracker and entry.ticket and entry.ticket.id == ticket_id and not entry.group
        ]
        groups = [
            key
            for (key, name), one in self.groups.tickets.items()
            if name == tracker and one.ticket and one.ticket.id == ticket_id
        ]
        return findings, groups

    def complete(self):
        self.checkpoint()

    def polled_until(self, tracker):
        self.checkpoint()
        return self.polled.get(tracker)

    def set_polled_until(self, tracker, time):
        self.checkpoint()
        self.polled[tracker] = time


class MemoryUnread:
    """The hints whose tickets couldn't be read."""

    def __init__(self, checkpoint):
        self.kept, self.checkpoint = {}, checkpoint
        self.numbers = itertools.count()

    def note(self, hint):
        self.checkpoint()
        key = (hint.tracker, hint.ticket_id)
        since = min([hint.since, *([self.kept[key].hint.since] if key in self.kept else [])])
        self.kept[key] = Unread(hint=replace(hint, since=since), noted=str(next(self.numbers)))
        self.checkpoint()

    def of(self, tracker):
        self.checkpoint()
        return [one for (name, _), one in self.kept.items() if name == tracker]

    def drop(self, unread):
        self.checkpoint()
        key = (unread.hint.tracker, unread.hint.ticket_id)
        if key in self.kept and self.kept[key].noted == unread.noted:
            del self.kept[key]
        self.checkpoint()


class MemoryGroups:
    """The groups of findings in the table of tickets.

    Attributes:
        tickets: by group and tracker.
        findings: by group, tracker, and digest.
        numbers: by group and tracker, the number of the last change.
        joined: by group and tracker, that of the last one by which a finding joined.
        unsettled: groups and trackers whose ticket may not have all changes.
        reads: how many findings were read.
    """

    def __init__(self, checkpoint):
        self.tickets, self.findings, self.numbers, self.joined = {}, {}, {}, {}
        self.unsettled = {}
        self.reads = 0
        self.checkpoint = checkpoint

    def load(self, key, tracker):
        self.checkpoint()
        return self.tickets.get((key, tracker))

    def save(self, key, tracker, ticket, *, replacing):
        self.checkpoint()
        present = self.tickets.get((key, tracker))
        if (present and present.revision) != (replacing and replacing.revision):
            raise ChangedMeanwhileError
        saved = replace(ticket, revision=(replacing.revision if replacing else 0) + 1)
        self.tickets[key, tracker] = saved
        self.checkpoint()
        return saved

    def member(self, key, tracker, digest):
        self.checkpoint()
        return self.findings.get((key, tracker), {}).get(digest)

    def put_member(self, key, tracker, digest, member):
        self.checkpoint()
        members = self.findings.setdefault((key, tracker), {})
        present = members.get(digest)
        if present and present.generation >= member.generation:
            has_left = present.membership is Membership.OUT and member.membership is not Membership.OUT
            if present.generation > member.generation or has_left:
                return False
        members[digest] = member
        self.checkpoint()
        return True

    def members(self, key, tracker):
        self.checkpoint()
        for digest, member in [*self.findings.get((key, tracker), {}).items()]:
            self.reads += 1
            yield replace(member, digest=digest)

    def mark(self, key, tracker, *, joins):
        self.checkpoint()
        was_settled = self.unsettled.pop((key, tracker), None) is None  # the last one waits behind the others
        self.unsettled[key, tracker] = True
        self.numbers[key, tracker] = number = self.numbers.get((key, tracker), 0) + 1
        if joins:
            self.joined[key, tracker] = number
        self.checkpoint()
        return was_settled, number

    def changes(self, key, tracker):
        self.checkpoint()
        return Changes(
            number=self.numbers.get((key, tracker), 0),
            joined=self.joined.get((key, tracker), 0),
            is_pending=(key, tracker) in self.unsettled,
        )

    def settle(self, key, tracker, number):
        self.checkpoint()
        if self.numbers.get((key, tracker)) != number:
            return False
        self.unsettled.pop((key, tracker), None)
        self.checkpoint()
        return True

    def pending(self):
        self.checkpoint()
        return [Pending(key=key, tracker=tracker) for key, tracker in self.unsettled]


class MemoryRefreshes:
    """The queue of tickets of groups that are to be brought up to date.

    Attributes:
        messages: group and tracker, in how many seconds, and the finding if it's about one, oldest first.
    """

    def __init__(self, checkpoint):
        self.messages = []
        self.checkpoint = checkpoint

    def request(self, key, tracker, *, seconds):
        self.checkpoint()
        assert 0 <= seconds <= 60
        self.messages.append((key, tracker, seconds))
        self.checkpoint()

    def tell(self, key, tracker, digests):
        for digest in digests:
            self.checkpoint()
            self.messages.append((key, tracker, 0, digest))
        self.checkpoint()


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

    def remaining(self, account, tracker):
        self.checkpoint()
        return max(0, self.left[account][tracker]) if account in self.left else 10_000


class MemoryLooks:
    """The queue of findings that the hourly run lets be looked at."""

    def __init__(self, checkpoint):
        self.messages, self.checkpoint = [], checkpoint

    def length(self):
        return len(self.messages)

    def send(self, findings):
        self.checkpoint()
        self.messages += [json.dumps(to_message(one)) for one in findings]
        self.checkpoint()


@dataclass
class Issue:
    """A ticket in a tracker, as the tracker has it."""

    key: str
    finding_id: str
    earlier: Ticket | None
    opened: float
    changed: datetime
    is_open: bool = True
    names: tuple = ("To Do",)
    by: str = ""
    was_reopened: bool = False
    ever: set = field(default_factory=set)
    once_listed: set = field(default_factory=set)
    title: str = ""
    text: str = ""
    place: str = ""


class MemoryTracker:
    """A tracker, whose search finds a ticket half a minute after it was opened.

    Attributes:
        is_down: whether every call fails.
        answers_late: whether a ticket is opened and the answer does not arrive.
        place: where tickets are opened; those that were opened elsewhere are found only there.
        issues: the tickets, by id.
        calls: the names of the calls, oldest first.
        resolved: the ids of the tickets that were resolved, oldest first.
        reasons: the reasons of these resolutions.
    """

    def __init__(self, name, checkpoint, store, now, has_left):
        self.name = name
        self.abilities = Abilities()
        self.checkpoint, self.store, self.now, self.has_left = checkpoint, store, now, has_left
        self.is_down = self.answers_late = False
        self.place = "A"
        self.issues, self.deleted = {}, {}
        self.calls, self.resolved, self.reasons = [], [], []
        self.moved = {}

    def place_of(self, finding):  # noqa: ARG002 - as trackers have it
        return self.place

    def find(self, draft, since):
        self._called("find")
        assert since <= datetime.now(UTC) + timedelta(days=7)  # this world is up to some days ahead
        indexed = {
            id_: one
            for id_, one in self.issues.items()
            if self.store.seconds - one.opened >= 30 and one.place == draft.place
        }
        return next((self._ticket(id_) for id_, one in indexed.items() if one.key == draft.key), None)

    def open(self, draft):
        self._called("open")
        assert 0 < len(draft.key) <= 64
        earlier = draft.earlier and self.issues.get(draft.earlier.id)
        # A group's may be open still: for its other findings, or until the next edit, which closes it.
        is_open = earlier is not None and earlier.is_open and not earlier.was_reopened
        assert not is_open or self.has_left(self.name, earlier, draft.finding)
        id_ = f"{self.name.upper()}-{len(self.issues) + len(self.deleted) + 1}"
        self.issues[id_] = Issue(
            draft.key, draft.finding.id, draft.earlier, self.store.seconds, self.now(), place=self.place
        )
        self._write(id_, draft)
        self.checkpoint()
        if self.answers_late:
            error = TrackerError(f"{self.name} did not answer in time.")
            error.is_temporary = True
            raise error
        return self._ticket(id_)

    def update(self, ticket, draft):
        self._called("update")
        if ticket.id in self.issues:
            self._write(ticket.id, draft)
        self.checkpoint()

    def _write(self, id_, draft):
        issue = self.issues[id_]
        issue.title, issue.text = title(draft.finding, 255), body(draft)
        if draft.listing:
            issue.once_listed |= listed(issue)

    def resolve(self, ticket, reason, finding=None):  # noqa: ARG002 - as trackers have it
        self._called("resolve")
        self.resolved.append(ticket.id)
        self.reasons.append(reason)
        issue = self.issues.get(ticket.id)
        if issue and issue.is_open:
            # As the state that people choose for what they have fixed.
            self.change(ticket.id, "Done", by="Security Hub", is_open=False)
        self.checkpoint()

    def look(self, ticket):
        self._called("look")
        issue = self.issues.get(ticket.id)
        return issue and Look(names=issue.names, is_closed=not issue.is_open, by=issue.by)

    def changed(self, since, until):
        self._called("changed")
        yield from [id_ for id_, one in self.issues.items() if since <= one.changed <= until]

    def former_ids(self, ticket_id):
        self._called("former_ids")
        return self.moved.get(ticket_id, ())

    def plant(self, key):
        """Let somebody else open a ticket with a key, and close it, a minute ago."""
        id_ = f"{self.name.upper()}-{len(self.issues) + len(self.deleted) + 1}"
        self.issues[id_] = Issue(key, "planted", None, self.store.seconds - 60, self.now(), place=self.place)
        self.change(id_, "Done", by="Mallory", is_open=False)

    def delete(self, id_):
        self.deleted[id_] = self.issues.pop(id_)

    def change(self, id_, name, *, by, is_open):
        issue = self.issues[id_]
        issue.was_reopened |= is_open and not issue.is_open
        issue.names, issue.by, issue.is_open, issue.changed = (name,), by, is_open, self.now()
        issue.ever.add(name)

    def open_issues(self, finding_id):
        """Those that nobody has reopened."""
        return [
            id_
            for id_, one in self.issues.items()
            if one.is_open and not one.was_reopened and one.finding_id == finding_id
        ]

    def _called(self, name):
        self.checkpoint()
        self.calls.append(name)
        if self.is_down:
            error = TrackerError(f"{self.name} answered 429.")
            error.is_refusal = error.is_temporary = True
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
        group_by: what findings have in common that share a ticket.
        refreshes: the queue of tickets of groups that are to be brought up to date, if there is one.
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
        self.groups = MemoryGroups(self.checkpoint)
        self.group_by, self.refreshes = GroupBy.FINDING, None
        self.reported, self.bus_is_down = [], False
        self.limits = MemoryLimits(self.checkpoint)
        self.looks = MemoryLooks(self.checkpoint)
        self._seconds = itertools.count()
        self.start = self.latest = START
        self.trackers = tuple(
            MemoryTracker(name, self.checkpoint, self.store, self.now, self.has_left)
            for name in ("Jira", "Slack")
        )
        self.index = MemoryIndex(self.tickets, self.groups, self.checkpoint)
        self.unread = MemoryUnread(self.checkpoint)
        self.meanings = {}
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
        for tracker in self.trackers:
            # A key begins with that of a finding or a group.
            keys = [
                (one.key[:KEY_DIGITS], one.finding_id if self.group_by is GroupBy.FINDING else "")
                for one in tracker.issues.values()
                if one.is_open and not one.was_reopened
            ]
            assert len(keys) == len({*keys}), "two open tickets of a finding or group in a tracker"
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
        fails_again = before and before["Compliance"].get("Status") == "PASSED" != finding["Compliance"].get(
            "Status"
        )
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
            and finding["Compliance"].get("Status") == "FAILED"
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

    # Trackers

    def follow_trackers(self):
        """Let what people decide in the trackers count."""
        self.meanings = {tracker.name: MEANINGS for tracker in self.trackers}

    def decide(self, tracker, id_, name, *, by="Ann", is_open=False, webhook=True):
        """Let somebody put a ticket into a state, about which a webhook comes, or is lost."""
        tracker.change(id_, name, by=by, is_open=is_open)
        if webhook:
            self.send(tracker.name, [id_])

    def send(self, tracker, ticket_ids):
        """Queue hints, as a webhook or a poll does."""
        self.send_again([Hint(tracker=tracker, ticket_id=one) for one in ticket_ids])

    def send_later(self, tracker, ticket_id):
        self.send(tracker, [ticket_id])

    def send_again(self, hints):
        self.checkpoint()
        for hint in hints:
            self._send({"id": f"hint-{next(self._numbers)}", "rule": HINTS, "hint": hint.to_message()})
        self.checkpoint()

    def poll(self):
        """Run the function on the event of the schedule."""
        return poll(services=self.services(), invocation=self.invocation("poll"))

    # Lambda

    def invocation(self, name, **values):
        return Invocation(
            request_id=f"request-{name}", function_arn=FUNCTION_ARN, **{"now": self.now, **values}
        )

    def services(self):
        return Services(
            trackers=self.trackers,
            limits=self.limits,
            tickets=self.tickets,
            groups=self.groups,
            group_by=self.group_by,
            refreshes=self.refreshes,
            once=self.store.once(),
            security_hub=self,
            turns=self.turns,
            looks=self.looks,
            meanings=self.meanings,
            index=self.index,
            hints=self,
            unread=self.unread,
            outcomes=self,
        )

    # The event bus

    def report(self, outcomes):
        if not outcomes:
            return
        self.checkpoint()
        if self.bus_is_down:
            raise OutcomesNotReportedError("The bus is down")
        self.reported += outcomes
        self.checkpoint()

    @property
    def told(self):
        """What was reported, in short, without repeats."""
        ids = {one.id_for("tickets"): one for one in self.reported}
        return [(one.operation.value, one.result.value, one.part) for one in ids.values()]

    def handle(self, event, *, is_late=False, **invocation):
        """Run the function on an event and return what became of its findings."""
        invocation = self.invocation(event["id"], **invocation)
        if "hint" in event:
            try:
                hint = Hint.from_message(event["hint"])
                return follow(hint, services=self.services(), invocation=invocation).summary
            except Exception as error:  # noqa: BLE001 - the message is delivered again
                return SimpleNamespace(failures=[repr(error)], is_recorded=False)
        return handle_findings(
            parse_event(event),
            services=self.services(),
            passes_filter=event.get("rule") == NEW_FINDINGS,
            is_late=is_late,
            invocation=invocation,
        )

    def allow(self, tickets, *, account="111122223333"):
        """Begin an hour in which each tracker may open so many tickets about an account's findings."""
        self.limits.left[account] = {tracker.name: tickets for tracker in self.trackers}

    def look_again(self, *, stops=NOTHING_STOPPED, **invocation):
        """Run the function on the next hour's event and the messages that it sends.

        Returns:
            What became of the findings.
        """
        invocation = self.invocation("hourly", **invocation)
        self.store.seconds += 3600
        # By the clock of the tickets' first attempts, and an hour later than all that was sent before.
        self.start = max(self.start, datetime.now(UTC)) + timedelta(hours=1)
        now = self.now()
        summary = look_again(
            services=self.services(),
            invocation=invocation,
            event_id=f"hour-{next(self._numbers)}",
            stops=stops,
            now=lambda: now,
        )
        reports = [*summary.reports]
        while self.looks.messages:
            watched = from_message(json.loads(self.looks.messages[0]))
            reports.append(look_at(watched, services=self.services(), invocation=invocation, now=now))
            # SQS deletes a message after the function has ended.
            del self.looks.messages[0]
        return replace(summary, reports=tuple(reports))

    def dies_looking_again(self, *, after):
        """End the process of the next hour's event after so many calls, and say whether it got that far."""
        return self.dies(self.look_again, after=after)

    def dies(self, work, *, after):
        """End the process that does some work after so many calls, and say whether it got that far."""
        self._until_death = after
        try:
            work()
        except DiedError:
            self.store.seconds += 60
            return True
        finally:
            self._until_death = None
        return False

    def deliver(self, event, *, death_after=None, intrusion_after=None, intrude=None, is_last=False):
        """Run the function on a queued event, which stays in the queue unless all went well.

        Args:
            event: the event.
            is_last: whether it isn't delivered again if only an outage was in the way.
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
        is_over = not summary.failures or (is_last and summary.is_recorded and "rule" in event)
        if is_over and event in self.queue:
            self.queue.remove(event)
        return summary

    # Tickets of groups

    def group(self, by):
        """Let findings share tickets, which are brought up to date by messages."""
        self.group_by = GroupBy(by)
        self.refreshes = self.refreshes or MemoryRefreshes(self.checkpoint)

    def refresh(self, which=0, *, death_after=None, intrusion_after=None, intrude=None, is_last=False):
        """Run the function on a message about a group's ticket, which is sent again if that failed."""
        message = self.refreshes.messages.pop(which % len(self.refreshes.messages))
        key, tracker, seconds, *digest = message
        if not self._under_way:
            self.store.seconds += seconds
            self.start += timedelta(seconds=seconds)
        self._until_death, self._until_intrusion, self._intrude = death_after, intrusion_after, intrude
        self._under_way += 1
        failed = True
        try:
            body = {"group": key, "tracker": tracker, **({"finding": digest[0]} if digest else {})}
            handle_refresh(body, services=self.services(), invocation=self.invocation("refresh"))
            failed = False
        except DiedError:
            self.store.seconds += 60
        except (GroupIncompleteError, TicketsIncompleteError) as error:
            failed = not (is_last and error.is_recorded)
            if not self._under_way > 1:
                self.store.seconds += 20
        finally:
            self._until_death = self._until_intrusion = None
            self._under_way -= 1
        if failed:
            self.refreshes.messages.append((key, tracker, 0, *digest))
        return not failed

    def settle(self):
        """Deliver all events and messages until nothing is left."""
        for _ in range(500):
            self.deliver_all()
            if not self.refreshes or not self.refreshes.messages:
                return
            assert self.refresh()
        pytest.fail("the messages never end")

    def deliver_all(self):
        """Deliver until nothing is left, and return how many deliveries that took."""
        number = 0
        while self.queue:
            summary = self.deliver(self.queue[0])
            assert not summary.failures, summary.failures
            number += 1
            assert number < 500, "the events never end"
        unreported = [one for one in self.tickets.entries.values() if one.milestone != one.reported]
        # A finding that follows its group's ticket reports that when its message is handled.
        is_telling = self.refreshes and any(len(one) == 4 for one in self.refreshes.messages)
        assert is_telling or not unreported, "an outcome is not reported"
        return number

    def has_left(self, tracker, issue, finding):
        """Say whether a ticket is that of a group which a finding was in, and has left."""
        return any(
            finding.digest in members and members[finding.digest].membership is Membership.OUT
            for (key, name), members in self.groups.findings.items()
            if name == tracker and key.startswith(issue.key[:KEY_DIGITS])
        )

    def open_issues(self, finding_id):
        """The ids of a finding's open tickets in all trackers."""
        return [id_ for tracker in self.trackers for id_ in tracker.open_issues(finding_id)]


@pytest.fixture
def world(load_event, memory_store):
    return World(load_event("findings_imported"), memory_store)


@pytest.fixture
def make_ticket_table(make_ticket_table_name):
    """A function that creates a table of tickets."""
    return lambda: TicketTable(create_client("dynamodb"), make_ticket_table_name())
