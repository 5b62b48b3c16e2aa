from __future__ import annotations

import json

import pytest
from botocore.exceptions import EndpointConnectionError

from invocation.event_bus import EventBus, EventsNotPutError


class Client:
    """PutEvents, which refuses the entries of some details so many times."""

    def __init__(self, refusals=None, error=None):
        self.requests, self.refusals, self.error = [], refusals or {}, error

    def put_events(self, Entries):  # noqa: N803 - botocore's
        if self.error:
            raise self.error
        self.requests.append([json.loads(entry["Detail"])["n"] for entry in Entries])
        answers = []
        for entry in Entries:
            number = json.loads(entry["Detail"])["n"]
            left = self.refusals.get(number, 0)
            self.refusals[number] = left - 1
            refused = {"ErrorCode": "ThrottlingException", "ErrorMessage": "Rate exceeded"}
            answers.append(refused if left > 0 else {"EventId": str(number)})
        return {"FailedEntryCount": 0, "Entries": answers}


def put(client, count, pauses=None):
    bus = EventBus("bus", client, sleep=(pauses if pauses is not None else []).append)
    bus.put([{"n": number} for number in range(count)], source="source", detail_type="type")


def test_events_are_put_ten_at_a_time():
    client = Client()
    put(client, 23)
    assert client.requests == [list(range(10)), list(range(10, 20)), [20, 21, 22]]


def test_large_events_are_put_in_requests_that_eventbridge_takes():
    client = Client()
    large = [{"n": number, "text": "x" * 100_000} for number in range(5)]
    EventBus("bus", client).put([*large, {"n": 5}], source="source", detail_type="type")
    assert client.requests == [[0, 1], [2, 3], [4, 5]]


def test_only_entries_that_were_refused_are_put_again():
    client, pauses = Client({1: 1, 3: 2}), []
    put(client, 5, pauses)
    assert client.requests == [[0, 1, 2, 3, 4], [1, 3], [3]]
    assert pauses == sorted(pauses)
    assert len(pauses) == 2


def test_what_stays_refused_is_counted_and_does_not_keep_the_others_back():
    client = Client({2: 99})
    with pytest.raises(EventsNotPutError, match=r"1 of 12 events .* bus: ThrottlingException: Rate exceeded"):
        put(client, 12)
    assert client.requests[-1] == [10, 11]


def test_a_request_that_fails_as_a_whole_says_what_to_check():
    with pytest.raises(EventsNotPutError, match=r"3 of 3 .* role allows events:PutEvents on it"):
        put(Client(error=EndpointConnectionError(endpoint_url="https://events")), 3)
