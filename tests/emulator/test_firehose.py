from __future__ import annotations

import gzip
import inspect
import json
from itertools import count

import pytest
from ministack.services import firehose

NEWLINE = {
    "Type": "AppendDelimiterToRecord",
    "Parameters": [{"ParameterName": "Delimiter", "ParameterValue": "\\n"}],
}
_numbers = count(1)


@pytest.fixture
def deliver(embedded_aws):
    """A function that sends a record through a new stream and returns the name and the body of the object."""

    def deliver(record, **destination):
        name = f"firehose-{next(_numbers)}"
        s3, client = embedded_aws.client("s3"), embedded_aws.client("firehose")
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name})
        places = {"BucketARN": f"arn:aws:s3:::{name}", "RoleARN": "arn:aws:iam::111122223333:role/firehose"}
        client.create_delivery_stream(
            DeliveryStreamName=name, ExtendedS3DestinationConfiguration={**places, **destination}
        )
        client.put_record(DeliveryStreamName=name, Record={"Data": record})
        (found,) = embedded_aws.wait_until(
            lambda: s3.list_objects_v2(Bucket=name).get("Contents"), what="the object"
        )
        return found["Key"], s3.get_object(Bucket=name, Key=found["Key"])["Body"].read()

    return deliver


def processing(*processors):
    return {"Enabled": True, "Processors": list(processors)}


def test_a_record_stays_as_it_came_where_nothing_else_is_asked(deliver):
    key, body = deliver(b"record")
    assert body == b"record"
    assert not key.endswith(".gz")


def test_a_stream_appends_a_newline_to_each_record(deliver):
    assert deliver(b"record", ProcessingConfiguration=processing(NEWLINE))[1] == b"record\n"


def test_processors_that_are_off_append_nothing(deliver):
    off = {**processing(NEWLINE), "Enabled": False}
    assert deliver(b"record", ProcessingConfiguration=off)[1] == b"record"


def test_a_stream_compresses_what_it_writes(deliver):
    key, body = deliver(b"record", CompressionFormat="GZIP", ProcessingConfiguration=processing(NEWLINE))
    assert gzip.decompress(body) == b"record\n"
    assert key.endswith(".gz")


def test_the_name_of_a_compressed_object_has_the_extension_that_the_stream_asks_for(deliver):
    key, _ = deliver(b"record", CompressionFormat="GZIP", FileExtension=".jsonl.gz")
    assert key.endswith(".jsonl.gz")
    assert key.count(".gz") == 1


def test_a_record_without_its_partition_key_becomes_an_error_document(deliver):
    extraction = {
        "Type": "MetadataExtraction",
        "Parameters": [
            {"ParameterName": "MetadataExtractionQuery", "ParameterValue": "{account:.account}"},
            {"ParameterName": "JsonParsingEngine", "ParameterValue": "JQ-1.6"},
        ],
    }
    key, body = deliver(
        b'{"other": 1}',
        CompressionFormat="GZIP",
        Prefix="!{partitionKeyFromQuery:account}/",
        ErrorOutputPrefix="errors/!{firehose:error-output-type}/",
        BufferingHints={"SizeInMBs": 64, "IntervalInSeconds": 60},
        DynamicPartitioningConfiguration={"Enabled": True},
        ProcessingConfiguration=processing(extraction, NEWLINE),
    )
    assert key.startswith("errors/processing-failed/")
    assert "account" in json.loads(body)["ErrorMessage"]


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("_deliver_to_s3", "stream dest record_data lambda_keys"), ("_put_s3_object", "bucket key body")],
)
def test_ministack_has_the_functions_that_are_replaced(name, parameters):
    assert list(inspect.signature(getattr(firehose, name)).parameters) == parameters.split()
