"""Random histories of findings and tickets: what happens, and what disturbs it."""

from __future__ import annotations

from hypothesis import strategies as st

CRITICAL, INFORMATIONAL = {"Severity": {"Label": "CRITICAL"}}, {"Severity": {"Label": "INFORMATIONAL"}}
FAILED = {"Compliance": {"Status": "FAILED"}, **CRITICAL}
PASSED = {"Compliance": {"Status": "PASSED"}, **INFORMATIONAL}
NOT_EVALUATED = {"Compliance": {"Status": "NOT_AVAILABLE"}, **INFORMATIONAL}
UNCHECKED = {"Compliance": {}}  # as of a product that reports events
ARCHIVED = {"RecordState": "ARCHIVED"}

FINDINGS = st.sampled_from(["A", "B"])
NUMBERS = st.integers(0, 30)


def operations_on(findings):
    """What happens to findings in every kind of history, given a strategy for their IDs."""
    return (
        st.tuples(
            st.just("import"),
            findings,
            st.sampled_from([FAILED, PASSED, NOT_EVALUATED, ARCHIVED, {"RecordState": "ACTIVE"}]),
        ),
        st.tuples(
            st.just("status"), findings, st.sampled_from(["NEW", "NOTIFIED", "RESOLVED", "SUPPRESSED"])
        ),
        st.tuples(st.just("press"), findings),
        st.tuples(st.just("deliver"), NUMBERS),
        st.tuples(st.just("die"), NUMBERS, NUMBERS),
        st.tuples(st.just("intrude"), NUMBERS, NUMBERS, NUMBERS),
        st.tuples(st.just("last"), NUMBERS),
        st.tuples(st.just("again"), NUMBERS),
        st.tuples(st.just("limit"), st.integers(0, 2)),
        st.tuples(st.just("hourly")),
        st.tuples(st.just("down"), st.integers(0, 1), st.sampled_from(["is_down", "answers_late"])),
    )


OPERATIONS = st.one_of(*operations_on(FINDINGS))
PLACES = st.tuples(st.just("elsewhere"), st.integers(0, 1), st.sampled_from("ABC"))
DECIDE = st.tuples(
    st.just("decide"),
    st.integers(0, 1),
    NUMBERS,
    st.sampled_from(["Done", "Won't Do", "Duplicate", "To Do"]),
    st.sampled_from(["Ann", "Bob"]),
    st.booleans(),
)
"""What people do in trackers: the ticket, its new state, who, and whether a webhook comes."""
OPERATIONS_AND_DECISIONS = st.one_of(
    OPERATIONS,
    *[DECIDE] * 6,
    *[st.tuples(st.just("rest"))] * 2,
    st.tuples(st.just("poll")),
    st.tuples(st.just("import"), FINDINGS, st.just({"Compliance": {"Status": "WARNING"}})),
)


class History:
    """Applies operations to a world."""

    def __init__(self, world):
        self.world = world
        self.pressed_although = {}
        self.deaths = 0

    def apply(self, name, *arguments):
        getattr(self, f"_{name}")(*arguments)

    def _import(self, finding_id, changes):
        self.world.import_finding(finding_id, **changes)

    def _status(self, finding_id, status):
        if finding_id in self.world.findings:
            self.world.set_status(finding_id, status)

    def _press(self, finding_id):
        if finding_id in self.world.findings:
            self.pressed_although.setdefault(finding_id, []).append(verdict(self.world.findings[finding_id]))
            self.world.press(finding_id)

    def _deliver(self, which, **disturbance):
        if self.world.queue:
            self.world.deliver(self.world.queue[which % len(self.world.queue)], **disturbance)

    def _last(self, which):
        """Deliver an event as often as it's retried: what an outage was in the way of is left to others."""
        self._deliver(which, is_last=True)

    def _die(self, which, after):
        before = len(self.world.queue)
        self._deliver(which, death_after=after)
        self.deaths += len(self.world.queue) >= before

    def _intrude(self, which, after, other):
        intruding = self.world.queue and self.world.queue[other % len(self.world.queue)]
        self._deliver(which, intrusion_after=after, intrude=lambda: self.world.deliver(intruding))

    def _again(self, which):
        if self.world.history:
            self.world.queue.append(self.world.history[which % len(self.world.history)])

    def _limit(self, tickets):
        self.world.allow(tickets)

    def _hourly(self):
        self.world.look_again()

    def _decide(self, which, number, name, by, webhook):
        tracker = self.world.trackers[which]
        if tracker.issues:
            id_ = list(tracker.issues)[number % len(tracker.issues)]
            self.world.decide(tracker, id_, name, by=by, is_open=name == "To Do", webhook=webhook)

    def _rest(self):
        """Let everything that is queued be handled, as far as it can be."""
        for queued in [*self.world.queue, *self.world.queue]:
            if queued in self.world.queue:
                self.world.deliver(queued)

    def _poll(self):
        self.world.poll()

    def _elsewhere(self, which, place):
        self.world.trackers[which].place = place

    def _down(self, which, how):
        tracker = self.world.trackers[which]
        setattr(tracker, how, not getattr(tracker, how))


def verdict(finding):
    return (
        finding["Workflow"]["Status"] in ("RESOLVED", "SUPPRESSED") and finding["Workflow"]["Status"],
        finding["Compliance"]["Status"] == "PASSED",
        finding["RecordState"] == "ARCHIVED",
    )
