from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from functions.remediate.session_policy import session_policy
from remediations.contract import CannotRemediateError
from remediations.registry import enabled_remediations
from remediations.sns.sns_topic_encryption import _publishers, apply, look, plan, undo

TOLD = {"kms_key": "alias/topics"}


@pytest.fixture
def sns(member):
    return member.client("sns")


@pytest.fixture
def kms(member):
    return member.client("kms")


@pytest.fixture
def key(kms):
    """The id of the key that remediation is told."""
    made = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/topics", TargetKeyId=made)
    return made


@pytest.fixture
def topic(sns):
    return sns.create_topic(Name="orders", Attributes={"Policy": json.dumps({"Statement": []})})["TopicArn"]


@pytest.fixture
def finding(member):
    return finding_about(member, f"arn:aws:sns:{member.region}:{member.account}:orders")


def finding_about(member, arn):
    return member.finding("SNS.1", "AwsSnsTopic", arn)


def key_of(sns, topic):
    return sns.get_topic_attributes(TopicArn=topic)["Attributes"].get("KmsMasterKeyId", "")


@pytest.mark.usefixtures("key")
def test_there_is_nothing_to_restore_of_a_topic_that_is_gone(member, sns, topic, finding):
    change = apply(plan(finding, member.session, TOLD), member.session, TOLD)
    sns.delete_topic(TopicArn=topic)
    with pytest.raises(CannotRemediateError, match="The topic no longer exists"):
        look(change, member.session)


@pytest.mark.usefixtures("topic")
def test_a_key_that_all_members_share_in_another_account_is_looked_at(member, finding):
    shared = f"arn:aws:kms:{member.region}:999988887777:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    told = {"kms_key": shared}

    def show(http_response, parsed, **_):
        """The embedded AWS keeps the keys of each account apart."""
        if parsed["Error"]["Code"] == "NotFoundException":
            http_response.status_code = 200
            del parsed["Error"]
            parsed["KeyMetadata"] = {
                "KeyManager": "CUSTOMER",
                "KeyState": "Enabled",
                "KeySpec": "SYMMETRIC_DEFAULT",
            }

    member.register("after-call.kms.DescribeKey", show)
    remediation = enabled_remediations(["sns_topic_encryption"], {"sns_topic_encryption": told})
    session = member.in_session(
        session_policy(
            remediation["sns_topic_encryption"],
            account=member.account,
            partition="aws",
            automation_role="Automation",
            undoes=False,
            reads_tags=False,
        )
    )
    assert plan(finding, session, told).is_needed


@pytest.mark.usefixtures("key")
def test_the_topic_gets_the_key_and_loses_it_again(member, sns, topic, finding):
    change = apply(plan(finding, member.session, TOLD), member.session, TOLD)
    assert key_of(sns, topic) == "alias/topics"
    assert change.description == "Encrypted the topic with alias/topics"
    undo(change, member.session, look(change, member.session))
    assert key_of(sns, topic) == ""


@pytest.mark.usefixtures("key")
def test_an_undo_notices_another_key_unless_the_record_does_not_say_which_one_was_set(
    member, sns, topic, finding, changed_since
):
    change = apply(plan(finding, member.session, TOLD), member.session, TOLD)
    sns.set_topic_attributes(TopicArn=topic, AttributeName="KmsMasterKeyId", AttributeValue="alias/own")
    assert changed_since(look, change) == ["KmsMasterKeyId is alias/own instead of alias/topics"]
    assert changed_since(look, replace(change, left=None)) == []


@pytest.mark.usefixtures("key")
def test_a_plan_changes_nothing(member, sns, topic, finding):
    assert plan(finding, member.session, TOLD).is_needed
    assert key_of(sns, topic) == ""


@pytest.mark.usefixtures("key")
def test_a_plan_says_who_will_need_permissions_of_the_key(member, sns, topic, finding):
    services = ["events.amazonaws.com", "cloudwatch.amazonaws.com"]
    statement = {"Effect": "Allow", "Principal": {"Service": services}, "Action": "SNS:Publish"}
    policy = json.dumps({"Statement": statement | {"Resource": topic}})
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    assert plan(finding, member.session, TOLD).description == (
        "Encrypt the topic with alias/topics; its policy lets cloudwatch.amazonaws.com, events.amazonaws.com "
        "publish, who need kms:GenerateDataKey* and kms:Decrypt of the key"
    )


@pytest.mark.usefixtures("key", "topic")
@pytest.mark.parametrize(
    ("condition", "publishers"),
    [
        ({"StringEquals": {"AWS:SourceOwner": "111122223333"}}, "account 111122223333"),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::logs"}}, r"\* under conditions"),
        ({"StringNotEquals": {"aws:SourceAccount": "111122223333"}}, r"\* under conditions"),
        ({}, r"\*"),
    ],
)
def test_a_plan_says_whom_a_statement_about_everybody_means(member, sns, finding, condition, publishers):
    """A new topic has such a statement, which lets nobody but its account publish."""
    statement = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "SNS:Publish"}
    topic = finding.resources[0].id
    statement["Resource"] = topic
    policy = json.dumps({"Statement": statement | ({"Condition": condition} if condition else {})})
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    told = plan(finding, member.session, TOLD).description
    assert re.search(f"its policy lets {publishers} publish", told), told


def test_a_topic_with_another_key_keeps_it(member, sns, topic, finding):
    sns.set_topic_attributes(TopicArn=topic, AttributeName="KmsMasterKeyId", AttributeValue="alias/aws/sns")
    made = plan(finding, member.session, TOLD)
    assert (made.is_needed, made.description) == (False, "The topic is already encrypted with alias/aws/sns")


def test_nothing_is_needed_for_a_topic_that_is_gone(member, finding):
    made = plan(finding, member.session, TOLD)
    assert (made.is_needed, made.description) == (False, "The topic no longer exists")


@pytest.mark.usefixtures("topic")
def test_a_key_that_a_member_does_not_have_is_refused_before_anything_changes(member, finding):
    with pytest.raises(
        CannotRemediateError, match=r"There is no key alias/topics in this account and Region"
    ):
        plan(finding, member.session, TOLD)


@pytest.mark.usefixtures("topic")
def test_a_key_that_is_disabled_is_refused(member, kms, key, finding):
    kms.disable_key(KeyId=key)
    with pytest.raises(
        CannotRemediateError, match="whose KeyState is Enabled, but that of alias/topics is Dis"
    ):
        plan(finding, member.session, TOLD)


@pytest.mark.usefixtures("topic", "key")
def test_a_key_that_aws_manages_is_refused_however_it_is_named(member, finding):
    def manage(parsed, **_):
        parsed["KeyMetadata"]["KeyManager"] = "AWS"

    member.session.events.register("after-call.kms.DescribeKey", manage)
    with pytest.raises(CannotRemediateError, match=r"whose KeyManager is CUSTOMER, but .* is AWS"):
        plan(finding, member.session, TOLD)


@pytest.mark.usefixtures("topic")
def test_a_refusal_is_not_taken_for_an_absent_key(member, finding):
    def refuse(model, **_):
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, model.name)

    member.session.events.register("before-call.kms", refuse)
    with pytest.raises(ClientError, match="AccessDenied"):
        plan(finding, member.session, TOLD)


@pytest.mark.parametrize("place", ["sqs:eu-west-1:{}", "sns:us-east-1:{}", "sns:eu-west-1:999988887777"])
def test_what_is_not_a_topic_of_the_findings_account_and_region_is_refused(member, place):
    with pytest.raises(CannotRemediateError, match=r"must be (an ARN such as|of the finding.s own account)"):
        plan(finding_about(member, f"arn:aws:{place.format(member.account)}:orders"), member.session, TOLD)


NAMES = ("*", "events.amazonaws.com", "111122223333")
PRINCIPALS = st.sampled_from(NAMES) | st.dictionaries(
    st.sampled_from(["AWS", "Service"]), st.sampled_from(NAMES) | st.lists(st.sampled_from(NAMES))
)
PUBLISHING, OTHERS = ("*", "SNS:*", "sns:Publish", "SNS:Pub*"), ("sns:Subscribe", "sqs:*")


@given(
    principal=PRINCIPALS,
    action=st.sampled_from(PUBLISHING + OTHERS),
    effect=st.sampled_from(["Allow", "Deny"]),
    listed=st.booleans(),
)
def test_whoever_a_policy_lets_publish_is_named_and_nobody_else(principal, action, effect, listed):
    statement = {"Effect": effect, "Principal": principal, "Action": [action] if listed else action}
    publishes = effect == "Allow" and action in PUBLISHING
    named = {name for name in NAMES if publishes and name in json.dumps(principal)}
    assert set(_publishers({"Statement": [statement] if listed else statement})) == named


@pytest.mark.usefixtures("topic", "key")
def test_the_statements_are_what_it_takes(prove_statements, finding):
    prove_statements("sns_topic_encryption", finding, parameters=TOLD)
