from __future__ import annotations

import json
import re

import pytest
from aws_cdk import Annotations as CdkAnnotations
from aws_cdk import (
    App,
    Aws,
    CfnParameter,
    Environment,
    NestedStack,
    Stack,
    Stage,
    aws_events_targets,
)
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Annotations, Match
from hypothesis import given
from hypothesis import strategies as st

from securityhub_actions import ImportedFindingsRule, ImportedFindingsV2Rule
from securityhub_actions.filters import (
    AnythingBut,
    EqualsIgnoreCase,
    Exists,
    FindingFilter,
    Numeric,
    OcsfFindingFilter,
    Prefix,
    Suffix,
    Wildcard,
)
from securityhub_actions.filters.overlap import overlap_of
from securityhub_actions.patterns import EventPattern
from securityhub_actions.rule_warnings import OVER_BROAD, OVERLAPPING, UNREACHABLE, UNUSUAL

ACCOUNT = "111122223333"
EVERYTHING = FindingFilter(workflow_status=None, record_state=None)
EVERY_OCSF = OcsfFindingFilter(status=None, activity_name=None)


def new_stack(app=None, name="Stack", account=ACCOUNT, region="us-east-1"):
    return Stack(app or App(), name, env=Environment(account=account, region=region))


@pytest.fixture
def stack():
    return new_stack()


def listen(stack, construct_id, findings, rule=ImportedFindingsRule):
    queue = sqs.Queue(stack, f"{construct_id}Queue", enforce_ssl=True)
    return rule(stack, construct_id, findings=findings, targets=[aws_events_targets.SqsQueue(queue)])


def warnings(stack):
    return [
        (warning.id, warning.entry.data.rpartition(" [ack: ")[2].rstrip("]"))
        for warning in Annotations.from_stack(stack).find_warning("*", Match.any_value())
    ]


@pytest.mark.parametrize(
    ("rule", "findings"), [(ImportedFindingsRule, EVERYTHING), (ImportedFindingsV2Rule, EVERY_OCSF)]
)
def test_a_rule_for_every_finding_is_over_broad(stack, rule, findings):
    listen(stack, "All", findings, rule)
    assert warnings(stack) == [("/Stack/All", OVER_BROAD)]


@pytest.mark.parametrize(
    ("rule", "findings"),
    [
        (ImportedFindingsRule, FindingFilter()),
        (ImportedFindingsV2Rule, OcsfFindingFilter()),
        (ImportedFindingsRule, FindingFilter(severity="CRITICAL")),
    ],
)
def test_a_filtered_rule_gives_no_warning(stack, rule, findings):
    listen(stack, "Some", findings, rule)
    assert warnings(stack) == []


@pytest.mark.parametrize(
    ("rule", "findings"),
    [
        (ImportedFindingsRule, FindingFilter(severity="HIGH", severity_score=Numeric("<", 70))),
        (ImportedFindingsRule, FindingFilter(severity_score=Numeric(">", 100))),
        (ImportedFindingsV2Rule, OcsfFindingFilter(severity="Fatal", severity_id=5)),
    ],
)
def test_a_rule_that_can_never_match_is_unreachable(stack, rule, findings):
    listen(stack, "Never", findings, rule)
    assert warnings(stack) == [("/Stack/Never", UNREACHABLE)]


@pytest.mark.parametrize(
    ("rule", "findings"),
    [
        (ImportedFindingsRule, FindingFilter(severity=["HIGH", "LOW"], severity_score=Numeric("<", 70))),
        (ImportedFindingsRule, FindingFilter(severity=AnythingBut("LOW"), severity_score=[20, 95])),
        (ImportedFindingsRule, FindingFilter(severity_score=Exists(present=False))),
        (ImportedFindingsV2Rule, OcsfFindingFilter(severity="Fatal", severity_id=[5, 6])),
    ],
)
def test_a_rule_whose_severities_fit_together_is_reachable(stack, rule, findings):
    listen(stack, "Some", findings, rule)
    assert warnings(stack) == []


def test_two_rules_for_the_same_findings_overlap_and_the_first_tells_both(stack):
    listen(stack, "Critical", FindingFilter(severity=["CRITICAL"]))
    listen(stack, "Severe", FindingFilter(severity=["CRITICAL", "HIGH"]))
    assert warnings(stack) == [("/Stack/Critical", OVERLAPPING)]
    Annotations.from_stack(stack).has_warning(
        "/Stack/Critical", Match.string_like_regexp("both Stack/Critical and Stack/Severe")
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (FindingFilter(severity="CRITICAL"), FindingFilter(severity="HIGH")),
        (FindingFilter(account_ids=ACCOUNT), FindingFilter(account_ids="444455556666")),
        (FindingFilter(severity_score=Numeric(">", 70)), FindingFilter(severity_score=Numeric("<=", 70))),
    ],
)
def test_rules_that_share_no_finding_do_not_overlap(stack, one, other):
    listen(stack, "One", one)
    listen(stack, "Other", other)
    assert warnings(stack) == []


def test_rules_for_the_two_finding_formats_do_not_overlap(stack):
    listen(stack, "Asff", FindingFilter())
    listen(stack, "Ocsf", OcsfFindingFilter(), ImportedFindingsV2Rule)
    assert warnings(stack) == []


def test_rules_of_two_stacks_in_one_account_and_region_overlap(stack):
    other = new_stack(stack.node.root, "Other")
    listen(stack, "Critical", FindingFilter(severity="CRITICAL"))
    listen(other, "Critical", FindingFilter(severity="CRITICAL"))
    assert warnings(stack) == [("/Stack/Critical", OVERLAPPING)]


def test_rules_of_two_regions_do_not_overlap(stack):
    other = new_stack(stack.node.root, "Other", region="eu-west-1")
    listen(stack, "Critical", FindingFilter(severity="CRITICAL"))
    listen(other, "Critical", FindingFilter(severity="CRITICAL"))
    assert warnings(stack) == []


def message_of(stack):
    (warning,) = Annotations.from_stack(stack).find_warning("*", Match.any_value())
    return warning.entry.data


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (FindingFilter(severity="LOW"), FindingFilter(severity_score=Numeric(">=", 70))),
        (FindingFilter(title=EqualsIgnoreCase("alpha")), FindingFilter(title=EqualsIgnoreCase("beta"))),
        (FindingFilter(title=Wildcard("a*b")), FindingFilter(title=EqualsIgnoreCase("AXC"))),
        (FindingFilter(criticality=Numeric(">", 1, "<", 3)), FindingFilter(criticality=Numeric(">", 2))),
        (FindingFilter(severity=AnythingBut("LOW", "HIGH")), FindingFilter(severity=["LOW", "HIGH"])),
    ],
)
def test_no_overlap_is_claimed_where_it_is_impossible(stack, one, other):
    listen(stack, "One", one)
    listen(stack, "Other", other)
    assert warnings(stack) == []


@pytest.mark.parametrize(
    ("one", "other", "example"),
    [
        (
            FindingFilter(severity="LOW"),
            FindingFilter(severity_score=Numeric("<", 39)),
            {"Severity": {"Label": "LOW", "Normalized": 1}},
        ),
        (
            FindingFilter(title=Prefix("S3")),
            FindingFilter(title=Suffix("public")),
            {"Title": "S3public"},
        ),
        (
            FindingFilter(resource_type="AwsS3Bucket"),
            FindingFilter(resource_type="AwsEc2Instance", resource_tags={"Team": Prefix("a")}),
            {"Resources": [{"Type": "AwsS3Bucket"}, {"Type": "AwsEc2Instance", "Tags": {"Team": "a"}}]},
        ),
        (FindingFilter(types="TTPs"), FindingFilter(types="Effects"), {"Types": ["TTPs", "Effects"]}),
    ],
)
def test_an_overlap_is_proven_by_a_finding(stack, one, other, example):
    listen(stack, "One", one)
    listen(stack, "Other", other)
    message = message_of(stack)
    finding = json.loads(message[message.index("{") : message.rindex("}") + 1])
    assert finding == example | {"RecordState": "ACTIVE", "Workflow": {"Status": "NEW"}}
    assert message.startswith("A finding such as {")
    assert "matches both Stack/One and Stack/Other, and goes to both." in message


FILTERS = st.builds(
    FindingFilter,
    severity=st.none() | st.sampled_from(["LOW", "HIGH", AnythingBut("LOW")]),
    severity_score=st.none()
    | st.sampled_from([20, Numeric(">=", 70), AnythingBut(5), Exists(present=False)]),
    title=st.none()
    | st.sampled_from(["a", Prefix("a"), Suffix("b"), AnythingBut(Prefix("a")), Wildcard("*b")]),
    standards=st.none() | st.sampled_from(["x", "y", Prefix("x")]),
    resource_type=st.none() | st.sampled_from(["AwsS3Bucket", Prefix("AwsE"), Exists(present=True)]),
    resource_id=st.none() | st.sampled_from(["arn:a", EqualsIgnoreCase("ARN:A")]),
    resource_tags=st.sampled_from([{}, {"Team": "a"}, {"Team": Prefix("b")}]),
)


@given(FILTERS, FILTERS)
def test_an_overlap_is_either_proven_or_impossible_where_all_values_are_known(one, other):
    overlap = overlap_of(one, other)
    assert (overlap is None) == (overlap_of(other, one) is None)
    if overlap:
        assert overlap.example is not None
        event = {"source": "aws.securityhub", "detail-type": one.detail_type}
        event |= {"detail": {"findings": [overlap.example]}}
        assert all(EventPattern.parse(each.to_event_pattern()).matches(event) for each in (one, other))


@given(FILTERS)
def test_a_filter_overlaps_with_itself_unless_it_is_unreachable(one):
    assert (overlap_of(one, one) is None) == (one.unreachable_reason() is not None)


def test_a_value_known_only_at_deployment_overlaps_where_the_other_filter_ignores_the_field(stack):
    title = CfnParameter(stack, "Title").value_as_string
    listen(stack, "Late", FindingFilter(title=title))
    listen(stack, "Other", FindingFilter())
    assert '"Title": "${Title}"' in message_of(stack)


def test_a_value_known_only_at_deployment_may_equal_another(stack):
    listen(stack, "Late", FindingFilter(account_ids=Aws.ACCOUNT_ID))
    listen(stack, "Other", FindingFilter(account_ids=ACCOUNT))
    assert message_of(stack).startswith("A finding may match both Stack/Late and Stack/Other")


def test_a_severity_known_only_at_deployment_is_no_contradiction(stack):
    severity = CfnParameter(stack, "Severity").value_as_string
    listen(stack, "Late", FindingFilter(severity=severity, severity_score=Numeric(">=", 70)))
    assert warnings(stack) == []


@pytest.mark.parametrize("environment", [None, Environment(account=ACCOUNT), Environment(region="us-east-1")])
def test_rules_of_stacks_whose_environment_is_unknown_may_overlap(stack, environment):
    other = Stack(stack.node.root, "Other", env=environment)
    listen(stack, "Critical", FindingFilter(severity="CRITICAL"))
    listen(other, "OnCall", FindingFilter(severity="CRITICAL"))
    assert message_of(stack).startswith(
        "If their stacks are deployed to the same account and Region, a finding such as"
    )


@pytest.mark.parametrize("in_stages", [False, True])
def test_copies_of_a_stack_without_an_environment_do_not_overlap(in_stages):
    app = App()
    stacks = [
        Stack(Stage(app, name) if in_stages else app, "Stack" if in_stages else name)
        for name in ("Dev", "Test", "Prod")
    ]
    for stack in stacks:
        listen(stack, "Critical", FindingFilter(severity="CRITICAL"))
        listen(NestedStack(stack, "Nested"), "OnCall", FindingFilter(severity=["HIGH", "CRITICAL"]))
    for stack in stacks:
        assert warnings(stack) == [(f"/{stack.node.path}/Critical", OVERLAPPING)]


def test_rules_of_an_unknown_account_in_two_regions_do_not_overlap(stack):
    other = Stack(stack.node.root, "Other", env=Environment(region="eu-west-1"))
    listen(stack, "Critical", FindingFilter(severity="CRITICAL"))
    listen(other, "Critical", FindingFilter(severity="CRITICAL"))
    assert warnings(stack) == []


@pytest.mark.parametrize(
    ("findings", "rule", "text"),
    [
        (FindingFilter(resource_type="AWS::EC2::Instance"), ImportedFindingsRule, "look like AwsEc2Instance"),
        (FindingFilter(control_ids=["S3.1", "s3.8"]), ImportedFindingsRule, "'s3.8', but .* spelled S3.8"),
        (FindingFilter(control_ids="Ec2.19"), ImportedFindingsRule, "spelled EC2.19"),
        (FindingFilter(control_ids="S3-8"), ImportedFindingsRule, "control IDs look like S3.8"),
        (OcsfFindingFilter(control_ids="iam.1"), ImportedFindingsV2Rule, "spelled IAM.1"),
        (
            OcsfFindingFilter(resource_type="AwsEc2Instance"),
            ImportedFindingsV2Rule,
            "look like AWS::EC2::Instance",
        ),
    ],
)
def test_a_value_of_the_other_format_or_in_the_wrong_case_is_unusual(stack, findings, rule, text):
    listen(stack, "Some", findings, rule)
    assert warnings(stack) == [("/Stack/Some", UNUSUAL)]
    assert re.search(text, message_of(stack))


@pytest.mark.parametrize(
    "findings",
    [
        FindingFilter(control_ids=["S3.8", "Opensearch.1", "NewService.1"], resource_type="AwsEc2Instance"),
        FindingFilter(control_ids=EqualsIgnoreCase("s3.8"), resource_type=["Other", "Container"]),
    ],
)
def test_usual_values_give_no_warning(stack, findings):
    listen(stack, "Some", findings)
    assert warnings(stack) == []


@pytest.mark.parametrize("warning", [OVERLAPPING, OVER_BROAD])
def test_a_warning_can_be_acknowledged(stack, warning):
    archive = listen(stack, "Archive", EVERYTHING)
    listen(stack, "Critical", FindingFilter(severity="CRITICAL"))
    CdkAnnotations.of(archive).acknowledge_warning(warning, "All findings are archived")
    remaining = {OVERLAPPING, OVER_BROAD} - {warning}
    assert warnings(stack) == [("/Stack/Archive", other) for other in remaining]


class TestRulesForBothHubs:
    """A rule for each hub, which report the same issues."""

    def warnings(self, asff, ocsf, *, same_target=True):
        stack = Stack(
            App(analytics_reporting=False), "Both", env=Environment(account=ACCOUNT, region="eu-west-1")
        )
        queues = [sqs.Queue(stack, name) for name in ("One", "Other")]
        for number, (kind, name, findings) in enumerate(
            ((ImportedFindingsRule, "Cspm", asff), (ImportedFindingsV2Rule, "V2", ocsf))
        ):
            queue = queues[0 if same_target else number]
            kind(stack, name, findings=findings, targets=[aws_events_targets.SqsQueue(queue)])
        found = Annotations.from_stack(stack).find_warning("*", Match.string_like_regexp("target in common"))
        return [(one.id, str(one.entry.data)) for one in found]

    def test_a_target_of_both_is_warned_of_once(self):
        ((path, message),) = self.warnings(FindingFilter(severity="HIGH"), OcsfFindingFilter(severity="High"))
        assert path == "/Both/Cspm"
        assert message.startswith("The rules Both/Cspm and Both/V2 have a target in common")
        assert "the target gets it twice" in message

    def test_what_cannot_be_translated_may_be_the_same_issue(self):
        assert len(self.warnings(FindingFilter(criticality=90), OcsfFindingFilter())) == 1

    @pytest.mark.parametrize(
        ("asff", "ocsf"),
        [
            (FindingFilter(severity="HIGH"), OcsfFindingFilter(severity="Low")),
            (FindingFilter(control_ids="S3.8"), OcsfFindingFilter(control_ids="S3.1")),
            (FindingFilter(), OcsfFindingFilter(status="Resolved")),
        ],
    )
    def test_rules_for_different_issues_are_not_warned_of(self, asff, ocsf):
        assert self.warnings(asff, ocsf) == []

    def test_rules_with_different_targets_are_not_warned_of(self):
        assert self.warnings(FindingFilter(), OcsfFindingFilter(), same_target=False) == []
