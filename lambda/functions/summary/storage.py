"""What summaries keep in the S3 bucket: their pages, their figures, what was open, and unfinished counts."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from functions.summary.counting import Count
from functions.summary.figures import Figures
from functions.summary.open_findings import OpenFindings
from invocation.json_objects import read_json

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

TREND_RUNS: Final = 30
"""The number of summaries that the trend shows."""

_TIME: Final = "%Y-%m-%dT%H%M%SZ"

logger = logging.getLogger(__name__)


class Storage:
    """Objects in the bucket, by kind, schedule, and time: `figures/daily/2026-01-31T070000Z.json`."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        """Use a bucket.

        Args:
            client: S3.
            bucket: The name of the bucket.
        """
        self._client = client
        self._bucket = bucket

    def page_place(self, schedule: str, scheduled: datetime) -> str:
        """Return where the page of a summary is."""
        return f"s3://{self._bucket}/{_key('pages', schedule, scheduled, 'html')}"

    def put_page(self, schedule: str, scheduled: datetime, page: str) -> None:
        """Store the page of a summary."""
        self._put(_key("pages", schedule, scheduled, "html"), page, "text/html; charset=utf-8")

    def figures(self, schedule: str, scheduled: datetime) -> Figures | None:
        """Return the figures of a summary, or None if it has none yet."""
        stored = self._read(_key("figures", schedule, scheduled))
        return Figures.from_json(stored) if stored else None

    def put_figures(self, figures: Figures) -> None:
        """Store the figures of a summary."""
        self._write("figures", figures.schedule, figures.scheduled, figures.to_json())

    def earlier_figures(self, schedule: str, before: datetime) -> list[Figures]:
        """Return the figures of the summaries before one, the oldest first, at most `TREND_RUNS`."""
        found = []
        for key in self._keys("figures", schedule, before)[-TREND_RUNS:]:
            try:
                found.append(Figures.from_json(self._read(key) or {}))
            except (KeyError, TypeError, ValueError) as error:
                logger.warning("Left out of the trend: %s: %s", key, error)
        return found

    def previously_open(self, schedule: str, before: datetime) -> OpenFindings | None:
        """Return what was open in the latest summary before one that could count everything."""
        for key in reversed(self._keys("open", schedule, before)):
            try:
                return OpenFindings.from_json(self._read(key) or {})
            except (KeyError, TypeError, ValueError) as error:
                logger.warning("Not compared with: %s: %s", key, error)
        return None

    def put_open(self, schedule: str, scheduled: datetime, count: Count) -> None:
        """Store what is open, for the next summary."""
        self._write("open", schedule, scheduled, OpenFindings(scheduled, count.tally.seen).to_json())

    def progress(self, schedule: str, scheduled: datetime) -> Count:
        """Return how far an earlier attempt of a summary has counted, or a count that hasn't begun."""
        stored = self._read(_key("progress", schedule, scheduled))
        return Count.from_json(stored) if stored else Count()

    def put_progress(self, schedule: str, scheduled: datetime, count: Count) -> None:
        """Store how far an attempt has counted."""
        self._write("progress", schedule, scheduled, count.to_json(scheduled))

    def _keys(self, kind: str, schedule: str, before: datetime) -> list[str]:
        """Return the keys of a kind that are earlier than a time, the oldest first."""
        return sorted(
            key for key in self._all_keys(f"{kind}/{schedule}/") if key < _key(kind, schedule, before)
        )

    def _all_keys(self, prefix: str) -> Iterator[str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        for page in pages:
            for item in page.get("Contents", ()):
                yield item["Key"]

    def _write(self, kind: str, schedule: str, scheduled: datetime, values: Mapping[str, Any]) -> None:
        text = json.dumps(values, separators=(",", ":"))
        self._put(_key(kind, schedule, scheduled), text, "application/json")

    def _put(self, key: str, text: str, content_type: str) -> None:
        self._client.put_object(
            Bucket=self._bucket, Key=key, Body=text.encode("utf-8", "replace"), ContentType=content_type
        )

    def _read(self, key: str) -> dict[str, Any] | None:
        return read_json(self._client, bucket=self._bucket, key=key)


def _key(kind: str, schedule: str, scheduled: datetime, extension: str = "json") -> str:
    return f"{kind}/{schedule}/{scheduled.astimezone(UTC).strftime(_TIME)}.{extension}"
