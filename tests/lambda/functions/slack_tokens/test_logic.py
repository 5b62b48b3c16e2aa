"""Rotation against a Slack whose tokens expire, and a Secrets Manager that can fail between any two calls."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from functions.slack_tokens.logic import Rotation, RotationError
from functions.slack_tokens.slack import SlackApi
from functions.slack_tokens.versions import Versions
from tests.vendor_servers.slack import SlackServer
from tests.vendor_servers.slack_tokens import SECONDS, SlackTokens

ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:slack-AbCdEf"
STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
EPOCH = datetime(2027, 1, 1, tzinfo=UTC)


class _MissingError(Exception):
    pass


class _ExistsError(Exception):
    pass


class FakeSecretsManager:
    """The versions of one secret, as AWS keeps them while it rotates it."""

    exceptions = SimpleNamespace(
        ResourceNotFoundException=_MissingError, ResourceExistsException=_ExistsError
    )

    def __init__(self, members):
        self.values, self.labels = {"v0": json.dumps(members)}, {"AWSCURRENT": "v0"}
        self.failures = 0

    def begin(self, version):
        """Begin a rotation, or go on with one that isn't complete."""
        pending = self.labels.get("AWSPENDING")
        if pending in {None, self.labels["AWSCURRENT"]}:
            self.labels["AWSPENDING"] = version
        return self.labels["AWSPENDING"]

    def store(self, version, members):
        """Store a value by hand."""
        self.values[version] = json.dumps(members)
        self.labels["AWSCURRENT"] = version

    @property
    def current(self):
        return json.loads(self.values[self.labels["AWSCURRENT"]])

    def describe_secret(self, SecretId):  # noqa: ARG002, N803 - as boto3 has it
        stages = {}
        for label, version in self.labels.items():
            stages.setdefault(version, []).append(label)
        return {"VersionIdsToStages": stages}

    def get_secret_value(self, SecretId, VersionId=None, VersionStage="AWSCURRENT"):  # noqa: ARG002, N803
        version = VersionId or self.labels.get(VersionStage)
        if version not in self.values or self.labels.get(VersionStage) != version:
            raise _MissingError
        return {"SecretString": self.values[version]}

    def put_secret_value(self, SecretId, ClientRequestToken, SecretString, VersionStages):  # noqa: ARG002, N803
        if self.failures:
            self.failures -= 1
            raise ClientError({"Error": {"Code": "InternalServiceError"}}, "PutSecretValue")
        if self.values.get(ClientRequestToken, SecretString) != SecretString:
            raise _ExistsError
        self.values[ClientRequestToken] = SecretString

    def update_secret_version_stage(self, SecretId, VersionStage, **moved):  # noqa: ARG002, N803
        assert self.labels[VersionStage] == moved["RemoveFromVersionId"]
        if target := moved.get("MoveToVersionId"):
            self.labels[VersionStage] = target
        else:
            del self.labels[VersionStage]


@pytest.fixture(scope="module")
def server():
    with SlackServer().running() as server:
        yield server


class App:
    """A Slack app, its secret, and rotations of it."""

    def __init__(self, server):
        self.server, self.tokens = server, SlackTokens()
        server.tokens = self.tokens
        server.recover()
        self.manager = FakeSecretsManager({**self.tokens.issue(), "team": "kept"})
        self.slept = []

    def rotation(self, version):
        return Rotation(
            version=version,
            versions=Versions(self.manager, ARN),
            slack=SlackApi(f"{self.server.url}/api/"),
            now=lambda: EPOCH + timedelta(seconds=self.tokens.now),
            sleep=self.slept.append,
        )

    def rotate(self, version, steps=STEPS):
        version = self.manager.begin(version)
        return [self.rotation(version).run(step) for step in steps]

    @property
    def is_valid(self):
        return self.tokens.refusal_of(self.manager.current["bot_token"]) is None


@pytest.fixture
def app(server):
    return App(server)


def test_tokens_are_valid_at_any_time_over_a_week_of_rotations(app):
    for number in range(42):
        app.tokens.now += 4 * 3600
        before = app.manager.current["bot_token"]
        assert app.is_valid
        app.rotate(f"v{number + 1}")
        # Whoever cached the last token goes on with it for some minutes.
        assert app.tokens.refusal_of(before) is None
    assert app.is_valid
    assert app.manager.current["team"] == "kept"
    assert app.manager.current["expires_at"] == (EPOCH + timedelta(days=7, seconds=SECONDS)).isoformat()


def test_each_step_can_be_repeated(app):
    version, before = app.manager.begin("v1"), app.manager.current["refresh_token"]
    for step in STEPS:
        for _ in range(3):
            app.rotation(version).run(step)
    exchanges = [one.body["refresh_token"] for one in app.server.sent("POST", "oauth.v2.access")]
    assert exchanges.count(before) == 1
    assert app.is_valid


def test_an_invocation_that_dies_after_the_exchange_is_repeated_within_the_grace_period(app):
    app.tokens.exchange({**app.manager.current, "grant_type": "refresh_token"})  # whose answer is lost
    app.tokens.now += app.tokens.grace
    app.rotate("v1")
    assert app.is_valid


def test_after_the_grace_period_the_last_token_stays_current_and_a_person_is_told_what_to_do(app):
    app.tokens.exchange({**app.manager.current, "grant_type": "refresh_token"})
    app.tokens.now += app.tokens.grace + 1
    with pytest.raises(RotationError, match=r"invalid_refresh_token.*generate new tokens"):
        app.rotate("v1")
    assert app.is_valid
    app.manager.store("repaired", app.tokens.issue())
    app.rotate("v1")
    assert app.manager.labels["AWSCURRENT"] == "v1"
    assert app.is_valid


def test_storing_the_new_pair_is_tried_for_almost_a_minute(app):
    app.manager.failures = 4
    app.rotate("v1")
    assert app.slept == [1.0, 3.0, 9.0, 27.0]
    assert app.is_valid


def test_tokens_that_a_person_stores_meanwhile_are_not_replaced(app):
    app.rotate("v1", STEPS[:2])
    app.manager.store("repaired", app.tokens.issue())
    with pytest.raises(RotationError, match="given up"):
        app.rotate("v1", STEPS[2:])
    assert app.manager.labels == {"AWSCURRENT": "repaired"}
    with pytest.raises(RotationError, match="isn't labeled AWSPENDING"):
        app.rotation("v1").run("finishSecret")
    app.rotate("v2")
    assert app.is_valid


def test_a_pair_that_slack_can_not_test_is_kept_because_it_is_the_only_one(app):
    app.rotate("v1", STEPS[:2])
    app.server.fail(503, path_part="auth.test")
    app.rotate("v1", STEPS[2:])
    assert app.is_valid


def test_a_pair_that_expired_before_it_was_promoted_is_promoted_and_renewed(app):
    app.rotate("v1", STEPS[:2])
    app.tokens.now += SECONDS
    app.rotate("v1", STEPS[2:])
    assert not app.is_valid
    app.rotate("v2")
    assert app.is_valid


def test_a_pair_that_slack_refuses_never_becomes_current(app):
    app.rotate("v1", STEPS[:2])
    before = app.manager.current
    app.tokens.access.clear()
    with pytest.raises(RotationError, match="token_revoked"):
        app.rotate("v1", STEPS[2:])
    assert app.manager.current == before


def test_of_two_invocations_at_once_the_one_that_stores_first_counts(app):
    version = app.manager.begin("v1")
    put = app.manager.put_secret_value

    def overtaken(**request):
        app.manager.put_secret_value = put
        app.rotation(version).run("createSecret")
        return put(**request)

    app.manager.put_secret_value = overtaken
    assert app.rotation(version).run("createSecret") == "Another invocation has stored new tokens."
    app.rotate("v1")
    assert app.is_valid


@pytest.mark.parametrize("member", ["client_id", "client_secret", "refresh_token"])
def test_a_secret_without_a_member_is_an_error_that_names_it(app, member):
    app.manager.store("v0", {**app.manager.current, member: " "})
    with pytest.raises(RotationError, match=f"'{member}'"):
        app.rotate("v1")


@pytest.mark.parametrize(
    ("member", "code"), [("client_id", "invalid_client_id"), ("client_secret", "bad_client_secret")]
)
def test_a_wrong_member_is_an_error_that_shows_no_token(app, member, code):
    app.manager.store("v0", {**app.manager.current, member: "wrong"})
    with pytest.raises(RotationError, match=f"{code}. Correct {member}") as caught:
        app.rotate("v1")
    assert "refresh-" not in str(caught.value)


@pytest.mark.parametrize("status", [429, 500])
def test_a_refusal_for_now_is_tried_again(app, status):
    app.server.fail(status, path_part="oauth.v2.access")
    with pytest.raises(RotationError, match="tried again"):
        app.rotate("v1")
    app.rotate("v1")
    assert app.is_valid


@pytest.mark.parametrize("code", ["internal_error", "ratelimited"])
def test_an_error_that_passes_makes_nobody_install_the_app_again(app, code):
    for path in ("oauth.v2.access", "auth.test"):
        app.server.fail(200, path_part=path, body={"ok": False, "error": code})
    with pytest.raises(RotationError, match=f"the error {code} .*tried again"):
        app.rotate("v1")
    app.rotate("v1")
    assert app.is_valid


def test_an_answer_without_tokens_replaces_nothing(app):
    before = app.manager.current
    app.server.fail(200, path_part="oauth.v2.access", body={"ok": True, "access_token": "x"})
    with pytest.raises(RotationError, match="without new tokens"):
        app.rotate("v1")
    assert app.manager.current == before
