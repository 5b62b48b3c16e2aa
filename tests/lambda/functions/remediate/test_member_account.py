from __future__ import annotations

import gc
import weakref
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from botocore.loaders import JSONFileLoader, create_loader
from botocore.session import Session
from botocore.stub import ANY, Stubber
from hypothesis import given
from hypothesis import strategies as st

from functions.remediate.member_account import MemberRoleError, MemberSessions, create_client, session_name
from securityhub.events import Finding, parse_event

NOW = datetime(2026, 1, 31, 9, tzinfo=UTC)
POLICY = '{"Version":"2012-10-17","Statement":[]}'
ROLE = "securityhub/Member"


@pytest.fixture
def finding(load_event):
    (finding,) = parse_event(load_event("custom_action_1_finding")).findings
    return replace(finding, aws_account_id="444455556666", region="eu-central-1", id="a/b/finding/1")


@pytest.fixture
def clock():
    return [NOW]


@pytest.fixture
def sts():
    client = create_client("eu-west-1")
    with Stubber(client) as stubber:
        yield client, stubber


@pytest.fixture
def sessions(sts, clock):
    return MemberSessions(sts[0], partition="aws-cn", role=ROLE, external_id="external", now=lambda: clock[0])


def answer(stubber, *, account="444455556666", number=0, expires=NOW + timedelta(minutes=15), **expected):
    stubber.add_response(
        "assume_role",
        {
            "Credentials": {
                "AccessKeyId": f"ASIA0000000000{number:06}",
                "SecretAccessKey": "secret",
                "SessionToken": "token",
                "Expiration": expires,
            }
        },
        {
            "RoleArn": f"arn:aws-cn:iam::{account}:role/{ROLE}",
            "RoleSessionName": ANY,
            "ExternalId": "external",
            "SourceIdentity": "securityhub-Remediate",
            "DurationSeconds": 900,
            "Policy": POLICY,
            **expected,
        },
    )


def test_the_session_is_in_the_findings_account_and_region_and_names_action_and_finding(
    sessions, sts, finding
):
    answer(sts[1], RoleSessionName="Remediate-1")
    session = sessions.session(finding, "Remediate", POLICY)
    sns = session.client("sns")
    assert sns.meta.region_name == "eu-central-1"
    assert "Credential=ASIA0000000000000000%2F" in sns.generate_presigned_url("list_topics")
    assert session.client("sns", region_name="eu-west-1").meta.region_name == "eu-west-1"


def test_it_asks_the_endpoint_of_its_own_region():
    assert create_client("eu-west-1").meta.endpoint_url == "https://sts.eu-west-1.amazonaws.com"


def test_a_session_is_used_again_until_shortly_before_it_expires(sessions, sts, finding, clock):
    answer(sts[1])
    first = sessions.session(finding, "Remediate", POLICY)
    clock[0] = NOW + timedelta(minutes=9)
    assert sessions.session(finding, "Remediate", POLICY) is first
    clock[0] = NOW + timedelta(minutes=11)
    answer(sts[1], number=1, expires=NOW + timedelta(minutes=26))
    assert sessions.session(finding, "Remediate", POLICY) is not first


@pytest.mark.parametrize(
    "change", [{"aws_account_id": "777788889999"}, {"region": "us-east-1"}, {"id": "a/b/finding/2"}]
)
def test_no_session_is_used_for_another_account_region_or_finding(sessions, sts, finding, change):
    answer(sts[1])
    first = sessions.session(finding, "Remediate", POLICY)
    answer(sts[1], account=change.get("aws_account_id", "444455556666"), number=1)
    assert sessions.session(replace(finding, **change), "Remediate", POLICY) is not first


@pytest.fixture
def only_own_garbage():
    """What other tests left is not looked through each time: the CDK alone has very many objects."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("only_own_garbage")
def test_the_sessions_of_earlier_findings_do_not_fill_the_memory(sessions, sts, finding):
    alive = []
    for number in range(20):
        answer(sts[1], number=number)
        session = sessions.session(replace(finding, id=f"a/b/finding/{number}"), "Remediate", POLICY)
        alive.append(weakref.ref(session))
        session.client("sns")
        del session
        gc.collect()
        assert sum(one() is not None for one in alive) <= 4
    assert alive[-1]() is not None


def test_no_session_is_used_for_another_policy(sessions, sts, finding):
    answer(sts[1])
    first = sessions.session(finding, "Remediate", POLICY)
    answer(sts[1], number=1, Policy="{}")
    assert sessions.session(finding, "Remediate", "{}") is not first


def test_a_policy_that_sts_cannot_pack_is_told_apart(sessions, sts, finding):
    sts[1].add_client_error("assume_role", "PackedPolicyTooLarge", "Packed size: 105 %")
    with pytest.raises(
        MemberRoleError, match=rf"105 % The policy of the session has {len(POLICY)} characters"
    ):
        sessions.session(finding, "Remediate", POLICY)


def test_the_model_of_a_service_is_read_once_and_not_for_each_finding(sts, finding, monkeypatch):
    # Not with the loader that has read the models for other tests.
    monkeypatch.setattr("botocore.session.create_loader", create_loader)
    session = Session()
    monkeypatch.setattr("invocation.clients.one_session", lambda: session)
    sessions = MemberSessions(sts[0], partition="aws-cn", role=ROLE, external_id="external", now=lambda: NOW)
    read, load = [], JSONFileLoader.load_file
    monkeypatch.setattr(JSONFileLoader, "load_file", lambda *given: read.append(given[1]) or load(*given))
    for number in range(3):
        answer(sts[1], number=number)
        sessions.session(replace(finding, id=f"finding/{number}"), "Remediate", POLICY).client("ec2")
    assert len([path for path in read if "/ec2/" in path and path.endswith("/service-2")]) == 1


def test_a_refusal_names_the_role_and_what_to_check_and_is_not_remembered(sessions, sts, finding):
    sts[1].add_client_error("assume_role", "AccessDenied", "not authorized")
    with pytest.raises(
        MemberRoleError, match=r"role arn:aws-cn:iam::444455556666:role/securityhub/Member .*Check"
    ):
        sessions.session(finding, "Remediate", POLICY)
    answer(sts[1])
    assert sessions.session(finding, "Remediate", POLICY)


@given(st.text(min_size=1, max_size=200), st.from_regex(r"[A-Za-z0-9_-]{1,20}", fullmatch=True))
def test_whatever_the_finding_is_called_sts_accepts_the_sessions_name(finding_id, action):
    fields = dict.fromkeys(Finding.__dataclass_fields__)
    name = session_name(Finding(**fields | {"id": finding_id}), action)
    assert name.startswith(f"{action}-")
    assert 2 <= len(name) <= 64
    assert all(c.isascii() and (c.isalnum() or c in "_+=,.@-") for c in name)
