"""Findings that share tickets, what the tickets are to list, and random histories of them."""

from __future__ import annotations

from hypothesis import strategies as st

from functions.tickets.entry import State
from functions.tickets.group_records import GroupState
from functions.tickets.grouping import GroupBy
from tests.ticket_histories import NUMBERS, History, operations_on

# Two of one control and account, one of another account, and one of another control, which is about the
# resource of the first, as another Region sees it.
FINDINGS = {
    "A": ("S3.8", "111122223333", "eu-west-1", "bucket-A"),
    "B": ("S3.8", "111122223333", "eu-west-1", "bucket-B"),
    "C": ("S3.8", "444455556666", "eu-west-1", "bucket-C"),
    "D": ("S3.5", "111122223333", "eu-central-1", "bucket-A"),
}

KINDS = [by.value for by in GroupBy if by is not GroupBy.FINDING]
"""What findings can have in common that share a ticket."""

OPERATIONS_ON_GROUPS = (
    *operations_on(st.sampled_from([*FINDINGS])),
    st.tuples(st.just("refresh"), NUMBERS),
    st.tuples(st.just("last_refresh"), NUMBERS),
    st.tuples(st.just("die_refreshing"), NUMBERS, NUMBERS),
    st.tuples(st.just("intrude_refreshing"), NUMBERS, NUMBERS, NUMBERS),
)
"""What happens in every kind of history in which findings share tickets."""


def import_(world, finding_id, **changes):
    """Import a finding of those above."""
    default = ("S3.8", "111122223333", "eu-west-1", finding_id)
    control, account, region, bucket = FINDINGS.get(finding_id, default)
    fields = {
        "Region": region,
        "GeneratorId": f"security-control/{control}",
        "AwsAccountId": account,
        "Resources": [{"Type": "AwsS3Bucket", "Id": f"arn:aws:s3:::{bucket}"}],
        "Title": f"Finding {finding_id}",
    }
    world.import_finding(finding_id, **fields, **changes)


def begin_with(world, finding_ids):
    """Forget everything, and begin again with a group whose ticket lists these findings."""
    world.forget()
    world.group("control")
    for finding_id in finding_ids:
        import_(world, finding_id)
    world.settle()


def lines(issue):
    """The lines about open findings."""
    text = issue.text.splitlines()
    start = next(number for number, line in enumerate(text) if line.startswith("Open: "))
    return text[start + 1 :]


def listed(issue):
    return {one for one in FINDINGS if any(is_about(line, one) for line in lines(issue))}


def is_about(line, finding_id):
    _, account, region, bucket = FINDINGS[finding_id]
    return line.endswith((f" {account} {region} arn:aws:s3:::{bucket}", f" Finding {finding_id}"))


PEOPLE = ("Ann", "Ann Lee", "Bob")


def assert_as_it_should_be(world):
    """Each finding that needs a ticket is in the one open ticket of its group, and nothing else is in one."""
    for tracker in world.trackers:
        of_open = {}
        for (digest, name), entry in world.tickets.entries.items():
            if name != tracker.name:
                continue
            finding_id = world.tickets.findings[digest].id
            assert entry.state in (State.OPEN, State.RESOLVED, State.HELD)
            if entry.state is State.OPEN:
                of_open.setdefault(entry.ticket.id, set()).add(finding_id)
                if entry.group is None:
                    assert tracker.issues[entry.ticket.id].finding_id == finding_id
        current = {
            one.ticket.id
            for (_, name), one in world.groups.tickets.items()
            if name == tracker.name and one.ticket
        }
        # What a person has closed stays the ticket of its findings until another finding comes.
        ended = {
            id_ for id_ in current if not tracker.issues[id_].is_open and tracker.issues[id_].by in PEOPLE
        }
        open_issues = {
            id_: one
            for id_, one in tracker.issues.items()
            # What a person has reopened stays open beside the one that followed it.
            if one.is_open and (id_ in of_open or not one.was_reopened)
        }
        assert open_issues.keys() == of_open.keys() - ended
        for id_, issue in open_issues.items():
            # Without a hint, a ticket that was reopened is brought up to date with the next change.
            if "Open: " in issue.text and (world.meanings or not issue.was_reopened):
                assert listed(issue) == of_open[id_]
                assert issue.title.startswith(f"[{severity_of(world, of_open[id_])}]")
            for finding_id in of_open[id_]:
                assert f" {id_} " in world.findings[finding_id]["UserDefinedFields"]["Tickets"]
        states = {one.state for (_, name), one in world.groups.tickets.items() if name == tracker.name}
        assert states <= {GroupState.OPEN, GroupState.CLOSED, GroupState.ENDED}
    assert world.groups.pending() == []


def severity_of(world, finding_ids):
    order = ["CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL"]
    return min((world.findings[one]["Severity"]["Label"] for one in finding_ids), key=order.index)


class GroupHistory(History):
    """Applies operations to a world in which findings share tickets."""

    def _import(self, finding_id, changes):
        if finding_id in self.world.findings:
            self.world.import_finding(finding_id, **changes)
        else:
            import_(self.world, finding_id, **changes)

    def _refresh(self, which, **disturbance):
        if self.world.refreshes.messages:
            self.deaths += not self.world.refresh(which, **disturbance)

    def _last_refresh(self, which):
        self._refresh(which, is_last=True)

    def _die_refreshing(self, which, after):
        self._refresh(which, death_after=after)

    def _intrude_refreshing(self, which, after, other):
        def intrude():
            if self.world.queue:
                self.world.deliver(self.world.queue[other % len(self.world.queue)])

        self._refresh(which, intrusion_after=after, intrude=intrude)

    def _lose(self, which):
        if self.world.refreshes.messages:
            # A message about one finding goes to the dead-letter queue, and comes back from there.
            which %= len(self.world.refreshes.messages)
            if len(self.world.refreshes.messages[which]) == 3:
                self.world.refreshes.messages.pop(which)

    def _regroup(self, by):
        self.world.group(by)
