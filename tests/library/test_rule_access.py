from __future__ import annotations

import pytest
from aws_cdk import Annotations, App, Environment, Stack, assertions
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Match, Template

from securityhub_actions import Delivery, ImportedFindingsRule, targets
from securityhub_actions.readable_values import readable
from securityhub_actions.rule_access import any_rule_of, only_rules

HERE = Environment(account="111122223333", region="us-east-1")
RULE_ARN = "arn:aws:events:us-east-1:111122223333:rule/mine"


@pytest.fixture
def app():
    return App()


@pytest.fixture
def stack(app):
    return Stack(app, "Stack", env=HERE)


def test_any_rule_means_any_of_the_account_and_region(stack):
    conditions = stack.resolve(any_rule_of(stack))
    assert ":events:us-east-1:111122223333:rule/*" in str(conditions["ArnLike"]["aws:SourceArn"])
    assert conditions["StringEquals"] == {"aws:SourceAccount": "111122223333"}


def test_account_and_region_that_are_not_known_yet_are_references_and_not_wildcards(app):
    conditions = Stack(app, "Anywhere").resolve(any_rule_of(Stack(app, "Elsewhere")))
    source = readable(conditions["ArnLike"]["aws:SourceArn"])
    assert source == "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/*"


def test_given_rules_are_the_only_ones(stack):
    assert only_rules(stack, [RULE_ARN]) == {
        "ArnEquals": {"aws:SourceArn": [RULE_ARN]},
        "StringEqualsIfExists": {"aws:SourceAccount": "111122223333"},
    }


@pytest.mark.parametrize(("rules", "named"), [(30, True), (31, False)])
def test_a_queue_policy_of_8192_bytes_lets_any_number_of_rules_in(stack, rules, named):
    queue = sqs.Queue(stack, "Inbox", enforce_ssl=True)
    for number in range(rules):
        ImportedFindingsRule(stack, f"Findings{number}", targets=[targets.SqsQueue(queue)])
    policies = Template.from_stack(stack).find_resources("AWS::SQS::QueuePolicy").values()
    for policy in policies:
        (statement,) = (
            one for one in policy["Properties"]["PolicyDocument"]["Statement"] if one["Effect"] == "Allow"
        )
        sources = statement["Condition"]["ArnEquals"]["aws:SourceArn"]
        if named:
            assert all("Fn::GetAtt" in source for source in sources)
            assert len(sources) == rules
        else:
            (source,) = sources if isinstance(sources, list) else [sources]
            assert readable(source) == f"{RULE_ARN.replace('arn:aws:', 'arn:${AWS::Partition}:')[:-4]}*"
    assert len(policies) == 2


def test_a_dead_letter_queue_of_another_stack_does_not_make_the_stacks_go_in_circles(app, stack):
    other = Stack(app, "Other", env=HERE)
    kept = sqs.Queue(other, "Kept", enforce_ssl=True)
    inbox = sqs.Queue(stack, "Inbox", enforce_ssl=True)
    ImportedFindingsRule(
        stack, "Findings", targets=[targets.SqsQueue(inbox)], delivery=Delivery(dead_letter_queue=kept)
    )
    app.synth()
    Template.from_stack(other).resource_count_is("AWS::SQS::QueuePolicy", 1)


def test_a_dead_letter_queue_with_the_key_that_aws_manages_is_an_error(app, stack):
    kept = sqs.Queue(stack, "Kept", enforce_ssl=True, encryption=sqs.QueueEncryption.KMS_MANAGED)
    inbox = sqs.Queue(stack, "Inbox", enforce_ssl=True)
    ImportedFindingsRule(
        stack, "Findings", targets=[targets.SqsQueue(inbox)], delivery=Delivery(dead_letter_queue=kept)
    )
    with pytest.raises(RuntimeError, match="Stack/Kept is encrypted with an AWS managed key"):
        app.synth()


def test_the_warning_that_a_policy_of_others_is_needed_can_be_acknowledged(stack):
    theirs = sqs.Queue.from_queue_arn(stack, "Theirs", "arn:aws:sqs:us-east-1:111122223333:theirs")
    rule = ImportedFindingsRule(stack, "Findings", targets=[targets.SqsQueue(theirs)]).rule
    Annotations.of(rule).acknowledge_warning("securityhub-actions:PolicyOfOthers", "Its owner added it")
    assertions.Annotations.from_stack(stack).has_no_warning(
        "*", Match.string_like_regexp("not part of this app")
    )
