from __future__ import annotations

import datetime as dt
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.tickets.contract import TrackerError
from functions.tickets.trackers.calls import MAX_WAIT_SECONDS, Calls, Failure, seconds_until_retry


class RefusedError(Exception):
    def __init__(self, **failure):
        self.failure = Failure(**{"said": "no", **failure})


def calls(*, read_secret=lambda **_: {"token": "secret-1"}, cures=None):
    return Calls(
        name="Tracker",
        read_secret=read_secret,
        connect=dict,
        explain=lambda error: getattr(error, "failure", None),
        cures=cures or {},
    )


def request_that(*outcomes):
    """A request with these outcomes, one after the other; it counts how often it is made."""

    def request(_):
        outcome = request.outcomes[request.made]
        request.made += 1
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    request.outcomes = outcomes
    request.made = 0
    return request


def test_a_request_is_made_three_times_at_most():
    request = request_that(*[RefusedError(status=503)] * 9)
    with pytest.raises(TrackerError, match=r"Tracker did not try: HTTP 503, no\. It's retried later\."):
        calls()("try", request)
    assert request.made == 3


@pytest.mark.parametrize("status", [None, 500, 502, 503, 504])
def test_a_request_that_may_have_been_acted_on_is_made_once_if_twice_would_do_harm(status):
    request = request_that(RefusedError(status=status), "done")
    with pytest.raises(TrackerError):
        calls()("try", request, repeatable=False)
    assert request.made == 1


@pytest.mark.parametrize("repeatable", [True, False])
def test_a_request_that_came_too_early_is_made_again_in_any_case(repeatable):
    assert calls()("try", request_that(RefusedError(status=429), "done"), repeatable=repeatable) == "done"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 501])
def test_a_refusal_that_does_not_pass_is_final(status):
    request = request_that(RefusedError(status=status), "done")
    with pytest.raises(TrackerError, match="cure"):
        calls(cures={status: "The cure."})("try", request)
    assert request.made == 1


@pytest.mark.parametrize(
    ("failure", "is_temporary"),
    [
        *(({"status": status}, True) for status in (None, 401, 403, 404, 408, 429, 500, 502, 503, 504)),
        *(({"status": status}, False) for status in (400, 405, 409, 422)),
        ({"status": 404, "is_missing": True}, False),
        ({"status": None, "cure": "Correct the settings."}, False),
        ({"status": 403, "cure": "Correct the settings."}, False),
    ],
)
def test_what_an_outage_or_a_credential_is_the_reason_for_can_succeed_later(failure, is_temporary):
    with pytest.raises(TrackerError) as caught:
        calls()("try", request_that(*[RefusedError(**failure)] * 9))
    assert caught.value.is_temporary is is_temporary


def test_a_secret_that_cannot_be_read_can_be_there_later():
    def read_secret(**_):
        raise RuntimeError("ResourceNotFoundException")

    with pytest.raises(TrackerError) as caught:
        calls(read_secret=read_secret)("try", request_that("done"))
    assert caught.value.is_temporary


def test_a_call_waits_as_long_as_it_is_told(fake_time):
    calls()(
        "try",
        request_that(RefusedError(status=503, retry_after=4), RefusedError(status=429, retry_after=5), 1),
    )
    assert fake_time.slept == [4, 5]


def test_a_call_never_waits_longer_than_its_limit(fake_time):
    request = request_that(
        RefusedError(status=429, retry_after=6), RefusedError(status=429, retry_after=6), 1
    )
    with pytest.raises(TrackerError, match="no request for another 6 seconds"):
        calls()("try", request)
    assert sum(fake_time.slept) <= MAX_WAIT_SECONDS
    assert request.made == 2


def test_the_calls_that_follow_keep_to_a_wait_that_was_too_long_for_one(fake_time):
    call = calls()
    with pytest.raises(TrackerError):
        call("try", request_that(RefusedError(status=429, retry_after=60)))
    untouched = request_that("done")
    with pytest.raises(TrackerError, match="no request for another 60 seconds"):
        call("try", untouched)
    assert untouched.made == 0
    fake_time.now += 60
    assert call("try", untouched) == "done"


def test_a_mistake_is_no_failure_of_the_tracker():
    with pytest.raises(ZeroDivisionError):
        calls()("try", lambda _: 1 / 0)


def rotated(*tokens):
    """Reads a secret that is another each time it is read anew; it counts how often."""

    def read_secret(*, fresh):
        read_secret.reads.append(fresh)
        return {"token": tokens[min(len(read_secret.reads), len(tokens)) - 1]}

    read_secret.reads = []
    return read_secret


def test_a_secret_that_was_rotated_is_read_anew_and_the_request_made_again_at_once(fake_time):
    read_secret = rotated("old", "new")
    call = calls(read_secret=read_secret)
    used = []

    def request(client):
        used.append(client["token"])
        if len(used) == 1:
            raise RefusedError(status=401)
        return "done"

    before = fake_time.now
    assert call("try", request, repeatable=False) == "done"
    assert (used, read_secret.reads, fake_time.now) == (["old", "new"], [False, True], before)


def test_a_secret_that_is_still_the_same_is_not_tried_again():
    read_secret = rotated("old")
    refused = request_that(RefusedError(status=401))
    with pytest.raises(TrackerError, match="HTTP 401"):
        calls(read_secret=read_secret)("try", refused)
    assert (refused.made, read_secret.reads) == (1, [False, True])


def test_a_new_secret_that_is_refused_as_well_is_not_read_for_ever():
    read_secret = rotated("1", "2", "3", "4")
    with pytest.raises(TrackerError, match="HTTP 401"):
        calls(read_secret=read_secret)(
            "try", request_that(RefusedError(status=401), RefusedError(status=401))
        )
    assert read_secret.reads == [False, True]


def test_a_tracker_is_left_alone_for_five_minutes_at_most_whatever_it_asks_for(fake_time):
    call = calls()
    with pytest.raises(TrackerError):
        call("try", request_that(RefusedError(status=429, retry_after=86_400.0)))
    fake_time.now += 300
    assert call("try", request_that("done")) == "done"


def test_a_secret_that_cannot_be_read_is_reported_without_what_the_reader_said():
    def read_secret(**_):
        raise RuntimeError("secret-1 is no JSON")

    with pytest.raises(
        TrackerError, match=r"secret for Tracker could not be read \(RuntimeError\)"
    ) as caught:
        calls(read_secret=read_secret)("try", lambda _: None)
    assert "secret-1" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_credential_in_an_answer_is_blotted_out():
    with pytest.raises(TrackerError, match=r"HTTP 400, bad header 'Bearer \*\*\*'"):
        calls()("try", request_that(RefusedError(status=400, said="bad header 'Bearer secret-1'")))


@pytest.mark.parametrize("secret", [{"token": "secret-1", "port": 8443}, {"token": " secret-1\n"}])
def test_a_credential_is_blotted_out_whatever_else_its_secret_holds(secret):
    with pytest.raises(TrackerError, match=r"HTTP 400, bad header 'Bearer \*\*\*'"):
        calls(read_secret=lambda **_: secret)(
            "try", request_that(RefusedError(status=400, said="bad header 'Bearer secret-1'"))
        )


def test_a_long_answer_is_cut():
    with pytest.raises(TrackerError) as caught:
        calls()("try", request_that(RefusedError(status=400, said="<html>\n" * 10_000)))
    assert len(str(caught.value)) < 600


@given(st.integers(0, 10**6))
def test_a_retry_after_in_seconds_is_understood(seconds):
    assert seconds_until_retry(f" {seconds} ") == seconds


def test_a_retry_after_with_a_date_is_understood():
    date = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=90)
    assert 80 < seconds_until_retry(format_datetime(date)) <= 90
    assert seconds_until_retry("Wed, 21 Oct 2015 07:28:00 GMT") == 0


@given(st.none() | st.text())
def test_any_other_retry_after_never_fails(header):
    assert (seconds_until_retry(header) or 0) >= 0
