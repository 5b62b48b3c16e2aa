from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from functions.remediate.allow_and_deny import AccountLists, TagLists
from functions.remediate.outcomes import FindingsNotRemediatedError, Status
from invocation.once import RememberedWork
from securityhub.events import MalformedItem, Resource
from tests.hypothesis_profiles import examples

REFUSING = "777788889999"


def statuses(summary):
    return [report.outcome.status for report in summary.reports]


def test_every_finding_is_remediated_resolved_and_told_about(run, world, new_event):
    event = new_event(3)
    summary = run(event)
    assert statuses(summary) == [Status.APPLIED] * 3
    assert summary.failures == []
    assert world.applied == ["resource/0", "resource/1", "resource/2"]
    for finding in event.findings:
        status, note = world.last_note(finding)
        assert status == "RESOLVED"
        assert note.startswith("Remediated: Closed it. ")
        assert "action/custom/Remediate pressed in 111122223333, request request-1." in note
        assert note.endswith('Before: {"open":true}')


def test_twenty_findings_in_three_accounts_of_which_one_refuses_are_done_once_or_reported(
    run, world, new_event
):
    event = new_event(20)
    world.refusing = {REFUSING}
    first = run(event)
    done = [finding.resources[0].id for finding in event.findings if finding.aws_account_id != REFUSING]
    refused = [finding for finding in event.findings if finding.aws_account_id == REFUSING]
    assert world.applied == done
    assert len(first.failures) == len(refused) == 7
    for finding in refused:
        status, note = world.last_note(finding)
        assert status is None
        assert note.startswith(f"Remediation failed: MemberRoleError: The role of {REFUSING}")

    notes = {finding_id: list(texts) for finding_id, texts in world.notes.items()}
    second = run(event)
    assert world.applied == done
    assert len(second.failures) == 7
    assert world.notes == notes

    world.refusing = set()
    assert run(event).failures == []
    assert sorted(world.applied) == sorted(finding.resources[0].id for finding in event.findings)


@given(
    trouble=st.fixed_dictionaries(
        {
            "refusing": st.sets(st.sampled_from(["444455556666", REFUSING, "111122223333"])),
            "failing": st.sets(st.sampled_from([f"resource/{number}" for number in range(12)])),
            "unwritable": st.sets(st.sampled_from([f"finding/{number}" for number in range(12)])),
        }
    )
)
@examples(0.4, suppress=[HealthCheck.function_scoped_fixture])
def test_whatever_fails_every_finding_is_done_once_or_named_and_none_is_done_again(
    run, world, new_event, trouble
):
    world.forget()
    event = new_event(12)
    vars(world).update(trouble)
    for _ in range(2):
        named = "\n".join(run(event).failures) + "\n"
        for finding in event.findings:
            resource = finding.resources[0].id
            stuck = finding.aws_account_id in world.refusing or resource in world.failing
            assert world.applied.count(resource) == (not stuck)
            assert (f"{finding.id}: " in named) == (stuck or finding.id in world.unwritable)
    world.refusing, world.failing, world.unwritable = set(), set(), set()
    assert run(event).failures == []
    assert sorted(world.applied) == sorted(finding.resources[0].id for finding in event.findings)
    assert all(world.last_note(finding)[0] == "RESOLVED" for finding in event.findings)


def test_a_finding_that_comes_twice_in_one_event_is_done_once(run, world, new_event):
    event = new_event(1)
    run(replace(event, findings=event.findings * 2))
    assert world.applied == ["resource/0"]


def test_the_note_that_is_replaced_stands_behind_the_new_one(run, world, new_event):
    event = new_event(2)
    (one, other) = event.findings
    noted = replace(one, raw={**one.raw, "Note": {"Text": "Ann is on it", "UpdatedBy": "ann"}})
    run(replace(event, findings=(noted, other)))
    assert world.last_note(one)[1].endswith(" Earlier note: Ann is on it")
    assert "Earlier note" not in world.last_note(other)[1]


def test_a_second_press_changes_nothing_and_says_so(run, world, new_event):
    event = new_event(1)
    run(event)
    (report,) = run(replace(event, event_id="another")).reports
    assert report.outcome.repeated
    assert world.applied == ["resource/0"]
    status, note = world.last_note(event.findings[0])
    assert status == "RESOLVED"
    assert note.startswith("Already done, nothing changed now. Remediated: Closed it. ")


@pytest.mark.parametrize("automatic", [False, True])
def test_what_was_opened_again_is_not_called_remediated_but_remediated_again(
    run, world, new_event, automatic
):
    event = new_event(1, automatic=automatic)
    run(event, automatic_changes=True)
    world.open.add("resource/0")
    (report,) = run(replace(event, event_id="another"), automatic_changes=True).reports
    assert (report.outcome.status, report.outcome.repeated) == (Status.APPLIED, False)
    assert world.open == set()


def test_what_was_opened_again_and_resists_is_not_resolved(run, world, new_event):
    event = new_event(1)
    run(event)
    world.open.add("resource/0")
    world.failing = {"resource/0"}
    assert statuses(run(replace(event, event_id="another"))) == [Status.FAILED]
    status, note = world.last_note(event.findings[0])
    assert status is None
    assert note.startswith("Remediation failed: ")


def test_a_finding_that_was_updated_since_is_looked_at_again(run, world, new_event):
    event = new_event(1)
    run(event)
    world.open.add("resource/0")
    (finding,) = event.findings
    run(replace(event, findings=(replace(finding, updated_at=event.time),)))
    assert world.applied == ["resource/0", "resource/0"]


def test_a_resource_that_is_as_it_should_be_is_left_alone_and_looked_at_each_time(run, world, new_event):
    event = new_event(1)
    world.open.clear()
    assert statuses(run(event)) == [Status.NOT_NEEDED]
    assert world.last_note(event.findings[0])[0] == "RESOLVED"
    world.open.add("resource/0")
    assert statuses(run(replace(event, event_id="another"))) == [Status.APPLIED]


def test_an_imported_finding_is_only_planned_for(run, world, new_event):
    event = new_event(1, automatic=True)
    assert statuses(run(event)) == [Status.PLANNED]
    assert world.applied == []
    status, note = world.last_note(event.findings[0])
    assert status is None
    assert note.startswith("Dry run, nothing changed: Close it. ")


def test_a_dry_run_resolves_nothing(run, world, new_event):
    event = new_event(1, automatic=True)
    world.open.clear()
    assert statuses(run(event)) == [Status.NOT_NEEDED]
    assert world.last_note(event.findings[0])[0] is None


@pytest.mark.parametrize("remains", ["", "Close the other one as well"])
def test_a_finding_of_which_aws_refused_a_part_stays_open(run, world, new_event, remains):
    event = new_event(1)
    world.remains, world.refused = remains, "The third one can't be closed"
    assert statuses(run(event)) == [Status.PARTIAL]
    status, note = world.last_note(event.findings[0])
    assert status is None
    left = f"{remains}. {world.refused}" if remains else world.refused
    assert note.startswith(f"Remediated in part: {left}. Closed it. ")


def test_a_finding_of_which_something_is_left_to_do_by_hand_stays_open(run, world, new_event):
    event = new_event(1)
    world.remains = "Close the other one as well"
    assert statuses(run(event)) == [Status.PARTIAL]
    status, note = world.last_note(event.findings[0])
    assert status is None
    assert note.startswith("Remediated in part: Close the other one as well. Closed it. ")
    (finding,) = event.findings
    later = replace(event, findings=(replace(finding, updated_at=event.time),), event_id="later")
    assert statuses(run(later)) == [Status.IMPOSSIBLE]
    status, note = world.last_note(event.findings[0])
    assert status is None
    assert note.startswith("Cannot be remediated: Close the other one as well. It is closed already. ")


def test_what_another_invocation_is_doing_is_tried_again_and_not_written_about(run, world, new_event):
    event, meanwhile = new_event(1), []
    world.meanwhile = lambda: meanwhile.append(run(replace(event, event_id="duplicate")))
    assert statuses(run(event)) == [Status.APPLIED]
    assert [statuses(summary) for summary in meanwhile] == [[Status.BUSY]]
    assert meanwhile[0].failures == [
        "finding/0: Another invocation is working on it. Try again when it has ended"
    ]
    assert meanwhile[0].is_busy
    assert not run(event).is_busy
    assert world.applied == ["resource/0"]
    assert [status for status, _ in world.notes["finding/0"]][:1] == ["RESOLVED"]


def test_an_imported_finding_is_remediated_where_that_is_enabled(run, world, new_event):
    assert statuses(run(new_event(1, automatic=True), automatic_changes=True)) == [Status.APPLIED]
    assert world.applied == ["resource/0"]


@pytest.mark.parametrize("trouble", ["none", "refusing"])
def test_what_a_rule_writes_to_a_finding_does_not_make_it_write_again(run, world, new_event, trouble):
    event = new_event(1, automatic=True)
    if trouble == "refusing":
        world.refusing = {"444455556666"}
    for number in range(3):
        run(replace(event, event_id=f"event-{number}"))
    assert len(world.notes["finding/0"]) == 1


UNIT, INNER = "ou-abcd-11111111", "ou-abcd-22222222"
ROOT = "r-abcd"


def accounts(*, allow=("ANY",), deny=()):
    return AccountLists(allow=frozenset(allow), deny=frozenset(deny))


def tagged(*, allow=None, deny=None):
    return TagLists(
        **{
            name: {key: frozenset(values) for key, values in (tags or {}).items()}
            for name, tags in (("allow", allow), ("deny", deny))
        }
    )


@pytest.mark.parametrize(
    ("lists", "why"),
    [
        (accounts(allow=[]), "Account 444455556666 is not on the allow list"),
        (accounts(allow=["111122223333"]), "is not on the allow list"),
        (accounts(deny=["444455556666"]), "Account 444455556666 is on the deny list"),
        (accounts(deny=["ANY"]), "Account 444455556666 is on the deny list"),
        (accounts(allow=[INNER]), "is not on the allow list, and neither is a unit above it"),
        (
            accounts(allow=[UNIT], deny=[ROOT]),
            f"Account 444455556666 is in {ROOT}, which is on the deny list",
        ),
        (accounts(allow=["444455556666"], deny=[UNIT]), f"is in {UNIT}, which is on the deny list"),
    ],
)
@pytest.mark.parametrize(
    ("action", "refused"),
    [("Remediate", Status.REFUSED), ("UndoRemediation", Status.UNDO_REFUSED)],
)
def test_an_account_is_not_touched_unless_it_is_allowed_and_not_denied(
    run, world, new_event, *, lists, why, action, refused
):
    world.containers = {"444455556666": (UNIT, ROOT)}
    event = new_event(1, action=action)
    if refused is Status.UNDO_REFUSED:
        run(new_event(1))
    applied = list(world.applied)
    summary = run(event, accounts=lists)
    assert statuses(summary) == [refused]
    assert summary.failures == []
    assert (world.applied, world.undone) == (applied, [])
    status, note = world.last_note(event.findings[0])
    assert status is None
    assert why in note


def test_a_unit_stands_for_every_account_anywhere_below(run, world, new_event):
    world.containers = {"444455556666": (INNER, UNIT, ROOT), "777788889999": (ROOT,)}
    assert statuses(run(new_event(2), accounts=accounts(allow=[UNIT]))) == [Status.APPLIED, Status.REFUSED]
    assert world.applied == ["resource/0"]


def test_an_account_that_cannot_be_looked_up_is_not_touched_and_stops_no_other(run, world, new_event):
    world.containers = {"777788889999": (UNIT, ROOT)}
    event = new_event(2)
    summary = run(event, accounts=accounts(allow=[UNIT]))
    assert statuses(summary) == [Status.FAILED, Status.APPLIED]
    assert world.applied == ["resource/1"]
    assert summary.failures == [
        "finding/0: OrganizationError: What 444455556666 belongs to could not be found out"
    ]
    world.containers["444455556666"] = (UNIT, ROOT)
    assert run(event, accounts=accounts(allow=[UNIT])).failures == []
    assert world.applied == ["resource/1", "resource/0"]


def test_nothing_is_looked_up_where_no_unit_decides(run, world, new_event):
    run(new_event(2), accounts=accounts(allow=["444455556666"]))
    run(new_event(1), accounts=accounts(allow=[UNIT], deny=["444455556666"]))
    assert world.looked_up == []
    assert world.applied == ["resource/0"]


@pytest.mark.parametrize(
    ("lists", "tags", "why"),
    [
        (tagged(deny={"keep": ["ANY"]}), {"keep": "", "team": "a"}, "resource/0 has the tag keep="),
        (tagged(deny={"team": ["b", "a"]}, allow={"team": ["a"]}), {"team": "a"}, "on the deny list"),
        (tagged(allow={"team": ["a"]}), {"team": "b"}, "resource/0 has no tag that is on the allow list"),
        (tagged(allow={"team": ["a"]}), {"Team": "a"}, "has no tag that is on the allow list"),
        (tagged(allow={"team": ["a"]}), {}, "has no tag that is on the allow list"),
        (tagged(deny={"team": ["a"]}), None, "The tags of resource/0 cannot be read"),
    ],
)
@pytest.mark.parametrize("automatic", [False, True])
def test_a_resource_is_not_touched_unless_its_tags_permit_it(
    run, world, new_event, *, lists, tags, why, automatic
):
    world.tags = {"resource/0": tags}
    summary = run(new_event(1, automatic=automatic), resource_tags=lists)
    (report,) = summary.reports
    assert report.outcome.status is Status.REFUSED
    assert why in report.outcome.description
    assert summary.failures == []
    assert (world.applied, world.kept) == ([], {})


def test_a_refusal_is_not_remembered(run, world, new_event):
    event, lists = new_event(1), tagged(allow={"team": ["a"]})
    assert statuses(run(event, resource_tags=lists)) == [Status.REFUSED]
    world.tags = {"resource/0": {"team": "a"}}
    assert statuses(run(event, resource_tags=lists)) == [Status.APPLIED]


def test_tags_that_could_not_be_read_this_time_fail_that_finding_alone(run, world, new_event):
    world.tags = {"resource/0": RuntimeError("Throttled")}
    summary = run(new_event(2), resource_tags=tagged(deny={"keep": ["ANY"]}))
    assert statuses(summary) == [Status.FAILED, Status.APPLIED]
    assert summary.failures == ["finding/0: RuntimeError: Throttled"]
    assert not summary.is_busy
    assert world.applied == ["resource/1"]


def with_reported_tags(event, tags):
    (finding,) = event.findings
    resources = ["odd", {"Id": "resource/0", "Tags": tags}, {"Id": "resource/1", "Tags": {"other": "x"}}]
    return replace(event, findings=(replace(finding, raw={**finding.raw, "Resources": resources}),))


@pytest.mark.parametrize("lists", [tagged(deny={"team": ["a"]}), tagged(allow={"team": ["a"]})])
def test_the_tags_of_the_finding_deny_but_do_not_allow(run, world, new_event, lists):
    event = with_reported_tags(new_event(1), {"team": "a"})
    assert statuses(run(event, resource_tags=lists)) == [Status.REFUSED]
    assert world.applied == []


@pytest.mark.parametrize("tags", [None, {"other": "y"}])
def test_other_tags_of_the_finding_do_not_matter(run, new_event, tags):
    event = with_reported_tags(new_event(1), tags)
    assert statuses(run(event, resource_tags=tagged(deny={"other": ["x"]}))) == [Status.APPLIED]


def test_the_tags_of_what_is_changed_decide_where_the_finding_does_not_name_it(run, world, new_event):
    inner = {"inner/0": {}, "inner/1": {"keep": "yes"}}
    world.tags_of_changed = lambda change, _: inner if change.resource == "resource/0" else {"inner/2": {}}
    world.tags = {"resource/1": {"keep": "yes"}}
    summary = run(new_event(2), resource_tags=tagged(deny={"keep": ["ANY"]}))
    assert statuses(summary) == [Status.REFUSED, Status.APPLIED]
    assert "inner/1 has the tag keep=yes" in summary.reports[0].outcome.description


def test_what_was_changed_can_be_undone_without_a_tag_that_allows_it_but_not_with_one_that_denies_it(
    run, world, new_event
):
    event = new_event(1)
    run(event)
    undo = replace(event, action_arn=event.action_arn.replace("Remediate", "UndoRemediation"))
    world.tags = {"resource/0": {"keep": "yes"}}
    assert statuses(run(undo, resource_tags=tagged(deny={"keep": ["yes"]}))) == [Status.UNDO_REFUSED]
    assert world.undone == []
    assert statuses(run(undo, resource_tags=tagged(allow={"team": ["a"]}))) == [Status.UNDONE]
    assert world.undone == ["resource/0"]


_ENTRIES = st.frozensets(st.sampled_from(["444455556666", "777788889999", UNIT, INNER, ROOT, "ANY"]))
_CHAINS = st.sampled_from([(ROOT,), (UNIT, ROOT), (INNER, UNIT, ROOT), None])
_TAGS = st.dictionaries(st.sampled_from("kt"), st.sampled_from("ab"))
_TAG_LISTS = st.dictionaries(
    st.sampled_from("kt"), st.frozensets(st.sampled_from(["a", "b", "ANY"]), min_size=1)
)


@given(
    lists=st.builds(AccountLists, allow=_ENTRIES, deny=_ENTRIES),
    tag_lists=st.builds(TagLists, allow=_TAG_LISTS, deny=_TAG_LISTS),
    chains=st.tuples(_CHAINS, _CHAINS),
    tags=st.tuples(_TAGS, _TAGS),
)
@examples(1.5, suppress=[HealthCheck.function_scoped_fixture])
def test_whatever_the_lists_only_what_is_allowed_and_not_denied_is_changed(
    run, world, new_event, *, lists, tag_lists, chains, tags
):
    world.forget()
    event = new_event(2)
    world.containers = {
        finding.aws_account_id: chain for finding, chain in zip(event.findings, chains, strict=True) if chain
    }
    world.tags = {f"resource/{number}": one for number, one in enumerate(tags)}
    run(event, accounts=lists, resource_tags=tag_lists)
    for number, finding in enumerate(event.findings):
        names = {finding.aws_account_id, "ANY", *(chains[number] or ())}
        carried = {(key, value) for key, own in tags[number].items() for value in (own, "ANY")}
        denied, allowed = (
            {(key, value) for key, values in one.items() for value in values}
            for one in (tag_lists.deny, tag_lists.allow)
        )
        permitted = (
            lists.allow & names
            and not lists.deny & names
            and not carried & denied
            and (not allowed or carried & allowed)
        )
        if chains[number] is None and lists.deny & {UNIT, INNER, ROOT}:
            permitted = False
        assert (f"resource/{number}" in world.applied) == bool(permitted)


def test_a_rule_writes_nothing_to_the_findings_of_an_account_that_is_not_allowed(run, world, new_event):
    run(new_event(1, automatic=True), accounts=accounts(allow=[]))
    assert world.notes == {}


def test_a_control_that_no_remediation_serves_is_reported_and_not_tried_again(run, world, new_event):
    event = new_event(1)
    other = (Resource(type="AwsOther", id="resource/0", region=None),)
    event = replace(event, findings=(replace(event.findings[0], resources=other),))
    summary = run(event)
    assert statuses(summary) == [Status.IMPOSSIBLE]
    assert summary.failures == []
    assert (
        "No enabled remediation serves EX.1 for resources of type AwsOther. Enable one in settings.toml, or "
        "remediate the finding manually. "
    ) in world.last_note(event.findings[0])[1]


def test_a_long_reason_gets_the_room_that_no_prior_state_needs(run, world, new_event):
    event = new_event(1)
    world.tags = {"resource/0": RuntimeError(f"{'Denied, ' * 30}so check the role.")}
    run(event, resource_tags=tagged(deny={"keep": ["ANY"]}))
    note = world.last_note(event.findings[0])[1]
    assert "Denied, so check the role. 2" in note
    assert note.endswith(", request request-1.")
    world.tags = {"resource/0": RuntimeError("Denied, " * 100)}
    run(replace(event, event_id="another"), resource_tags=tagged(deny={"keep": ["ANY"]}))
    note = world.last_note(event.findings[0])[1]
    assert (len(note), "…. 2" in note, note.endswith(", request request-1.")) == (512, True, True)


def test_a_finding_of_somebodys_product_is_reported_with_the_product(run, world, new_event):
    event = new_event(1)
    product = "arn:aws:securityhub:eu-west-1:444455556666:product/444455556666/default"
    event = replace(event, findings=(replace(event.findings[0], product_arn=product),))
    assert statuses(run(event)) == [Status.IMPOSSIBLE]
    assert f"No enabled remediation serves findings of {product}" in world.last_note(event.findings[0])[1]


def test_the_record_is_there_before_anything_changes(run, world, new_event):
    kept = []
    world.meanwhile = lambda: kept.extend(world.kept["finding/0"].items())
    run(new_event(1))
    ((name, change),) = kept
    assert (name, change.prior_state) == ("example", {"open": True})


def test_a_refused_attempt_leaves_no_record_so_that_the_next_one_saves_the_state_as_it_is_then(
    run, world, new_event
):
    event = new_event(1)
    world.failing = {"resource/0"}
    assert statuses(run(event)) == [Status.FAILED]
    assert world.kept["finding/0"] == {}
    world.failing = set()
    assert statuses(run(event)) == [Status.APPLIED]
    assert world.kept["finding/0"]["example"].prior_state == {"open": True}


def test_a_refused_attempt_keeps_the_record_of_an_attempt_that_may_have_changed_something(
    run, world, new_event
):
    def die():
        raise TimeoutError

    event, world.meanwhile = new_event(1), die
    run(event)
    world.failing = {"resource/0"}
    run(event)
    assert set(world.kept["finding/0"]) == {"example"}


def test_a_refused_attempt_about_an_updated_finding_brings_back_the_record_of_the_earlier_one(
    run, world, new_event
):
    event = new_event(1)
    run(event)
    (finding,) = event.findings
    earlier = world.kept["finding/0"]["example"]
    world.open, world.failing = {"resource/0"}, {"resource/0"}
    run(replace(event, findings=(replace(finding, updated_at=None),)))
    assert world.kept["finding/0"] == {"example": earlier}


def test_a_record_that_cannot_be_discarded_does_not_hide_why_nothing_was_changed(
    run, world, new_event, monkeypatch
):
    monkeypatch.setattr(world, "discard", lambda *_, **__: 1 / 0)
    world.failing = {"resource/0"}
    (report,) = run(new_event(1)).reports
    assert report.outcome.description == "RuntimeError: The service is in pieces"


def test_a_rule_and_a_press_do_not_change_the_resource_of_a_finding_at_the_same_time(run, world, new_event):
    event, meanwhile = new_event(1), []
    imported = replace(new_event(1, automatic=True), findings=event.findings)
    world.meanwhile = lambda: meanwhile.append(run(imported, automatic_changes=True))
    assert statuses(run(event)) == [Status.APPLIED]
    assert [statuses(summary) for summary in meanwhile] == [[Status.BUSY]]


def test_what_an_attempt_did_before_it_failed_is_told_by_the_next(run, world, new_event):
    event = new_event(1)

    def fail():
        world.open.discard("resource/0")
        raise TimeoutError

    world.meanwhile = fail
    assert statuses(run(event)) == [Status.FAILED]
    assert statuses(run(event)) == [Status.NOT_NEEDED]
    status, note = world.last_note(event.findings[0])
    assert status == "RESOLVED"
    assert note.startswith("Nothing to remediate: It is closed already, after an earlier attempt: Close it. ")
    assert note.endswith('Before: {"open":true}')
    world.remains = "Close the other one as well"
    assert statuses(run(event)) == [Status.IMPOSSIBLE]
    status, note = world.last_note(event.findings[0])
    assert status is None
    assert "It is closed already, after an earlier attempt: Close it. " in note


def test_undoing_restores_and_reopens_once(run, world, new_event):
    event = new_event(1)
    run(event)
    undo = replace(event, action_arn=event.action_arn.replace("Remediate", "UndoRemediation"))
    assert statuses(run(undo)) == [Status.UNDONE]
    assert world.open == {"resource/0"}
    assert world.last_note(event.findings[0])[0] == "NEW"
    run(replace(undo, event_id="another"))
    assert world.undone == ["resource/0"]


def test_undoing_that_stops_halfway_is_tried_again(run, world, new_event, monkeypatch):
    event = new_event(1)
    run(event)
    undo = replace(event, action_arn=event.action_arn.replace("Remediate", "UndoRemediation"))
    with monkeypatch.context() as broken:
        broken.setattr(RememberedWork, "forget", lambda *_: 1 / 0)
        assert statuses(run(undo)) == [Status.UNDO_FAILED]
    assert statuses(run(undo)) == [Status.UNDONE]
    assert world.open == {"resource/0"}
    assert world.kept == {"finding/0": {}}


def test_what_was_undone_can_be_remediated_and_undone_again(run, world, new_event):
    event = new_event(1)
    undo = replace(event, action_arn=event.action_arn.replace("Remediate", "UndoRemediation"))
    for number in range(2):
        assert statuses(run(replace(event, event_id=f"remediate-{number}"))) == [Status.APPLIED]
        assert world.open == set()
        assert statuses(run(replace(undo, event_id=f"undo-{number}"))) == [Status.UNDONE]
        assert world.open == {"resource/0"}
    assert world.last_note(event.findings[0])[1].startswith("Remediation undone: ")


def test_a_rule_leaves_alone_what_was_undone_until_the_finding_is_updated(run, world, new_event):
    event = new_event(1, automatic=True)
    (finding,) = event.findings
    pressed = replace(new_event(1), findings=(finding,))
    run(pressed)
    run(replace(pressed, action_arn=pressed.action_arn.replace("Remediate", "UndoRemediation")))
    notes = list(world.notes[finding.id])

    run(event, automatic_changes=True)

    assert world.open == {"resource/0"}
    assert world.notes[finding.id] == notes
    updated = replace(event, findings=(replace(finding, updated_at=event.time),), time=pressed.time)
    assert statuses(run(updated, automatic_changes=True)) == [Status.APPLIED]


def test_a_rule_does_not_resolve_what_it_remediated_itself_and_was_undone(run, world, new_event):
    event = new_event(2, automatic=True)
    (finding, _) = event.findings
    run(event, automatic_changes=True)
    run(replace(new_event(1, action="UndoRemediation"), findings=(finding,)))
    assert world.open == {"resource/0"}

    # Undoing has updated the finding, which is another event, and this time of one finding.
    alone = replace(event, findings=(finding,), event_id="another")
    assert statuses(run(alone, automatic_changes=True)) == [Status.UNDONE]

    assert world.open == {"resource/0"}
    assert world.last_note(finding)[0] == "NEW"


def test_a_rule_deletes_no_record_of_what_was_remediated_again(run, world, new_event):
    event = new_event(1)
    undo = replace(event, action_arn=event.action_arn.replace("Remediate", "UndoRemediation"))
    run(event)
    run(undo)
    run(replace(event, event_id="again"))
    run(replace(new_event(1, automatic=True), findings=event.findings), automatic_changes=True)
    assert set(world.kept["finding/0"]) == {"example"}
    assert statuses(run(replace(undo, event_id="again"))) == [Status.UNDONE]


def test_a_record_of_a_remediation_that_does_not_serve_the_finding_is_not_undone(run, world, new_event):
    event = new_event(1)
    run(event)
    another = replace(world.services.remediations["example"], name="another", control_ids=("EX.2",))
    world.others["another"] = another
    world.kept["finding/0"] = {"another": world.kept["finding/0"]["example"]}
    undo = replace(event, action_arn=event.action_arn.replace("Remediate", "UndoRemediation"))
    assert statuses(run(undo)) == [Status.CANNOT_UNDO]
    assert world.undone == []
    assert "does not serve this finding" in world.last_note(event.findings[0])[1]


@pytest.mark.parametrize("denied", [False, True])
def test_where_nothing_was_changed_an_undo_has_not_failed(run, world, new_event, denied):
    event = new_event(1, action="UndoRemediation")
    accounts = AccountLists(allow=frozenset() if denied else frozenset({"ANY"}), deny=frozenset())
    summary = run(event, accounts=accounts)
    assert (statuses(summary), summary.not_undone) == ([Status.NOTHING_TO_UNDO], {})
    assert "There is no record of a remediation" in world.last_note(event.findings[0])[1]
    assert world.applied == []


def with_note(event, text):
    (finding,) = event.findings
    note = {"Text": text, "UpdatedBy": "anyone", "UpdatedAt": "2026-01-31T09:02:40Z"}
    return replace(event, findings=(replace(finding, raw=finding.raw | {"Note": note}),))


def test_an_undo_has_failed_where_the_record_of_a_remediation_is_gone(run, world, new_event):
    event = new_event(1)
    for repeated in ("first", "second"):
        run(replace(event, event_id=repeated))
    world.kept.clear()
    undo = new_event(1, action="UndoRemediation")
    for _, note in list(world.notes["finding/0"]):
        summary = run(with_note(undo, note))
        assert statuses(summary) == [Status.CANNOT_UNDO]
        assert "no longer a record" in summary.not_undone["finding/0"]
    note = world.last_note(event.findings[0])[1]
    assert note.startswith("Cannot be undone: ")
    assert run(with_note(replace(undo, event_id="later"), note)).not_undone


def test_undoing_a_second_time_has_not_failed_whether_or_not_the_first_is_remembered(run, world, new_event):
    run(new_event(1))
    undo = new_event(1, action="UndoRemediation")
    run(undo)
    assert run(replace(undo, event_id="another")).not_undone == {}
    world.store.items.clear()
    summary = run(with_note(replace(undo, event_id="later"), world.notes["finding/0"][-1][1]))
    assert (statuses(summary), summary.not_undone) == ([Status.NOTHING_TO_UNDO], {})


def test_an_undo_that_is_refused_or_fails_has_left_what_was_to_be_undone(run, world, new_event):
    run(new_event(1))
    undo = new_event(1, action="UndoRemediation")
    denied = AccountLists(allow=frozenset(), deny=frozenset())
    assert statuses(run(undo, accounts=denied)) == [Status.UNDO_REFUSED]
    assert world.last_note(undo.findings[0])[1].startswith("Undo not allowed, nothing changed: ")
    world.refusing = {undo.findings[0].aws_account_id}
    summary = run(undo)
    assert statuses(summary) == [Status.UNDO_FAILED]
    assert set(summary.not_undone) == {"finding/0"}
    assert summary.failures
    assert world.last_note(undo.findings[0])[1].startswith("Undo failed: MemberRoleError")
    world.refusing = set()
    assert run(undo).not_undone == {}
    assert [(kind, result) for kind, result, _ in world.told[1:]] == [
        ("undo", "refused"),
        ("undo", "failed"),
        ("undo", "done"),
    ]


def test_a_remediation_that_fails_is_no_undo_that_failed(run, world, new_event):
    world.failing = {"resource/0"}
    summary = run(new_event(1))
    assert summary.failures
    assert summary.not_undone == {}


def test_a_malformed_finding_is_reported_and_stops_no_other(run, world, new_event):
    malformed = MalformedItem(index=1, id="odd", reason="$.detail.findings[1].ProductArn must be there")
    summary = run(replace(new_event(1), malformed_findings=(malformed,)))
    assert world.applied == ["resource/0"]
    assert summary.failures == ["odd: $.detail.findings[1].ProductArn must be there"]


def test_the_error_names_every_failure(run, world, new_event):
    world.failing = {"resource/1"}
    error = FindingsNotRemediatedError(run(new_event(2)))
    assert str(error) == "1 failure(s). finding/1: RuntimeError: The service is in pieces"


def test_a_note_with_a_large_prior_state_says_where_it_is(run, world, new_event, monkeypatch):
    event = new_event(1)
    plan = world.plan
    monkeypatch.setattr(
        world, "plan", lambda *given: replace(plan(*given), prior_state={"rules": ["x" * 100] * 10})
    )
    run(event)
    assert world.last_note(event.findings[0])[1].endswith("Before: s3://records/finding/0/example")


def test_a_finding_whose_region_is_unknown_is_left_to_a_person(run, world, new_event):
    event = new_event(1)
    (finding,) = event.findings
    world.open = {resource.id for resource in finding.resources}
    summary = run(replace(event, findings=(replace(finding, region=""),)))
    (report,) = summary.reports
    assert report.outcome.status == Status.IMPOSSIBLE
    assert "names no Region" in report.outcome.description
    assert world.policies == []
