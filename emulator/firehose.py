"""Newlines after records, compressed objects, and whole queries for partition keys in Firehose.

MiniStack delivers each record at once as an object of its own. It writes the record as it came, under the
name of a compressed file as well.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final

from ministack.services import firehose

from emulator import firehose_queries

Configuration = Mapping[str, Any]

_delivering: Final[ContextVar[tuple[Configuration, bytes] | None]] = ContextVar("delivering", default=None)
_deliver_to_s3 = firehose._deliver_to_s3  # noqa: SLF001 - there is no public way; see test_firehose
_put_s3_object = firehose._put_s3_object  # noqa: SLF001


def register() -> None:
    """Replace the functions of MiniStack that write objects or read queries. Again, it changes nothing."""
    firehose._deliver_to_s3 = _deliver  # noqa: SLF001
    firehose._put_s3_object = _put  # noqa: SLF001
    firehose._jq_parse = _parse  # noqa: SLF001
    firehose._jq_value = _value  # noqa: SLF001


def _parse(expression: str) -> list[tuple[str, firehose_queries.Evaluate, tuple[()]]]:
    return [(key, evaluate, ()) for key, evaluate in firehose_queries.parse(expression)]


def _value(document: object, steps: firehose_queries.Evaluate, functions: tuple[()]) -> object:  # noqa: ARG001 - as MiniStack calls it
    return steps(document)


def _deliver(
    stream: Mapping[str, Any],
    destination: Mapping[str, Any],
    record: bytes,
    lambda_keys: Mapping[str, str] | None = None,
) -> None:
    token = _delivering.set((destination["config"], record))
    try:
        _deliver_to_s3(stream, destination, record, lambda_keys)
    finally:
        _delivering.reset(token)


def _put(bucket: str, key: str, body: bytes) -> None:
    delivering = _delivering.get()
    # Error documents and converted records stay as MiniStack makes them.
    if delivering is not None and body is delivering[1]:
        configuration = delivering[0]
        body += _delimiter(configuration)
        if configuration.get("CompressionFormat") == "GZIP":
            body = gzip.compress(body)
            key = key if configuration.get("FileExtension") else f"{key}.gz"
    _put_s3_object(bucket, key, body)


def _delimiter(configuration: Configuration) -> bytes:
    """The delimiter of records in an object.

    Source: https://docs.aws.amazon.com/firehose/latest/dev/dynamic-partitioning-new-line.html
    """
    processing = configuration.get("ProcessingConfiguration") or {}
    for processor in (processing.get("Processors") or []) if processing.get("Enabled") else []:
        if processor["Type"] == "AppendDelimiterToRecord":
            return b"\n"
    return b""
