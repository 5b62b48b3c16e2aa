from __future__ import annotations

import pytest
from aws_cdk import App, Environment, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk.assertions import Match, Template

from securityhub_actions import CustomAction, CustomActionEvent, CustomActionRule, Delivery, targets
from securityhub_actions.targets import ApiDestination, InputPath

RULE = "AWS::Events::Rule"
IMPORTED, IMPORTED_V2 = "Security Hub Findings - Imported", "Findings Imported V2"
CUSTOM_ACTION = "Security Hub Findings - Custom Action"
TITLE = InputPath("$.detail.findings[0].Title")


@pytest.fixture
def stack():
    return Stack(App(), "Stack", env=Environment(account="111122223333", region="eu-west-1"))


@pytest.fixture
def destination(stack):
    secret = secretsmanager.Secret.from_secret_name_v2(stack, "Secret", "third-party")
    connection = events.Connection(
        stack, "Connection", authorization=events.Authorization.api_key("X-Api-Key", secret.secret_value)
    )
    return events.ApiDestination(
        stack, "Destination", connection=connection, endpoint="https://example.com/*"
    )


def new_rule(stack, *detail_types, construct_id="Rule"):
    pattern = events.EventPattern(source=["aws.securityhub"], detail_type=list(detail_types) or None)
    return events.Rule(stack, construct_id, event_pattern=pattern)


def target_of(stack):
    (rule,) = Template.from_stack(stack).find_resources(RULE).values()
    (target,) = rule["Properties"]["Targets"]
    return target


def synth_error(stack):
    with pytest.raises(RuntimeError) as caught:
        stack.node.root.synth()
    return str(caught.value)


def test_without_a_body_the_whole_event_is_sent(stack, destination):
    new_rule(stack, CUSTOM_ACTION).add_target(ApiDestination(destination))
    target = target_of(stack)
    assert target["Arn"] == stack.resolve(destination.api_destination_arn)
    assert not target.keys() & {"Input", "InputPath", "InputTransformer", "HttpParameters"}


def test_headers_query_and_path_of_the_request_can_be_set(stack, destination):
    new_rule(stack, IMPORTED).add_target(
        ApiDestination(
            destination,
            header_parameters={"X-Team": "security"},
            query_string_parameters={"severity": "$.detail.findings[0].Severity.Label"},
            path_parameter_values=["$.account"],
        )
    )
    assert target_of(stack)["HttpParameters"] == {
        "HeaderParameters": {"X-Team": "security"},
        "QueryStringParameters": {"severity": "$.detail.findings[0].Severity.Label"},
        "PathParameterValues": ["$.account"],
    }


def test_a_request_that_fails_is_repeated_and_then_kept_in_the_dead_letter_queue(stack, destination):
    new_rule(stack, IMPORTED).add_target(ApiDestination(destination, delivery=Delivery(retry_attempts=3)))
    target = target_of(stack)
    assert target["RetryPolicy"]["MaximumRetryAttempts"] == 3
    assert "SecurityHubDeadLetterQueue" in target["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0]


def test_all_rules_of_a_stack_share_one_role_for_a_destination(stack, destination):
    target = ApiDestination(destination)
    for name in ("One", "Two"):
        new_rule(stack, IMPORTED, construct_id=name).add_target(target)
    Template.from_stack(stack).resource_count_is("AWS::IAM::Role", 1)


@pytest.mark.parametrize(
    ("detail_type", "path"),
    [(IMPORTED, "$.detail.findings[0].Title"), (IMPORTED_V2, "$.detail.findings[0].finding_info.title")],
)
def test_a_body_made_from_the_first_finding_is_right_for_the_format_of_the_rule(
    stack, destination, detail_type, path
):
    body = ApiDestination(destination, body=lambda finding: {"text": finding.title})
    new_rule(stack, detail_type).add_target(body)
    (used,) = target_of(stack)["InputTransformer"]["InputPathsMap"].values()
    assert used == path


@pytest.mark.parametrize(
    "detail_types", [[], [CUSTOM_ACTION], [IMPORTED, CUSTOM_ACTION], [IMPORTED_V2, IMPORTED]]
)
def test_a_body_made_from_the_first_finding_is_an_error_where_others_could_be_lost(
    stack, destination, detail_types
):
    new_rule(stack, *detail_types).add_target(ApiDestination(destination, body={"text": TITLE}))
    error = synth_error(stack)
    assert "the request to Stack/Destination contains $.detail.findings[0].Title" in error
    assert "targets.EachFinding(...)" in error


@pytest.mark.parametrize(
    ("path", "detail_types"),
    [
        ("$.detail.findings[0].Severity.Label", [IMPORTED]),
        ("$.detail.findings[0].severity", [IMPORTED_V2]),
        ("$.detail.findings[0]", [IMPORTED, IMPORTED_V2]),
    ],
)
def test_a_path_fits_the_events_whose_format_has_it(stack, destination, path, detail_types):
    new_rule(stack, *detail_types).add_target(ApiDestination(destination, body=[InputPath(path)]))
    stack.node.root.synth()


@pytest.mark.parametrize(
    ("body", "detail_type"),
    [
        ([TITLE], IMPORTED_V2),
        ([InputPath("$.detail.findings[0].severity")], IMPORTED),
        ([TITLE, InputPath("$.detail.findings[0].severity")], IMPORTED),
    ],
)
def test_a_path_of_the_other_format_is_an_error(stack, destination, body, detail_type):
    new_rule(stack, detail_type).add_target(ApiDestination(destination, body=body))
    assert "which works only with" in synth_error(stack)


def test_a_header_made_from_the_first_finding_is_an_error_where_there_may_be_none(stack, destination):
    target = ApiDestination(destination, header_parameters={"X-Title": TITLE.path})
    new_rule(stack, "Security Hub Insight Results").add_target(target)
    assert "contains $.detail.findings[0].Title" in synth_error(stack)


def test_a_pattern_that_is_widened_after_the_target_was_added_is_still_checked(stack, destination):
    rule = new_rule(stack, IMPORTED)
    rule.add_target(ApiDestination(destination, body={"text": TITLE}))
    rule.add_event_pattern(detail_type=[CUSTOM_ACTION])
    assert "all but one would be lost" in synth_error(stack)


@pytest.mark.parametrize("everything", ["$", "$.detail", "$.detail.findings"])
def test_a_body_that_also_holds_all_findings_may_tell_of_the_first_of_a_custom_action(
    stack, destination, everything
):
    target = ApiDestination(destination, body={"text": TITLE, "all": InputPath(everything)})
    CustomActionRule(
        stack,
        "Notify",
        action=CustomAction.from_action_id(stack, "Action", "Notify"),
        events=[CustomActionEvent.FINDINGS],
        targets=[target],
    )
    Template.from_stack(stack).has_resource_properties(
        RULE, {"Targets": [Match.object_like({"InputTransformer": Match.any_value()})]}
    )


def test_insight_results_have_no_finding_to_make_a_body_from(stack, destination):
    target = ApiDestination(destination, body={"text": TITLE, "all": InputPath("$")})
    CustomActionRule(
        stack, "Notify", action=CustomAction.from_action_id(stack, "Action", "Notify"), targets=[target]
    )
    assert "'Security Hub Insight Results'" in synth_error(stack)


def test_a_body_that_names_no_single_finding_fits_every_rule(stack, destination):
    ids = targets.ApiDestination(destination, body={"ids": InputPath("$.detail.findings[*].Id")})
    new_rule(stack).add_target(ids)
    assert target_of(stack)["InputTransformer"]["InputTemplate"] == '{"ids":<detail-findings-Id>}'
