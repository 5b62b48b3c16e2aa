from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

MOMENT = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)


def entry(chain, **settings):
    return {"Source": chain.source, "DetailType": "Test", "Detail": "{}", **settings}


def event_of(chain, event_id):
    (event,) = (one for one in chain.aws.events() if one["id"] == event_id)
    return event


def test_an_event_has_the_time_of_its_entry(chain):
    sent = chain.events.put_events(Entries=[entry(chain, Time=MOMENT), entry(chain)])["Entries"]
    given, arrived = (event_of(chain, one["EventId"])["time"] for one in sent)
    assert given == "2026-01-31T09:30:00Z"
    assert datetime.fromisoformat(arrived) > datetime.now(UTC) - timedelta(hours=1)


def test_each_entry_has_an_answer_in_its_place(chain):
    refused = entry(chain, Source="aws.securityhub", Time=MOMENT)
    answer = chain.events.put_events(Entries=[entry(chain, Time=MOMENT), refused, entry(chain)])
    assert answer["FailedEntryCount"] == 1
    assert ["ErrorCode" in one for one in answer["Entries"]] == [False, True, False]


def test_an_event_for_a_bus_that_does_not_exist_is_accepted_as_aws_does_and_reaches_nobody(chain):
    """https://github.com/aws/aws-cli/issues/9186."""
    answer = chain.events.put_events(Entries=[entry(chain, EventBusName="no-such-bus")])
    assert (answer["FailedEntryCount"], "EventId" in answer["Entries"][0]) == (0, True)


def test_entries_that_are_too_large_together_are_refused(chain):
    large = entry(chain, Detail=json.dumps({"text": "x" * 600_000}))
    assert chain.events.put_events(Entries=[large])["FailedEntryCount"] == 0
    with pytest.raises(ClientError, match="over the limit"):
        chain.events.put_events(Entries=[large, large])


@pytest.mark.parametrize("name", ["Source", "DetailType", "Detail"])
def test_an_entry_without_what_is_required_is_refused_and_the_others_are_taken(chain, name):
    faulty = entry(chain)
    del faulty[name]
    answer = chain.events.put_events(Entries=[faulty, entry(chain)])
    refused, taken = answer["Entries"]
    assert (answer["FailedEntryCount"], refused["ErrorCode"]) == (1, "InvalidArgument")
    assert refused["ErrorMessage"] == f"Parameter {name} is not valid. Reason: {name} is a required argument."
    assert "EventId" in taken


@pytest.mark.parametrize("detail", ['"text"', "[1]", '{"a":', json.dumps('{"a": 1}')])
def test_a_detail_that_is_no_object_is_malformed(chain, detail):
    (answer,) = chain.events.put_events(Entries=[entry(chain, Detail=detail)])["Entries"]
    assert answer == {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}
