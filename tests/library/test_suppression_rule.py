from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from aws_cdk import App, Environment, Stack, assertions
from aws_cdk import aws_s3 as s3

from securityhub_actions import FindingFilter, OcsfFindingFilter, SuppressionRule
from securityhub_actions.filters import Exists, Numeric, Wildcard
from securityhub_actions.suppression_rule import TODAY, digest_of, marker_of

V1, V2 = "AWS::SecurityHub::AutomationRule", "AWS::SecurityHub::AutomationRuleV2"
BUCKET = FindingFilter(control_ids=["S3.2"], resource_id="arn:aws:s3:::www.example.com")
BUCKET_V2 = OcsfFindingFilter(control_ids=["S3.2"], resource_id="www.example.com")
REASON = "The bucket hosts the public website"
UNTIL = date(2027, 3, 31)


def new_stack(today="2027-01-01", name="Stack"):
    app = App(analytics_reporting=False, context={TODAY: today} if today else {})
    return Stack(app, name, env=Environment(account="111122223333", region="eu-west-1"))


def suppress(stack, name="Website", findings=BUCKET, **settings):
    given = {"reason": REASON, "until": UNTIL, **settings}
    return SuppressionRule(stack, name, findings=findings, **given)


def properties(stack, kind=V1):
    (rule,) = assertions.Template.from_stack(stack).find_resources(kind).values()
    return rule["Properties"]


def test_a_suppression_sets_the_status_and_a_note_with_the_reason_and_its_marker():
    stack = new_stack()
    suppression = suppress(stack)
    found = properties(stack)
    marker = marker_of(suppression, digest_of(suppression, BUCKET))
    assert found["Actions"] == [
        {
            "Type": "FINDING_FIELDS_UPDATE",
            "FindingFieldsUpdate": {
                "Workflow": {"Status": "SUPPRESSED"},
                "Note": {"Text": f"{REASON} (suppressed until 2027-03-31)", "UpdatedBy": marker},
            },
        }
    ]
    assert found["Description"] == f"Suppresses findings until 2027-03-31: {REASON}"
    assert (found["RuleStatus"], found["IsTerminal"]) == ("ENABLED", False)
    assert marker.startswith("securityhub-actions/eu-west-1/Stack/")


def test_in_the_new_hub_the_marker_and_the_reason_stand_in_the_comment():
    stack = new_stack()
    suppression = suppress(stack, findings=BUCKET_V2)
    (action,) = properties(stack, V2)["Actions"]
    marker = marker_of(suppression, digest_of(suppression, BUCKET_V2))
    comment = f"{marker}: {REASON} (suppressed until 2027-03-31)"
    assert action["FindingFieldsUpdate"] == {"StatusId": 3, "Comment": comment}


def test_the_longest_reason_fits_into_a_comment_with_the_longest_marker():
    stack = new_stack(name="S" * 128)
    suppress(stack, findings=BUCKET_V2, reason="r" * 256)
    (action,) = properties(stack, V2)["Actions"]
    assert len(action["FindingFieldsUpdate"]["Comment"]) <= 512


def test_a_long_reason_is_truncated_in_the_description_of_a_rule_of_the_new_hub():
    stack = new_stack()
    suppress(stack, findings=BUCKET_V2, reason="r" * 256)
    found = properties(stack, V2)["Description"]
    assert (len(found), found[-2:]) == (256, "r…")


def test_a_suppression_without_an_end_says_so():
    stack = new_stack()
    suppress(stack, until=None)
    assert properties(stack)["Actions"][0]["FindingFieldsUpdate"]["Note"]["Text"] == (
        f"{REASON} (suppressed without end)"
    )


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"reason": "  "}, r"reason of Stack/Website has 0 characters. Specify 1 to 256: why"),
        ({"reason": "x" * 257}, "reason of Stack/Website has 257 characters"),
        (
            {"until": date(2027, 1, 1)},
            "until of Stack/Website is 2027-01-01, which is past: today is 2027-01-01",
        ),
        ({"until": date(2026, 1, 1)}, "Remove the suppression, or set a later date"),
        ({"until": datetime(2027, 3, 31, tzinfo=UTC)}, "with a time. Specify a day"),
        ({"until": "2027-03-31"}, "until must be"),
        (
            {"findings": FindingFilter(regions="eu-west-1")},
            "can't be the criteria of an automation rule: regions",
        ),
    ],
)
def test_what_cannot_be_suppressed_is_an_error(given, says):
    with pytest.raises(ValueError, match=says):
        suppress(new_stack(), **given)


def test_the_day_is_the_one_in_utc_unless_the_context_has_another():
    now = datetime.now(UTC).date()
    suppress(new_stack(today=None), until=now + timedelta(days=2))
    with pytest.raises(ValueError, match="which is past"):
        suppress(new_stack(today=None), until=now)
    with pytest.raises(ValueError, match="The context value 'securityhub-actions:today' is 'soon'"):
        suppress(new_stack(today="soon"))


def test_the_suppression_that_ends_last_is_applied_last():
    stack = new_stack()
    for name, until in (
        ("A", None),
        ("B", date(2027, 2, 1)),
        ("C", date(2027, 5, 1)),
        ("D", date(2027, 2, 1)),
    ):
        suppress(stack, name, until=until, rule_name=name)
    found = assertions.Template.from_stack(stack).find_resources(V1).values()
    orders = {one["Properties"]["RuleName"]: one["Properties"]["RuleOrder"] for one in found}
    assert orders == {"B": 901, "D": 902, "C": 903, "A": 904}


def test_the_marker_is_of_the_construct_and_of_its_stack_and_region():
    stack = new_stack()
    first, second = suppress(stack, "A"), suppress(stack, "B")
    assert marker_of(first, "d") != marker_of(second, "d")
    assert marker_of(first, "d") == marker_of(suppress(new_stack(), "A"), "d")
    assert marker_of(first, "d") != marker_of(suppress(new_stack(name="Other"), "A"), "d")


@pytest.mark.parametrize(
    "findings",
    [
        FindingFilter(),
        FindingFilter(workflow_status=None, record_state="ACTIVE", compliance_status="FAILED"),
        OcsfFindingFilter(),
        FindingFilter(title=Exists(present=True)),
        FindingFilter(account_ids=Wildcard("*"), resource_type=[Wildcard("*")]),
        FindingFilter(severity=["INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL"]),
        OcsfFindingFilter(title=Exists(present=True), compliance_status="Fail"),
        OcsfFindingFilter(severity_id=Numeric(">=", 0)),
        OcsfFindingFilter(status=None, activity_name=None, title=Exists(present=True)),
    ],
)
def test_a_suppression_of_whatever_arrives_is_an_error(findings):
    with pytest.raises(ValueError, match=r"findings of Stack/Website chooses by status only.* Specify what"):
        suppress(new_stack(), findings=findings)


def digests(*filters):
    """How many digests some filters have."""
    suppression = suppress(new_stack())
    return len({digest_of(suppression, one) for one in filters})


def test_the_digest_changes_with_what_a_filter_matches_and_with_nothing_else():
    assert digests(BUCKET, FindingFilter(control_ids="S3.2", resource_id="arn:aws:s3:::www.example.com")) == 1
    ids = ["S3.2", "S3.8"]
    assert digests(FindingFilter(control_ids=ids), FindingFilter(control_ids=ids[::-1])) == 1
    assert digests(BUCKET, BUCKET_V2, FindingFilter(control_ids=ids), FindingFilter(control_ids="S3.2")) == 4


def test_the_digest_of_a_filter_with_references_is_the_same_in_each_synthesis():
    def written(resource):
        stack = new_stack()
        bucket = s3.CfnBucket(stack, resource)
        suppress(stack, findings=FindingFilter(resource_id=bucket.attr_arn))
        return properties(stack)["Actions"][0]["FindingFieldsUpdate"]["Note"]["UpdatedBy"]

    assert written("One") == written("One") != written("Other")
