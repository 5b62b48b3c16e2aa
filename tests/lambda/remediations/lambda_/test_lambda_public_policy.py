from __future__ import annotations

import io
import json
import zipfile

import pytest
from botocore.exceptions import ClientError

from remediations.contract import CannotRemediateError, PartlyUndoneError
from remediations.lambda_.lambda_public_policy import apply, look, plan, undo

BUCKET = "arn:aws:s3:::a-bucket"
PUBLIC = {
    "everybody": {"Principal": "*"},
    "address": {"Principal": "*", "FunctionUrlAuthType": "NONE", "Action": "lambda:InvokeFunctionUrl"},
    "via-address": {"Principal": "*", "InvokedViaFunctionUrl": True},
    "any-topic": {"Principal": "*", "SourceArn": "arn:aws:sns:eu-west-1:111122223333:*"},
    "bucket": {"Principal": "s3.amazonaws.com", "SourceArn": BUCKET},
}
CONFINED = {
    "account": {"Principal": "111122223333"},
    "service": {"Principal": "events.amazonaws.com", "SourceArn": "arn:aws:events:eu-west-1:1:rule/*"},
    "organization": {"Principal": "*", "PrincipalOrgID": "o-exampleorgid"},
    "own-bucket": {"Principal": "s3.amazonaws.com", "SourceArn": BUCKET, "SourceAccount": "111122223333"},
}


@pytest.fixture
def function(member):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as code:
        code.writestr("index.py", "def handler(event, context): pass")
    made = member.client("lambda").create_function(
        FunctionName="function",
        Runtime="python3.13",
        Handler="index.handler",
        Role=f"arn:aws:iam::{member.account}:role/function",
        Code={"ZipFile": archive.getvalue()},
    )
    return made["FunctionArn"]


@pytest.fixture
def finding(member, function):
    return member.finding("Lambda.1", "AwsLambdaFunction", function)


@pytest.fixture
def permit(member, function):
    def add(permissions):
        for name, permission in permissions.items():
            member.client("lambda").add_permission(
                **{"FunctionName": function, "StatementId": name, "Action": "lambda:InvokeFunction"}
                | permission
            )

    return add


def statements(member, function):
    policy = json.loads(member.client("lambda").get_policy(FunctionName=function)["Policy"])
    return {statement["Sid"]: statement for statement in policy["Statement"]}


def test_only_public_statements_are_removed_and_come_back_the_same(member, function, finding, permit):
    permit(PUBLIC | CONFINED)
    before = statements(member, function)
    change = apply(plan(finding, member.session), member.session)
    assert statements(member, function).keys() == CONFINED.keys()
    assert change.description == "Removed 5 statement(s): everybody, address, via-address, any-topic, bucket"
    undo(change, member.session, look(change, member.session))
    undo(change, member.session, look(change, member.session))
    assert statements(member, function) == before


def test_an_undo_notices_a_statement_that_somebody_has_put_in_place_of_one_and_restores_the_others(
    member, function, finding, permit, changed_since
):
    permit(PUBLIC)
    before = statements(member, function)
    change = apply(plan(finding, member.session), member.session)
    permit({"everybody": CONFINED["account"]})
    assert changed_since(look, change) == ["Statement everybody is another one instead of removed"]
    undo(change, member.session, [one for one in look(change, member.session) if not one.is_changed])
    now = statements(member, function)
    assert now.pop("everybody") != before.pop("everybody")
    assert now == before


def test_a_plan_changes_nothing(member, function, finding, permit):
    permit(PUBLIC)
    assert plan(finding, member.session).is_needed
    assert statements(member, function).keys() == PUBLIC.keys()


def test_a_second_time_nothing_is_needed(member, finding, permit):
    permit(PUBLIC)
    made = plan(finding, member.session)
    apply(made, member.session)
    apply(made, member.session)
    assert not plan(finding, member.session).is_needed


def test_a_statement_that_was_replaced_since_the_plan_stays(member, function, finding, permit):
    permit({"one": PUBLIC["everybody"]})
    made = plan(finding, member.session)
    member.client("lambda").remove_permission(FunctionName=function, StatementId="one")
    permit({"one": CONFINED["account"]})
    apply(made, member.session)
    assert statements(member, function).keys() == {"one"}


def test_there_is_nothing_to_restore_of_a_function_that_is_gone(member, function, finding, permit):
    permit(PUBLIC)
    change = apply(plan(finding, member.session), member.session)
    member.client("lambda").delete_function(FunctionName=function)
    with pytest.raises(CannotRemediateError, match="The function no longer exists"):
        undo(change, member.session, look(change, member.session))


@pytest.mark.parametrize("blocked", ["first", "all"])
def test_a_statement_that_lambda_blocks_stays_removed(member, finding, permit, blocked):
    permit(dict.fromkeys(("first", "second"), PUBLIC["everybody"]))
    change = apply(plan(finding, member.session), member.session)

    def block(params, model, **_):
        if blocked in ("all", json.loads(params["body"])["StatementId"]):
            raise ClientError({"Error": {"Code": "PublicPolicyException", "Message": "no"}}, model.name)

    member.register("before-call.lambda.AddPermission", block)
    names = "first" if blocked == "first" else "first, second"
    with pytest.raises(CannotRemediateError, match=f"these statements stay removed: {names}\\.") as found:
        undo(change, member.session, look(change, member.session))
    assert isinstance(found.value, PartlyUndoneError) is (blocked == "first")
    restored = {"first": ["as before"], "all": []}[blocked]
    assert [one.now for one in look(change, member.session) if one.is_restored] == restored


def test_nothing_is_needed_for_a_function_that_is_gone(member, function, finding):
    member.client("lambda").delete_function(FunctionName=function)
    assert not plan(finding, member.session).is_needed


def test_an_id_that_is_no_arn_of_a_function_is_refused(member):
    with pytest.raises(CannotRemediateError, match="must be an ARN such as"):
        plan(member.finding("Lambda.1", "AwsLambdaFunction", "function"), member.session)


@pytest.mark.parametrize(
    "condition",
    [
        {"StringEquals": {"aws:SourceVpc": "vpc-1"}},
        {"StringNotEquals": {"AWS:SourceAccount": "111122223333"}},
        {"StringEquals": {"AWS:SourceAccount": ["111122223333"]}},
    ],
)
def test_a_condition_that_could_not_be_brought_back_is_refused(member, finding, condition):
    statement = {"Sid": "one", "Effect": "Allow", "Principal": "*", "Condition": condition}

    def answer(parsed, **_):
        parsed.update(Policy=json.dumps({"Statement": [statement]}), RevisionId="1")

    member.session.events.register("after-call.lambda.GetPolicy", answer)
    with pytest.raises(CannotRemediateError, match="The statement one has the condition"):
        plan(finding, member.session)


def test_the_statements_are_what_it_takes(prove_statements, finding, permit):
    permit(PUBLIC)
    prove_statements("lambda_public_policy", finding)
