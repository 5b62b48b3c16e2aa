from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from functions.remediate.order import Latest
from functions.remediate.records import RecordsBucket, create_client
from remediations.contract import CannotRemediateError, Change
from securityhub.events import parse_event

CHANGE = Change(resource="arn:example", description="Closed it", prior_state={"open": [True, None, 7]})


@pytest.fixture
def finding(load_event):
    (finding,) = parse_event(load_event("custom_action_1_finding")).findings
    return finding


@pytest.fixture
def bucket(function_aws):
    name = f"records-{uuid4().hex[:12]}"
    function_aws.client("s3").create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    return name


@pytest.fixture
def records(bucket):
    return RecordsBucket(create_client(), bucket)


def loaded(records, finding):
    return {name: change for name, (change, _) in records.load(finding).items()}


def test_what_is_kept_comes_back_unchanged(records, finding):
    records.save(finding, remediation="example", change=CHANGE)
    assert loaded(records, finding) == {"example": CHANGE}


def test_it_says_where_by_account_and_region(records, bucket, finding):
    place = records.save(finding, remediation="example", change=CHANGE).place
    assert place.startswith(f"s3://{bucket}/{finding.aws_account_id}/{finding.region}/")


def test_another_finding_has_no_record(records, finding):
    records.save(finding, remediation="example", change=CHANGE)
    assert records.load(replace(finding, id="another")) == {}


def test_the_rest_of_a_remediation_that_stopped_halfway_does_not_replace_the_first_record(records, finding):
    records.save(finding, remediation="example", change=CHANGE)
    rest = replace(CHANGE, prior_state={"open": [7]})
    records.save(finding, remediation="example", change=rest)
    assert loaded(records, finding) == {"example": CHANGE}


def test_what_was_changed_since_is_added_to_the_record_and_is_discarded_with_the_attempt(records, finding):
    records.save(finding, remediation="example", change=CHANGE)
    records.complete(finding, remediation="example", change=replace(CHANGE, left={"key": "own"}))
    first = loaded(records, finding)
    more = replace(CHANGE, description="Closed more", prior_state={"open": [8]})
    saved = records.save(finding, remediation="example", change=more)
    joined = {"open": [8, True, None, 7]}
    assert loaded(records, finding) == {
        "example": replace(CHANGE, description="Closed more; Closed it", prior_state=joined)
    }
    records.discard(finding, remediation="example", saved=saved)
    assert loaded(records, finding) == first


def test_what_an_earlier_attempt_has_left_is_not_said_of_a_later_one(records, finding):
    records.save(finding, remediation="example", change=CHANGE)
    records.complete(finding, remediation="example", change=replace(CHANGE, left={"key": "own"}))
    records.save(finding, remediation="example", change=CHANGE)
    assert loaded(records, finding) == {"example": CHANGE}


def test_the_latest_event_of_each_kind_is_known_whenever_the_finding_was_updated(records, finding):
    first = datetime(2026, 1, 31, 9, tzinfo=UTC)
    for days in (0, 1, -1):
        sent = first + timedelta(days=days)
        records.begin(finding, "remediate", reverses="undo", event_id=f"press {days}", sent=sent)
    second = first + timedelta(days=1)
    records.begin(finding, "undo", reverses="remediate", event_id="undo", sent=second)
    updated = replace(finding, updated_at=first)
    press, undo = records.latest(updated, "remediate"), records.latest(updated, "undo")
    assert press == Latest(sent=second, events=frozenset({"press 1"}))
    assert undo == Latest(sent=second, events=frozenset({"undo"}), reversed=press.events)
    assert records.latest(replace(finding, id="another"), "undo") is None
    assert records.load(finding) == {}


def test_what_version_0_1_0_stored_about_the_latest_event_is_read(embedded_aws, bucket, records, finding):
    sent = datetime(2026, 1, 31, 9, tzinfo=UTC)
    records.begin(finding, "undo", reverses="remediate", event_id="undo", sent=sent)
    client = embedded_aws.client("s3")
    (key,) = [one["Key"] for one in client.list_objects_v2(Bucket=bucket)["Contents"]]
    old = {"finding": finding.id, "sent": sent.isoformat()}
    client.put_object(Bucket=bucket, Key=key, Body=json.dumps(old))
    assert records.latest(finding, "undo") == Latest(sent=sent)


def test_a_discarded_record_is_gone(records, finding):
    saved = records.save(finding, remediation="example", change=CHANGE)
    records.discard(finding, remediation="example", saved=saved)
    assert records.load(finding) == {}
    records.save(
        finding, remediation="example", change=(swapped := replace(CHANGE, prior_state={"open": []}))
    )
    assert loaded(records, finding) == {"example": swapped}


def test_the_record_of_an_earlier_attempt_is_not_discarded(records, finding):
    records.save(finding, remediation="example", change=CHANGE)
    again = records.save(finding, remediation="example", change=CHANGE)
    records.discard(finding, remediation="example", saved=again)
    assert loaded(records, finding) == {"example": CHANGE}


def test_a_discarded_record_makes_room_for_the_one_that_it_replaced(records, finding):
    records.save(finding, remediation="example", change=CHANGE)
    later = replace(finding, updated_at=None)
    saved = records.save(later, remediation="example", change=replace(CHANGE, prior_state={"open": []}))
    records.discard(later, remediation="example", saved=saved)
    assert loaded(records, finding) == {"example": CHANGE}
    assert records.find(finding, remediation="example") is not None


def test_a_finding_that_was_updated_since_gets_a_new_record(records, finding):
    records.save(finding, remediation="example", change=CHANGE)
    later = replace(CHANGE, prior_state={"open": []})
    records.save(replace(finding, updated_at=None), remediation="example", change=later)
    assert loaded(records, finding) == {"example": later}


def test_a_record_is_found_for_the_finding_as_it_was_last_updated_only(records, finding):
    assert records.find(finding, remediation="example") is None
    place = records.save(finding, remediation="example", change=CHANGE).place
    assert records.find(finding, remediation="example") == (CHANGE, place)
    assert records.find(finding, remediation="other") is None
    assert records.find(replace(finding, updated_at=None), remediation="example") is None


def test_each_remediation_of_a_finding_has_its_own_record(records, finding):
    other = replace(CHANGE, resource="arn:other")
    places = {
        records.save(finding, remediation="example", change=CHANGE).place,
        records.save(finding, remediation="other", change=other).place,
    }
    assert len(places) == 2
    assert loaded(records, finding) == {"example": CHANGE, "other": other}
    records.delete(finding, remediation="example")
    assert loaded(records, finding) == {"other": other}


def forge(embedded_aws, bucket, place, **differences):
    """Change some members of a record, as somebody else could who can write to the bucket."""
    client = embedded_aws.client("s3")
    key = place.removeprefix(f"s3://{bucket}/")
    record = json.loads(client.get_object(Bucket=bucket, Key=key)["Body"].read())
    client.put_object(Bucket=bucket, Key=key, Body=json.dumps(record | differences))


@pytest.mark.parametrize(
    "difference", [{"finding": "another"}, {"product": "another"}, {"remediation": "security_group"}]
)
def test_a_record_of_another_finding_or_remediation_is_not_undone(
    embedded_aws, bucket, records, finding, difference
):
    place = records.save(finding, remediation="example", change=CHANGE).place
    forge(embedded_aws, bucket, place, **difference)
    with pytest.raises(CannotRemediateError, match=rf"The record {place} is not as this function writes it"):
        records.load(finding)


@pytest.mark.parametrize("body", ["", "[]", "{}", "null", '"text"', "\ufeff{"])
def test_what_is_no_record_is_not_undone(embedded_aws, bucket, records, finding, body):
    key = records.save(finding, remediation="example", change=CHANGE).place.removeprefix(f"s3://{bucket}/")
    embedded_aws.client("s3").put_object(Bucket=bucket, Key=key, Body=body)
    with pytest.raises(CannotRemediateError, match="is not as this function writes it"):
        records.load(finding)


class TestEarlierFormat:
    """One object for each finding, as version 0.1.0 wrote it."""

    @pytest.fixture
    def earlier(self, embedded_aws, bucket, finding):
        digest = hashlib.sha256(f"{finding.product_arn}\n{finding.id}".encode()).hexdigest()
        record = {
            "finding": finding.id,
            "product": finding.product_arn,
            "updated": str(finding.updated_at),
            "remediation": "example",
            "resource": CHANGE.resource,
            "description": CHANGE.description,
            "priorState": CHANGE.prior_state,
        }
        place = {"Bucket": bucket, "Key": f"{finding.aws_account_id}/{finding.region}/{digest}.json"}
        embedded_aws.client("s3").put_object(**place, Body=json.dumps(record))
        return place

    def test_it_is_read_and_deleted(self, records, earlier, finding):
        assert earlier
        assert loaded(records, finding) == {"example": CHANGE}
        records.delete(finding, remediation="other")
        assert loaded(records, finding) == {"example": CHANGE}
        records.delete(finding, remediation="example")
        assert records.load(finding) == {}

    def test_the_rest_of_a_remediation_does_not_replace_it(self, records, earlier, finding):
        rest = replace(CHANGE, prior_state={"open": [7]})
        place = records.save(finding, remediation="example", change=rest).place
        assert place == f"s3://{earlier['Bucket']}/{earlier['Key']}"
        assert loaded(records, finding) == {"example": CHANGE}

    def test_what_was_changed_since_takes_its_place_until_it_is_discarded(self, records, earlier, finding):
        assert earlier
        saved = records.save(
            finding, remediation="example", change=replace(CHANGE, prior_state={"open": [8]})
        )
        (kept,) = loaded(records, finding).values()
        assert kept.prior_state == {"open": [8, True, None, 7]}
        records.discard(finding, remediation="example", saved=saved)
        assert loaded(records, finding) == {"example": CHANGE}

    def test_it_stays_beside_the_record_of_another_remediation(self, records, earlier, finding):
        assert earlier
        records.save(finding, remediation="other", change=CHANGE)
        assert loaded(records, finding) == {"example": CHANGE, "other": CHANGE}

    def test_a_newer_record_of_the_remediation_replaces_it_and_both_are_deleted(
        self, records, earlier, finding
    ):
        assert earlier
        later = replace(CHANGE, prior_state={"open": []})
        records.save(replace(finding, updated_at=None), remediation="example", change=later)
        assert loaded(records, finding) == {"example": later}
        records.delete(finding, remediation="example")
        assert records.load(finding) == {}


def test_a_deleted_record_is_gone(records, finding):
    records.save(finding, remediation="example", change=CHANGE)
    records.delete(finding, remediation="example")
    assert records.load(finding) == {}
