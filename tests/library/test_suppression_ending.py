"""What ends suppressions, against a Security Hub in memory."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securityhub_actions.suppression_handler.ending import Notices, end_suppressions
from securityhub_actions.suppression_handler.model import (
    MATCHED_AT_ONCE,
    Found,
    NotUpdated,
    RefusedError,
    Rule,
)
from securityhub_actions.suppression_handler.suppressions import Suppressions
from tests.hypothesis_profiles import examples

MARKERS = "securityhub-actions/eu-west-1/Stack/"
RULES = {key: f"arn:aws:securityhub:eu-west-1:111122223333:automation-rule/{key}" for key in "abc"}
TOPIC = "arn:aws:sns:eu-west-1:111122223333:Notices"
AUTHOR = "arn:aws:lambda:eu-west-1:111122223333:function:End"


class CrashError(BaseException):
    """The end of the process, which nothing handles."""


@dataclass
class FakeFinding:
    status: str = "SUPPRESSED"
    author: str = f"{MARKERS}a"
    note: str = "Accepted"
    is_settled: bool = False


@dataclass
class FakeHub:
    """Security Hub with its findings and rules, and how many more calls succeed before a crash."""

    findings: dict = field(default_factory=dict)
    enabled: set = field(default_factory=lambda: set(RULES.values()))
    calls_left: int = 10_000
    description: str = "Suppresses findings until 2027-03-31: Why"
    marks: dict = field(default_factory=lambda: {arn: f"{MARKERS}{key}.now" for key, arn in RULES.items()})
    """What each rule writes."""
    unmatched: set = field(default_factory=set)
    """The IDs of findings that the filters don't match."""
    refused: dict = field(default_factory=dict)
    """By the ID of a finding, the reasons that its next updates fail for, each with whether to try again."""

    def _call(self):
        self.calls_left -= 1
        if self.calls_left < 0:
            raise CrashError

    def description_if_enabled(self, rule_arn):
        self._call()
        return self.description if rule_arn in self.enabled else None

    def disable(self, rule_arn):
        self._call()
        self.enabled.discard(rule_arn)

    def rule(self, rule_arn):
        self._call()
        if rule_arn not in self.marks:
            raise LookupError(f"no {rule_arn}")
        return Rule(marker=self.marks[rule_arn], criteria={"of": rule_arn})

    def matching(self, findings, criteria):
        self._call()
        assert criteria["of"] in self.marks
        assert 1 <= len(findings) <= MATCHED_AT_ONCE
        return [one for one in findings if one.identity not in self.unmatched]

    def mark(self, findings, *, note, marker):
        self._call()
        assert 1 <= len(findings) <= 100
        for found in findings:
            self.findings[found.identity] = FakeFinding("SUPPRESSED", marker, note, found.is_settled)
        return []

    def suppressed(self, markers, except_marked):
        for identity, finding in list(self.findings.items()):
            self._call()
            marked = finding.author.removeprefix(markers)
            # All but the first that may be left out isn't, as where there are too many.
            if finding.status == "SUPPRESSED" and marked not in {finding.author, *except_marked[:1]}:
                key, _, digest = marked.partition(".")
                yield Found(
                    identity=identity,
                    key=key,
                    digest=digest,
                    note=finding.note,
                    is_settled=finding.is_settled,
                )

    def reopen(self, findings, *, note, author, is_settled):
        self._call()
        assert 1 <= len(findings) <= 100
        failed = []
        for found in findings:
            reasons = self.refused.get(found.identity, [])
            if reasons:
                reason, is_retryable = reasons.pop(0)
                failed.append(NotUpdated(found=found, reason=reason, is_retryable=is_retryable))
                continue
            status = "RESOLVED" if is_settled else "NEW"
            self.findings[found.identity] = FakeFinding(status, author, note, found.is_settled)
        return failed

    def statuses(self):
        return {identity: finding.status for identity, finding in self.findings.items()}


def event(now="2027-03-31T00:00:00Z", keys="a", topic=TOPIC, hub="cspm", digest="now"):
    suppressions = [
        {
            "key": key,
            "name": f"Stack/{key}",
            "hub": hub,
            "rule": RULES[key],
            "reason": "Why",
            "topic": topic,
            **({"digest": digest} if digest else {}),
        }
        for key in keys
    ]
    return {"scheduledTime": now, "suppressions": suppressions}


def run(hub, given=None, *, in_force="a:20270331", publish=None, has_time=lambda: True, reads=lambda: True):
    sent = []

    def keep(*message):
        sent.append(message)

    outcome = end_suppressions(
        Suppressions.parse(given or event(), {"MARKERS": MARKERS, "IN_FORCE": in_force}),
        hubs={"cspm": hub},
        notices=Notices(publish or keep),
        author=AUTHOR,
        has_time=has_time,
        has_time_to_read=reads,
        sleep=lambda _: None,
    )
    return outcome, sent


def test_on_its_day_a_suppression_is_disabled_and_what_it_suppressed_is_open_again():
    hub = FakeHub({"1": FakeFinding()})
    outcome, sent = run(hub)
    assert (outcome.ended, outcome.failures) == (["Stack/a"], [])
    assert hub.enabled == {RULES["b"], RULES["c"]}
    assert hub.findings["1"] == FakeFinding("NEW", AUTHOR, "The suppression has ended. It was: Accepted")
    assert [(topic, subject) for topic, subject, _ in sent] == [
        (TOPIC, "Suppression Stack/a has ended"),
        (TOPIC, "1 finding is open again"),
    ]
    assert "synthesis fails" in sent[0][2]
    assert sent[1][2].endswith("RESOLVED.")


def test_until_that_day_nothing_happens():
    hub = FakeHub({"1": FakeFinding()})
    outcome, sent = run(hub, event("2027-03-30T23:00:00Z"))
    assert (outcome.ended, outcome.told, sent) == ([], [], [])
    assert hub.statuses() == {"1": "SUPPRESSED"}
    assert RULES["a"] in hub.enabled


@pytest.mark.parametrize(
    ("now", "told"),
    [
        ("2027-03-16T23:00:00Z", []),
        ("2027-03-17T00:00:00Z", ["Stack/a"]),
        ("2027-03-17T01:00:00Z", []),
        ("2027-03-30T00:00:00Z", []),
    ],
)
def test_the_topic_is_told_once_two_weeks_before(now, told):
    outcome, sent = run(FakeHub(), event(now))
    assert outcome.told == told
    assert [subject for _, subject, _ in sent] == ["Suppression Stack/a ends on 2027-03-31" for _ in told]


def test_a_suppression_without_a_topic_ends_as_well():
    hub = FakeHub({"1": FakeFinding()})
    outcome, sent = run(hub, event(topic=None))
    assert (outcome.ended, sent) == (["Stack/a"], [])


def test_what_is_settled_is_resolved_so_that_it_opens_when_it_fails_again():
    hub = FakeHub({"1": FakeFinding(is_settled=True), "2": FakeFinding()})
    outcome, _ = run(hub)
    assert hub.statuses() == {"1": "RESOLVED", "2": "NEW"}
    assert (outcome.settled, outcome.reopened) == (Counter(a=1), Counter(a=1))


@pytest.mark.parametrize(
    "changed",
    [
        {"author": "analyst"},
        {"author": "securityhub-actions/eu-west-1/Other/a"},
        {"author": "securityhub-actions/us-east-1/Stack/a"},
        {"status": "NOTIFIED"},
        {"status": "RESOLVED"},
    ],
)
def test_what_a_person_or_another_stack_decided_stays(changed):
    hub = FakeHub({"1": FakeFinding(**changed)})
    run(hub)
    assert hub.findings["1"] == FakeFinding(**changed)


def test_a_person_who_suppresses_it_again_keeps_it_suppressed():
    hub = FakeHub({"1": FakeFinding()})
    run(hub)
    hub.findings["1"].status = "SUPPRESSED"
    run(hub)
    assert hub.statuses() == {"1": "SUPPRESSED"}


def test_findings_of_suppressions_that_are_gone_or_disabled_are_opened_and_others_stay():
    hub = FakeHub({key: FakeFinding(author=MARKERS + key) for key in "abcd"})
    outcome, sent = run(hub, event("2027-01-01T05:00:00Z", "ab"), in_force="a:20270331,b:20270401,c")
    assert hub.statuses() == {"a": "SUPPRESSED", "b": "SUPPRESSED", "c": "SUPPRESSED", "d": "NEW"}
    assert outcome.reopened == Counter(d=1)
    assert "which is disabled or no longer in the code, had suppressed is open again" in sent[0][2]


def test_an_event_that_comes_late_ends_nothing_that_was_extended_or_removed_since():
    hub = FakeHub({"1": FakeFinding()})
    outcome, sent = run(hub, event(keys="ab"), in_force="a:20280101")
    assert (outcome.ended, sent) == ([], [])
    assert hub.statuses() == {"1": "SUPPRESSED"}
    assert hub.enabled == set(RULES.values())


def test_a_description_that_somebody_wrote_keeps_no_suppression_from_ending():
    outcome, _ = run(FakeHub(description="Ours, until 2028-03-31"))
    assert outcome.ended == ["Stack/a"]


@pytest.mark.parametrize("end", ["until 2028-03-31", "without end"])
def test_an_invocation_that_began_before_a_deployment_extended_a_suppression_leaves_it_alone(end):
    hub = FakeHub({"1": FakeFinding()}, description=f"Suppresses findings {end}: Why")
    outcome, sent = run(hub)
    assert (outcome.ended, sent, hub.statuses()) == ([], [], {"1": "SUPPRESSED"})
    assert RULES["a"] in hub.enabled


def test_thousands_of_findings_are_opened_in_batches_and_time_is_respected():
    hub = FakeHub({str(one): FakeFinding(note=f"n{one % 2}") for one in range(2_500)})
    steps = iter([True] * 2_510)
    outcome, _ = run(hub, has_time=lambda: next(steps, False))
    assert not outcome.finished
    assert 0 < sum(outcome.reopened.values()) < 2_500
    outcome, _ = run(hub)
    assert outcome.finished
    assert set(hub.statuses().values()) == {"NEW"}


def test_however_slowly_findings_are_read_those_that_were_are_opened():
    hub = FakeHub({str(one): FakeFinding() for one in range(2_500)}, calls_left=100_000)
    outcomes = [run(hub, reads=lambda: False)[0] for _ in range(25)]
    assert [sum(one.reopened.values()) for one in outcomes] == [100] * 25
    assert (outcomes[0].finished, set(hub.statuses().values())) == (False, {"NEW"})


def test_what_was_read_before_security_hub_refused_to_be_read_is_opened():
    class Throttling(FakeHub):
        def suppressed(self, markers, except_marked):
            for number, found in enumerate(super().suppressed(markers, except_marked)):
                if number == 150:
                    raise RuntimeError("Too many requests")
                yield found

    hub = Throttling({str(one): FakeFinding() for one in range(200)})
    outcome, _ = run(hub)
    assert outcome.left == ["findings of cspm: RuntimeError: Too many requests"]
    assert outcome.reopened == Counter(a=150)


def test_a_batch_that_is_refused_keeps_no_other_from_being_opened():
    class Refusing(FakeHub):
        def reopen(self, findings, **arguments):
            if findings[0].identity == "0":
                raise RuntimeError("Too many requests")
            return super().reopen(findings, **arguments)

    outcome, _ = run(Refusing({str(one): FakeFinding() for one in range(250)}))
    assert outcome.left == ["findings of cspm: RuntimeError: Too many requests"]
    assert outcome.reopened == Counter(a=150)


def test_a_finding_for_which_a_whole_request_is_refused_keeps_no_other_hidden():
    class Refusing(FakeHub):
        def reopen(self, findings, **arguments):
            if any(one.identity == "7" for one in findings):
                raise RefusedError("InvalidInputException: not this one")
            return super().reopen(findings, **arguments)

    hub = Refusing({str(one): FakeFinding() for one in range(100)})
    outcome, _ = run(hub)
    assert outcome.left == ["finding 7: InvalidInputException: not this one"]
    assert outcome.reopened == Counter(a=99)
    assert [one for one, status in hub.statuses().items() if status == "SUPPRESSED"] == ["7"]


def test_a_note_is_not_longer_than_security_hub_allows_however_it_counts():
    hub = FakeHub({"1": FakeFinding(note="\N{PARTY POPPER}" * 256)})
    run(hub)
    note = hub.findings["1"].note
    assert 500 < len(note.encode("utf-16-le")) // 2 <= 512
    assert note.endswith("\N{PARTY POPPER}")


def test_the_error_names_as_many_failures_as_a_dead_letter_has_room_for():
    hub = FakeHub({str(one): FakeFinding() for one in range(1_025)})
    hub.refused = {identity: [("InvalidInput", False)] for identity in hub.findings}
    outcome, _ = run(hub)
    assert outcome.left_over.endswith("finding 19: InvalidInput; and 1,005 more")


def test_what_may_work_later_is_tried_again_and_the_rest_is_reported_without_keeping_others_waiting():
    hub = FakeHub({str(one): FakeFinding() for one in range(3)})
    hub.refused = {"0": [("busy", True), ("busy", True)], "1": [("InvalidInput: too large", False)]}
    outcome, _ = run(hub)
    assert hub.statuses() == {"0": "NEW", "1": "SUPPRESSED", "2": "NEW"}
    assert outcome.left == ["finding 1: InvalidInput: too large"]
    assert outcome.reopened == Counter(a=2)


BEFORE = "2027-01-01T00:00:00Z"


def changed(**more):
    """A hub with findings of an earlier filter, of the present one, and of an earlier version's markers."""
    findings = {
        "earlier": FakeFinding(author=f"{MARKERS}a.old"),
        "earlier and now": FakeFinding(author=f"{MARKERS}a.old", note="Ticket SEC-1"),
        "now": FakeFinding(author=f"{MARKERS}a.now"),
        "version": FakeFinding(author=f"{MARKERS}a"),
        "version and now": FakeFinding(author=f"{MARKERS}a"),
    }
    # What bears the present marker stays, even if its provider has changed it since.
    return FakeHub(findings, unmatched={"earlier", "now", "version"}, **more)


def test_what_an_earlier_filter_suppressed_is_open_again_unless_the_present_one_matches_it():
    hub = changed()
    outcome, sent = run(hub, event(BEFORE))
    assert hub.statuses() == {
        "earlier": "NEW",
        "earlier and now": "SUPPRESSED",
        "now": "SUPPRESSED",
        "version": "NEW",
        "version and now": "SUPPRESSED",
    }
    assert hub.findings["earlier"].author == AUTHOR
    assert hub.findings["earlier"].note.startswith("The filter of the suppression has changed")
    kept = FakeFinding(author=f"{MARKERS}a.now", note="Ticket SEC-1")
    assert hub.findings["earlier and now"] == kept
    assert (outcome.reopened, outcome.kept, outcome.left) == (Counter(a=2), Counter(a=2), [])
    ((_, subject, body),) = sent
    assert subject == "2 findings are open again"
    assert body.endswith("Its filter has changed, and no longer matches them.")
    again, _ = run(hub, event(BEFORE))
    assert (again.reopened, again.kept) == (Counter(), Counter())


def test_what_is_settled_when_its_filter_changes_is_resolved():
    hub = FakeHub({"1": FakeFinding(author=f"{MARKERS}a.old", is_settled=True)}, unmatched={"1"})
    run(hub, event(BEFORE))
    assert hub.statuses() == {"1": "RESOLVED"}


def test_a_suppression_without_end_opens_what_its_earlier_filter_suppressed():
    hub = FakeHub({"1": FakeFinding(author=f"{MARKERS}a.old")}, unmatched={"1"})
    run(hub, event(BEFORE), in_force="a")
    assert hub.statuses() == {"1": "NEW"}


@pytest.mark.parametrize(
    ("given", "marks"),
    [
        pytest.param(event(BEFORE), f"{MARKERS}a.old", id="the deployment hasn't changed the rule yet"),
        pytest.param(event(BEFORE), f"{MARKERS}a", id="nor from what an earlier version wrote"),
        pytest.param(event(BEFORE, digest="old"), f"{MARKERS}a.now", id="the event is older than the rule"),
        pytest.param(event(BEFORE, digest=None), f"{MARKERS}a.now", id="the event is an earlier version's"),
        pytest.param(event(BEFORE, keys=""), f"{MARKERS}a.now", id="which named only what ends"),
    ],
)
def test_while_a_deployment_changes_a_filter_nothing_is_opened(given, marks):
    hub = changed(marks={RULES["a"]: marks})
    before = dict(hub.findings)
    outcome, _ = run(hub, given)
    assert hub.findings == before
    assert outcome.left == []


def test_findings_of_a_rule_that_cannot_be_read_stay_and_are_left_to_the_next_hour():
    hub = changed(marks={})
    before = dict(hub.findings)
    outcome, _ = run(hub, event(BEFORE))
    assert hub.findings == before
    assert outcome.left == [f"Stack/a: LookupError: no {RULES['a']}"]
    assert not outcome.finished


def test_what_was_sorted_out_before_security_hub_refused_is_done():
    class Throttling(FakeHub):
        asked = 0

        def matching(self, findings, criteria):
            self.asked += 1
            if self.asked > 2:
                raise RuntimeError("Too many requests")
            return super().matching(findings, criteria)

    findings = {str(one): FakeFinding(author=f"{MARKERS}a.old") for one in range(100)}
    hub = Throttling(findings, unmatched=set(findings))
    outcome, _ = run(hub, event(BEFORE))
    assert (outcome.reopened, outcome.finished) == (Counter(a=40), False)
    assert outcome.left == ["Stack/a: RuntimeError: Too many requests"]


def test_however_slowly_filters_are_compared_some_findings_are_sorted_out_in_each_hour():
    findings = {str(one): FakeFinding(author=f"{MARKERS}a.old") for one in range(50)}
    hub = FakeHub(findings, unmatched={"7", "49"})
    outcomes = [run(hub, event(BEFORE), reads=lambda: False)[0] for _ in range(4)]
    assert [sum((one.reopened + one.kept).values()) for one in outcomes] == [20, 20, 10, 0]
    assert [one.finished for one in outcomes] == [False, False, True, True]
    assert [one for one, status in hub.statuses().items() if status == "NEW"] == ["7", "49"]


@pytest.mark.parametrize(("now", "status"), [("2027-03-31T05", "SUPPRESSED"), ("2027-04-01T00", "NEW")])
def test_whether_a_suppression_was_just_extended_may_be_unknown_for_a_day(now, status):
    class Unreadable(FakeHub):
        def description_if_enabled(self, rule_arn):  # noqa: ARG002 - of any rule
            raise RuntimeError("Too many requests")

    hub = Unreadable({"1": FakeFinding(author=f"{MARKERS}a.now")})
    outcome, _ = run(hub, event(f"{now}:00:00Z"))
    assert hub.statuses() == {"1": status}
    assert outcome.left == ["Stack/a: RuntimeError: Too many requests"]


def broken(*_):
    raise RuntimeError("no such topic")


def test_a_broken_topic_is_a_failure_and_delays_the_end_by_a_day_at_most():
    hub = FakeHub({"1": FakeFinding()})
    outcome, _ = run(hub, publish=broken)
    assert outcome.ended == []
    assert "Stack/a: RuntimeError: no such topic" in outcome.left
    assert RULES["a"] in hub.enabled
    outcome, _ = run(hub, event("2027-04-01T00:00:00Z"), publish=broken)
    assert outcome.ended == ["Stack/a"]
    assert outcome.left
    assert RULES["a"] not in hub.enabled


def test_a_rule_that_cannot_be_disabled_keeps_no_other_from_ending():
    class Refusing(FakeHub):
        def disable(self, rule_arn):
            if rule_arn == RULES["a"]:
                raise RuntimeError("not allowed")
            super().disable(rule_arn)

    hub = Refusing()
    outcome, _ = run(hub, event(keys="ab"), in_force="a:20270331,b:20270331")
    assert (outcome.ended, len(outcome.left)) == (["Stack/b"], 1)


@examples(2)
@given(
    crashes=st.lists(st.integers(0, 40), max_size=5),
    findings=st.dictionaries(
        st.integers(0, 30).map(str),
        st.builds(
            FakeFinding,
            st.sampled_from(["SUPPRESSED", "NEW", "NOTIFIED", "RESOLVED"]),
            st.sampled_from(
                [
                    *(f"{MARKERS}a", f"{MARKERS}a.now", f"{MARKERS}b", f"{MARKERS}b.old", f"{MARKERS}b.now"),
                    *(f"{MARKERS}gone", f"{MARKERS}gone.now", "analyst"),
                ]
            ),
            st.sampled_from(["x", "y"]),
            st.booleans(),
        ),
    ),
)
def test_however_often_it_crashes_the_end_is_the_same_and_was_told(crashes, findings):
    def copy():
        hub = FakeHub({key: FakeFinding(**vars(one)) for key, one in findings.items()})
        hub.unmatched = {key for key in findings if int(key) % 2}
        return hub

    undisturbed = copy()
    run(undisturbed, event(keys="ab"), in_force="a:20270331,b")
    hub, sent = copy(), []
    for calls in [*crashes, 10_000]:
        hub.calls_left = calls
        try:
            run(
                hub,
                event(keys="ab"),
                in_force="a:20270331,b",
                publish=lambda *message: sent.append(message),
            )
        except CrashError:
            continue
    assert hub.findings == undisturbed.findings
    assert hub.enabled == undisturbed.enabled == {RULES["b"], RULES["c"]}
    assert "Suppression Stack/a has ended" in [subject for _, subject, _ in sent]
    for key, before in findings.items():
        if before.author in {"analyst", f"{MARKERS}b.now"} or before.status != "SUPPRESSED":
            assert hub.findings[key] == before


def test_subjects_are_what_sns_takes():
    sent = []
    Notices(lambda *message: sent.append(message)).send(TOPIC, "Ünd\n" + "x" * 200, "a", "b")
    ((_, subject, body),) = sent
    assert (subject, body) == ("?nd " + "x" * 95, "a\nb")


def test_an_event_without_a_time_is_an_error():
    with pytest.raises(ValueError, match="isoformat"):
        Suppressions.parse({"suppressions": []}, {"MARKERS": MARKERS, "IN_FORCE": ""})


def test_the_days_of_suppressions_are_read():
    found = Suppressions.parse(event(keys=""), {"MARKERS": MARKERS, "IN_FORCE": "a:20270331,b"})
    assert found.until == {"a": date(2027, 3, 31), "b": date.max}
