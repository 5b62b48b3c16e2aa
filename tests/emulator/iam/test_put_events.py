"""Who may put which events on a bus: the policy of the bus, and the caller's own."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

ACCOUNT = "111122223333"
REGION = "eu-west-1"
ANYONE_HERE = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": ACCOUNT}}


@pytest.fixture
def bus(embedded_aws):
    """The name of a new bus."""
    client = embedded_aws.client("events", account=ACCOUNT, region=REGION)
    name = f"bus-{uuid4().hex[:8]}"
    client.create_event_bus(Name=name)
    yield name
    client.delete_event_bus(Name=name)


def arn_of(bus):
    return f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{bus}"


@pytest.fixture
def has_policy(embedded_aws, bus):
    """A function that gives the bus a policy of some statements."""

    def put(*statements):
        document = {
            "Version": "2012-10-17",
            "Statement": [{"Resource": arn_of(bus), **one} for one in statements],
        }
        embedded_aws.client("events", account=ACCOUNT, region=REGION).put_permission(
            EventBusName=bus, Policy=json.dumps(document)
        )

    return put


@pytest.fixture
def role(embedded_aws):
    """A function that creates a role with statements, and returns its ARN and a client of EventBridge."""

    def make(*statements, path="/"):
        iam = embedded_aws.client("iam", account=ACCOUNT)
        name = f"role-{uuid4().hex[:8]}"
        trust = json.dumps({"Version": "2012-10-17", "Statement": [ANYONE_HERE]})
        arn = iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        if statements:
            document = json.dumps({"Version": "2012-10-17", "Statement": statements})
            iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document)
        sts = embedded_aws.client("sts", account=ACCOUNT)
        credentials = sts.assume_role(RoleArn=arn, RoleSessionName="session")["Credentials"]
        return arn, embedded_aws.client_of_session(credentials, "events", region=REGION)

    return make


PUT = {"Action": "events:PutEvents"}


def own(effect, resource="*"):
    return {"Effect": effect, "Resource": resource, **PUT}


def of_bus(effect, **condition):
    return {"Effect": effect, "Principal": "*", **PUT, **({"Condition": condition} if condition else {})}


def entry(bus, source="mine", detail_type="Something"):
    return {"EventBusName": bus, "Source": source, "DetailType": detail_type, "Detail": "{}"}


def put(client, *entries):
    """The error code of each entry, None if it was taken; or that of the whole request."""
    try:
        answer = client.put_events(Entries=list(entries))
    except ClientError as error:
        return error.response["Error"]["Code"]
    codes = [one.get("ErrorCode") for one in answer["Entries"]]
    assert answer["FailedEntryCount"] == len(codes) - codes.count(None)
    assert all(one.get("EventId") for one in answer["Entries"] if "ErrorCode" not in one)
    return codes


DENIED = "AccessDeniedException"


@pytest.mark.parametrize(
    ("own_effect", "effect_of_bus", "outcome"),
    [
        (None, None, DENIED),
        ("Allow", None, [None]),
        (None, "Allow", [None]),
        ("Allow", "Deny", DENIED),
        ("Deny", "Allow", DENIED),
        ("Allow", "Allow", [None]),
    ],
)
def test_either_policy_allows_and_a_denial_in_either_decides(
    bus, has_policy, role, *, own_effect, effect_of_bus, outcome
):
    if effect_of_bus:
        has_policy(of_bus(effect_of_bus))
    _, client = role(*([own(own_effect)] if own_effect else []))
    assert put(client, entry(bus)) == outcome


def test_a_role_may_put_events_only_on_the_bus_that_its_policy_names(bus, role):
    _, client = role(own("Allow", arn_of(bus)))
    assert put(client, entry(bus)) == [None]
    assert put(client, entry(arn_of(bus))) == [None]
    assert put(client, entry("default")) == DENIED


def test_a_session_is_the_role_for_a_condition_on_the_principal(bus, has_policy, role):
    arn, client = role(own("Allow"), path="/people/")
    _, other = role(own("Allow"))
    named = {"aws:PrincipalArn": arn}
    has_policy(of_bus("Allow", ArnLike=named), of_bus("Deny", ArnNotLike=named))
    assert put(client, entry(bus)) == [None]
    assert put(other, entry(bus)) == DENIED


def test_the_administrator_of_the_account_is_denied_as_well(embedded_aws, bus, has_policy):
    client = embedded_aws.client("events", account=ACCOUNT, region=REGION)
    assert put(client, entry(bus)) == [None]
    has_policy(of_bus("Deny", ArnNotLike={"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/other"}))
    assert put(client, entry(bus)) == DENIED


def test_the_error_says_who_was_denied_what_and_by_which_policy(bus, has_policy, role):
    has_policy(of_bus("Deny"))
    arn, client = role(own("Allow"))
    session = f"{arn.replace(':iam:', ':sts:').replace(':role/', ':assumed-role/')}/session"
    with pytest.raises(ClientError) as caught:
        client.put_events(Entries=[entry(bus)])
    message = caught.value.response["Error"]["Message"]
    assert message == (
        f"User: {session} is not authorized to perform: events:PutEvents on resource: {arn_of(bus)} "
        "with an explicit deny in a resource-based policy"
    )


def test_a_denied_source_or_detail_type_is_an_error_of_its_entry_alone(bus, has_policy, role):
    _, client = role(own("Allow"))
    has_policy(
        of_bus("Deny", StringNotEquals={"events:source": "mine"}),
        of_bus("Deny", StringEquals={"events:detail-type": "Secret"}),
    )
    entries = [entry(bus), entry(bus, "yours"), entry(bus, detail_type="Secret"), entry(bus)]
    assert put(client, *entries) == [
        None,
        "NotAuthorizedForSourceException",
        "NotAuthorizedForDetailTypeException",
        None,
    ]


def test_only_sources_that_the_policy_of_the_bus_allows_can_be_put_without_an_own_policy(
    bus, has_policy, role
):
    has_policy(of_bus("Allow", StringEquals={"events:source": "mine"}))
    _, client = role()
    assert put(client, entry(bus)) == [None]
    assert put(client, entry(bus, "yours")) == DENIED


def test_a_bus_of_the_same_name_does_not_inherit_the_policy_of_a_deleted_one(embedded_aws, bus, has_policy):
    client = embedded_aws.client("events", account=ACCOUNT, region=REGION)
    has_policy(of_bus("Deny"))
    client.delete_event_bus(Name=bus)
    client.create_event_bus(Name=bus)
    assert put(client, entry(bus)) == [None]
