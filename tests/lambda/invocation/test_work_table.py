from __future__ import annotations

import time
from types import SimpleNamespace

import pytest
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from botocore.exceptions import ClientError, ConnectionClosedError

from invocation.clients import create_client
from invocation.once import RememberedWork, WorkInProgressError
from invocation.work_table import Record, WorkTable

NOW = 1_700_000_000.5
RESULT = {"status": "Remediated", "state": {"open": True}, "name": "発見"}


@pytest.fixture
def client(function_aws):
    assert function_aws
    return create_client("dynamodb")


@pytest.fixture(params=["DynamoDB", "memory"])
def table(request):
    """The table, and what the other tests have in its place."""
    if request.param == "memory":
        return request.getfixturevalue("memory_store")
    return WorkTable(request.getfixturevalue("client"), request.getfixturevalue("work_table_name"))


def claim(table, attempt, *, at=NOW, seconds=40):
    return table.claim("key", attempt=attempt, now=at, lease_ends=at + seconds, expires=at + 100)


def complete(table, attempt):
    return table.complete("key", attempt=attempt, result=RESULT, expires=NOW + 100)


def test_one_attempt_has_the_lease(table):
    assert claim(table, "a") is None
    assert claim(table, "b") == Record(result=None)
    assert claim(table, "b", at=NOW + 39) == Record(result=None)


def test_an_attempt_recognizes_its_own_lease(table):
    assert [claim(table, "a") for _ in range(2)] == [None, None]
    assert [complete(table, "a") for _ in range(2)] == [True, True]


def test_a_lease_that_lapsed_goes_to_the_next_attempt(table):
    claim(table, "a")
    assert claim(table, "b", at=NOW + 41) is None
    assert claim(table, "c", at=NOW + 41) == Record(result=None)
    assert not table.renew("key", attempt="a", lease_ends=NOW + 200)
    assert not complete(table, "a")
    table.release("key", attempt="a")
    assert complete(table, "b")


def test_a_renewed_lease_lapses_later(table):
    claim(table, "a")
    assert table.renew("key", attempt="a", lease_ends=NOW + 80)
    assert claim(table, "b", at=NOW + 79) == Record(result=None)
    assert claim(table, "b", at=NOW + 81) is None


def test_a_result_stands_until_it_expires(table):
    claim(table, "a")
    complete(table, "a")
    assert claim(table, "b", at=NOW + 99) == Record(result=RESULT)
    assert not table.renew("key", attempt="a", lease_ends=NOW + 80)
    assert claim(table, "b", at=NOW + 102) is None


def test_a_lease_that_was_given_up_goes_to_the_next_attempt(table):
    claim(table, "a")
    for _ in range(2):
        table.release("key", attempt="a")
    assert not table.renew("key", attempt="a", lease_ends=NOW + 80)
    assert not complete(table, "a")
    assert claim(table, "b") is None


def test_work_is_forgotten_unless_an_attempt_is_at_it(table):
    assert table.forget("key", now=NOW)
    claim(table, "a")
    assert not table.forget("key", now=NOW + 39)
    assert table.forget("key", now=NOW + 41)
    claim(table, "a")
    complete(table, "a")
    assert table.forget("key", now=NOW)
    assert claim(table, "b") is None


def test_what_is_kept_is_recalled_until_it_expires_and_can_be_forgotten(table):
    assert table.recall("key", now=NOW) is None
    for _ in range(2):
        table.keep("key", RESULT, expires=NOW + 100)
    assert table.recall("key", now=NOW + 99) == RESULT
    assert table.recall("key", now=NOW + 101) is None
    assert table.forget("key", now=NOW)
    assert table.recall("key", now=NOW) is None


@pytest.mark.parametrize("call", ["claim", "renew", "complete", "release", "forget"])
def test_a_refusal_of_dynamodb_is_an_error(client, call):
    table = WorkTable(client, "missing")
    arguments = {
        "claim": {"attempt": "a", "now": NOW, "lease_ends": NOW, "expires": NOW},
        "renew": {"attempt": "a", "lease_ends": NOW},
        "complete": {"attempt": "a", "result": RESULT, "expires": NOW},
        "release": {"attempt": "a"},
        "forget": {"now": NOW},
    }
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        getattr(table, call)("key", **arguments[call])


@pytest.mark.parametrize("operation", ["PutItem", "UpdateItem", "DeleteItem"])
@pytest.mark.parametrize("fails", [False, True])
def test_a_lost_response_is_made_up_for_by_the_repeated_request(client, work_table_name, operation, fails):
    lost = []

    def lose(request, **_):
        """Let the request arrive, and its response get lost."""
        if not lost:
            lost.append(client._endpoint.http_session.send(request))
            raise ConnectionClosedError(endpoint_url=request.url)

    def work():
        client.meta.events.register(f"before-send.dynamodb.{operation}", lose)
        if fails:
            raise RuntimeError("It went wrong")
        return dict(RESULT)

    once = RememberedWork.in_table(client, work_table_name)
    if operation == "PutItem":
        client.meta.events.register("before-send.dynamodb.PutItem", lose)
    if fails:
        with pytest.raises(RuntimeError, match="It went wrong"):
            once.run({"finding": "1"}, work)
    else:
        assert once.run({"finding": "1"}, work) == (RESULT, False)
    assert (lost != []) == ((operation, fails) not in {("UpdateItem", True), ("DeleteItem", False)})
    client.meta.events.unregister(f"before-send.dynamodb.{operation}", lose)
    assert RememberedWork.in_table(client, work_table_name).run({"finding": "1"}, lambda: dict(RESULT)) == (
        RESULT,
        not fails,
    )


class TestWhatAnEarlierVersionLeft:
    """Earlier versions used the idempotency utility of Powertools."""

    @pytest.fixture
    def earlier(self, client, work_table_name):
        store = DynamoDBPersistenceLayer(table_name=work_table_name, boto3_client=client)

        def run(work, *, milliseconds):
            config = IdempotencyConfig(expires_after_seconds=3600, hash_function="sha256")
            config.register_lambda_context(SimpleNamespace(get_remaining_time_in_millis=lambda: milliseconds))
            once = idempotent_function(
                lambda **_: work(),
                data_keyword_argument="key",
                persistence_store=store,
                config=config,
                key_prefix="once",
            )
            return once(key={"finding": "発見"})

        return run

    @pytest.fixture
    def once(self, client, work_table_name):
        return RememberedWork.in_table(client, work_table_name)

    def test_what_was_done_counts_as_done(self, earlier, once):
        earlier(lambda: dict(RESULT), milliseconds=300_000)
        assert once.run({"finding": "発見"}, lambda: pytest.fail("done again")) == (RESULT, True)

    def test_what_was_in_progress_is_done_when_the_time_of_that_invocation_is_over(self, earlier, once):
        class DiedError(BaseException):
            pass

        def die():
            raise DiedError

        with pytest.raises(DiedError):
            earlier(die, milliseconds=300_000)
        with pytest.raises(WorkInProgressError):
            once.run({"finding": "発見"}, lambda: pytest.fail("done again"))
        later = RememberedWork(once._store, clock=lambda: time.time() + 301)
        assert later.run({"finding": "発見"}, lambda: dict(RESULT)) == (RESULT, False)

    def test_what_was_done_can_be_forgotten(self, earlier, once):
        earlier(lambda: dict(RESULT), milliseconds=300_000)
        once.forget({"finding": "発見"})
        assert once.run({"finding": "発見"}, lambda: dict(RESULT)) == (RESULT, False)

    def test_it_understands_what_this_version_did(self, earlier, once):
        once.run({"finding": "発見"}, lambda: dict(RESULT))
        assert earlier(lambda: pytest.fail("done again"), milliseconds=300_000) == RESULT
