"""Imported findings on their way through the pattern, a queue, and the function for tickets, in memory.

Only the calls of Security Hub go through botocore's client with its retries. Sleeping takes no time: a
clock moves on when all who run have to wait.
"""

from __future__ import annotations

import copy
import heapq
import importlib
import itertools
import json
import random
import threading
from collections import Counter, deque
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import botocore.endpoint
from botocore.awsrequest import AWSResponse
from botocore.session import Session

from functions.tickets.contract import Abilities, Ticket, TrackerError
from functions.tickets.logic import handle_findings
from functions.tickets.outcomes import TicketsIncompleteError
from functions.tickets.services import Invocation, Services
from invocation.clients import client_config
from invocation.messages import work_on_messages
from invocation.once import RememberedWork
from securityhub.events import parse_event
from securityhub.findings.client import SecurityHub
from securityhub_actions.patterns import EventPattern

# The folder's name is a keyword, so no statement can import from it.
_MEMORY = importlib.import_module("tests.lambda.functions.tickets.conftest")
_STORE = importlib.import_module("tests.lambda.conftest").MemoryStore
SAMPLE = json.loads((Path(__file__).parents[1] / "events" / "findings_imported.json").read_text())
ARN = "arn:aws:sqs:eu-west-1:111122223333:findings"
FUNCTION = "arn:aws:lambda:eu-west-1:111122223333:function:tickets"
BATCH = 10


class Clock:
    """Time that passes only while everyone who takes part sleeps; one of them runs at a time."""

    def __init__(self):
        self.seconds = 0.0
        self._turns = []
        self._numbers = itertools.count()
        self._lock = threading.Condition()

    def sleep(self, seconds):
        """Let others run until the time has come."""
        with self._lock:
            mine = (self.seconds + seconds, next(self._numbers))
            heapq.heappush(self._turns, mine)
            self._running = None
            self._pass_on()
            self._lock.wait_for(lambda: self._running == mine)

    def start(self, work):
        """Let something take part from now on, as soon as the caller sleeps."""
        with self._lock:
            mine = (self.seconds, next(self._numbers))
            heapq.heappush(self._turns, mine)

        def run():
            with self._lock:
                self._lock.wait_for(lambda: self._running == mine)
            try:
                work()
            finally:
                with self._lock:
                    self._running = None
                    self._pass_on()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def run(self):
        """Let those who were started run."""
        with self._lock:
            self._pass_on()

    _running = None

    def _pass_on(self):
        if self._turns:
            self._running = heapq.heappop(self._turns)
            self.seconds = max(self.seconds, self._running[0])
            self._lock.notify_all()


class Tickets(_MEMORY.MemoryTickets):
    """The table of tickets, which doesn't search all of them for those of a finding."""

    def load_all(self, finding):
        entry = self.entries.get((finding.digest, "Jira"))
        return {"Jira": entry} if entry else {}


class Tracker:
    """A tracker that fails now and then, and whose answers take more or less the same time.

    If all took exactly as long, containers would keep in step, and the same ones would always be throttled.
    """

    name = "Jira"
    abilities = Abilities()

    def __init__(self, sleep, *, fails_every):
        self._sleep, self._fails_every = sleep, fails_every
        self._random = random.Random(1)  # noqa: S311 - not for security
        self._calls = itertools.count(1)
        self.opened = Counter()
        self.seconds = 0.0

    def place_of(self, _finding):
        return "A"

    def find(self, _draft, _since):
        return None

    def open(self, draft):
        if self.seconds:
            self._sleep(self.seconds * self._random.uniform(0.5, 1.5))
        if self._fails_every and next(self._calls) % self._fails_every == 0:
            error = TrackerError("The tracker answered 429.")
            error.is_refusal = True
            raise error
        self.opened[draft.finding.id] += 1
        return Ticket(id=draft.finding.id, link="https://jira.example.com/1")


class Quota:
    """A quota of calls a second, of which so many more can come at once; None for none."""

    def __init__(self, clock, rate, burst):
        self._clock, self._rate, self._burst = clock, rate, burst
        self._left, self._since = burst, 0.0
        self.calls, self.throttled = 0, 0

    def allows(self):
        """Count a call, and return whether it comes through."""
        self.calls += 1
        if self._rate is None:
            return True
        now = self._clock.seconds
        self._left = min(self._burst, self._left + (now - self._since) * self._rate)
        self._since = now
        if self._left < 1:
            self.throttled += 1
            return False
        self._left -= 1
        return True


class Hub:
    """Security Hub, with quotas for BatchUpdateFindings and GetFindings."""

    def __init__(self, findings, *, updates, reads, clock):
        self._findings, self._clock = findings, clock
        self.updates, self.reads = updates, reads
        self.updated, self.read = Counter(), Counter()
        self.times = []

    def client(self):
        """A client of one container."""
        session = Session()
        session.set_credentials("example", "example")
        client = session.create_client("securityhub", region_name="eu-west-1", config=client_config())
        client.meta.events.register("before-send.securityhub.BatchUpdateFindings", self._update)
        client.meta.events.register("before-send.securityhub.GetFindings", self._get)
        return SecurityHub(client)

    def _get(self, request, **_):
        if not self.reads.allows():
            return _throttled(request)
        (wanted,) = json.loads(request.body)["Filters"]["Id"]
        self.read[wanted["Value"]] += 1
        return _answer(request, 200, {"Findings": [self._findings[wanted["Value"]]]})

    def _update(self, request, **_):
        if not self.updates.allows():
            return _throttled(request)
        for one in json.loads(request.body)["FindingIdentifiers"]:
            self.updated[one["Id"]] += 1
            self.times.append(self._clock.seconds)
        return _answer(request, 200, {"ProcessedFindings": [], "UnprocessedFindings": []})


def _throttled(request):
    return _answer(request, 429, {"Code": "LimitExceededException", "Message": "Too fast"})


def _answer(request, status, body):
    headers = {"x-amzn-ErrorType": body["Code"]} if "Code" in body else {}
    content = json.dumps(body).encode()
    raw = SimpleNamespace(stream=lambda *_, **__: iter([content]), close=lambda: None, headers=headers)
    return AWSResponse(request.url, status, headers, raw)


class Queue:
    """A standard queue: at least once, not in order, and to the dead letters after so many receptions."""

    def __init__(self, clock, *, visibility, receives, duplicates=0.0, seed=1):
        self._clock, self._visibility, self._receives = clock, visibility, receives
        self._random, self._duplicates = random.Random(seed), duplicates  # noqa: S311 - not for security
        self._messages, self._hidden = deque(), []
        self._numbers = itertools.count()
        self.dead = []

    def send(self, body):
        """Queue a message, and sometimes twice."""
        for _ in range(1 + (self._random.random() < self._duplicates)):
            self._messages.append((body, 0))

    def receive(self):
        """Return a batch, empty if there is none now, or None if there will be none."""
        while self._hidden and self._hidden[0][0] <= self._clock.seconds:
            _, _, body, received = heapq.heappop(self._hidden)
            self._messages.append((body, received))
        batch = [self._messages.popleft() for _ in range(min(BATCH, len(self._messages)))]
        return batch or ([] if self._hidden else None)

    def give_back(self, body, received):
        """Hide a message whose handling failed."""
        if received >= self._receives:
            self.dead.append(body)
        else:
            entry = (self._clock.seconds + self._visibility, next(self._numbers), body, received)
            heapq.heappush(self._hidden, entry)


class Pipeline:
    """The pattern, the queue, and the function.

    Args:
        pattern: The pattern of the rule.
        seconds: How long the function works on a finding.
        fails_every: The tracker fails with each so-manieth ticket. Default: never.
        updates_a_second: The quota of BatchUpdateFindings. Default: none.
        reads_a_second: The quota of GetFindings. Default: none.
        burst: How many calls of each come through at once.
        visibility: How long a message is hidden after its handling failed, in seconds.
        duplicates: The share of messages that come twice.
    """

    def __init__(
        self,
        pattern: EventPattern,
        *,
        seconds=0.0,
        fails_every=0,
        updates_a_second=None,
        reads_a_second=None,
        burst=0,
        visibility=1_800.0,
        duplicates=0.0,
    ):
        self.clock = Clock()
        self.findings = {}
        self._pattern = pattern
        self.queue = Queue(self.clock, visibility=visibility, receives=5, duplicates=duplicates)
        self.tracker = Tracker(self.clock.sleep, fails_every=fails_every)
        self.tracker.seconds = seconds
        self.hub = Hub(
            self.findings,
            updates=Quota(self.clock, updates_a_second, burst),
            reads=Quota(self.clock, reads_a_second, burst),
            clock=self.clock,
        )
        self._store = _STORE()
        self._tickets = Tickets(lambda: None)
        self._numbers = itertools.count()

    def import_finding(self, number, severity):
        """Let Security Hub send the event of a new finding, and return whether the rule lets it pass."""
        event = copy.deepcopy(SAMPLE)
        (finding,) = event["detail"]["findings"]
        finding |= {"Id": f"finding-{number}", "Severity": {"Label": severity}}
        event["id"] = f"event-{number}"
        if not self._pattern.matches(event):
            return False
        self.findings[finding["Id"]] = finding
        self.queue.send(json.dumps(event))
        return True

    def work(self, concurrency=1):
        """Let so many containers read the queue until nothing is left in it."""
        random.seed(1)  # botocore's pauses
        with mock.patch.object(botocore.endpoint, "time", SimpleNamespace(sleep=self.clock.sleep)):
            threads = [self.clock.start(self._container()) for _ in range(concurrency)]
            self.clock.run()
            for thread in threads:
                thread.join()

    def _container(self):
        services = Services(
            trackers=(self.tracker,),
            limits=SimpleNamespace(take=lambda _account, _tracker: True),
            looks=None,
            tickets=self._tickets,
            groups=None,
            once=RememberedWork(
                self._store,
                clock=lambda: self._store.seconds + self.clock.seconds,
                renewing=lambda _: nullcontext(),
            ),
            security_hub=self.hub.client(),
            turns=None,
        )

        def run():
            while (batch := self.queue.receive()) is not None:
                if not batch:
                    self.clock.sleep(1.0)
                    continue
                self._invoke(batch, services)
                self.clock.sleep(0)

        return run

    def _invoke(self, batch, services):
        records = [
            {
                "messageId": str(number),
                "receiptHandle": "receipt",
                "body": body,
                "eventSource": "aws:sqs",
                "eventSourceARN": ARN,
                "attributes": {"ApproximateReceiveCount": str(received + 1)},
            }
            for number, (body, received) in enumerate(batch)
        ]
        invocation = Invocation(
            request_id=f"request-{next(self._numbers)}",
            function_arn=FUNCTION,
            clock=lambda: self.clock.seconds,
            now=lambda: datetime.fromtimestamp(self._store.seconds + self.clock.seconds, UTC),
        )

        def handle(body, record):
            summary = handle_findings(
                parse_event(body),
                services=services,
                invocation=invocation,
                passes_filter=True,
                is_late=int(record.attributes.approximate_receive_count) > 1,
            )
            if summary.failures:
                raise TicketsIncompleteError(summary)

        answer = work_on_messages({"Records": records}, None, handle)
        for failure in answer["batchItemFailures"]:
            body, received = batch[int(failure["itemIdentifier"])]
            self.queue.give_back(body, received + 1)

    def forget(self):
        """Forget what was done, whose size isn't the function's."""
        self.findings.clear()
        self.tracker.opened.clear()
        self.hub.updated.clear()
        self.hub.read.clear()
        self.hub.times.clear()
        self._tickets.entries.clear()
        self._tickets.findings.clear()
        self._store.items.clear()
