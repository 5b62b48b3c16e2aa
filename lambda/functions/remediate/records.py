"""Records of the state before each remediation, in an S3 bucket with versions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from functions.remediate.order import Latest, with_begun
from functions.remediate.services import Saved
from invocation import clients
from invocation.json_objects import read_json
from remediations.contract import CannotRemediateError, Change
from securityhub.events import Finding

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


def create_client() -> S3Client:
    """Create the client, once a container."""
    client: S3Client = clients.create_client("s3")
    return client


class RecordsBucket:
    """Keeps one object for each finding and remediation, by account and Region; its versions are the history.

    Before there could be several for a finding, it had one object, which is still read.
    """

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def save(self, finding: Finding, *, remediation: str, change: Change) -> Saved:
        """Store what is about to be changed, at `s3://BUCKET/KEY`.

        If there is a record of the remediation for the finding as it was last updated, this adds to it: when
        a remediation stopped halfway, the next try sees only what is left to change, and undoing that alone
        would restore half of it. But what somebody has changed since then is saved as it is now.
        """
        if (kept := self.find(finding, remediation=remediation)) is not None:
            change = change.after(kept[0])
            if change == kept[0]:
                return Saved(place=kept[1], is_new=False)
        record = {
            "finding": finding.id,
            "product": finding.product_arn,
            "updated": str(finding.updated_at),
            "remediation": remediation,
            "resource": change.resource,
            "description": change.description,
            "priorState": change.prior_state,
        }
        key = _key(finding, remediation)
        replaced = self._read(key)
        self._write(key, record)
        return Saved(place=self._place(key), replaced=replaced)

    def discard(self, finding: Finding, *, remediation: str, saved: Saved) -> None:
        """Put things back as they were before `save`, because the attempt certainly changed nothing.

        Otherwise, an undo after a later attempt would restore what somebody has replaced in the meantime. The
        record of an earlier attempt stays, or comes back as it was.
        """
        key = _key(finding, remediation)
        if isinstance(saved.replaced, Mapping):
            self._write(key, saved.replaced)
        elif saved.is_new:
            self._client.delete_object(Bucket=self._bucket, Key=key)

    def complete(self, finding: Finding, *, remediation: str, change: Change) -> None:
        """Add what the change has left to the record, so that an undo notices if it's something else by then.

        It's known only afterwards. Without it, after an interruption, an undo restores whatever it finds.
        """
        for key in (_key(finding, remediation), _earlier_key(finding)):
            kept = self._read(key)
            if kept is not None and kept["remediation"] == remediation:
                self._write(key, {**kept, "left": change.left})
                return

    def find(self, finding: Finding, *, remediation: str) -> tuple[Change, str] | None:
        """Return what `save` stored for a finding as it was last updated, and where, or None.

        It doesn't say that the change was made: the attempt can have failed, or been interrupted, before.
        """
        updated = str(finding.updated_at)
        for key in (_key(finding, remediation), _earlier_key(finding)):
            kept = self._read(key)
            if kept is not None and (kept["updated"], kept["remediation"]) == (updated, remediation):
                return _change_in(kept), self._place(key)
        return None

    def load(self, finding: Finding) -> dict[str, tuple[Change, str]]:
        """Return all that was changed for a finding, and the locations, by the name of the remediation.

        Raises:
            CannotRemediateError: A record isn't as `save` writes it for this finding and its key, so somebody
                else has written or copied it.
        """
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=_prefix(finding)
        )
        # The object of the earlier format comes first, so that a newer one of the remediation replaces it.
        keys = sorted(item["Key"] for page in pages for item in page.get("Contents", ()))
        return dict(self._checked(finding, key) for key in keys)

    def _checked(self, finding: Finding, key: str) -> tuple[str, tuple[Change, str]]:
        try:
            record = self._read(key) or {}
            name: str = record["remediation"]
            change = _change_in(record)
            is_own = (record["finding"], record["product"]) == (finding.id, finding.product_arn)
        except (KeyError, TypeError, ValueError) as error:
            raise self._foreign(key) from error
        if not is_own or key not in (_key(finding, name), _earlier_key(finding)):
            raise self._foreign(key)
        return name, (change, self._place(key))

    def _foreign(self, key: str) -> CannotRemediateError:
        return CannotRemediateError(
            f"The record {self._place(key)} is not as this function writes it for this finding, so nothing "
            "was undone. Check the versions of the record and the access logs of the bucket, and restore the "
            "resource manually."
        )

    def delete(self, finding: Finding, *, remediation: str) -> None:
        """Delete the record of a remediation; earlier versions stay in the bucket."""
        earlier = self._read(_earlier_key(finding))
        if earlier is not None and earlier["remediation"] == remediation:
            self._client.delete_object(Bucket=self._bucket, Key=_earlier_key(finding))
        self._client.delete_object(Bucket=self._bucket, Key=_key(finding, remediation))

    def latest(self, finding: Finding, kind: str) -> Latest | None:
        """Return the latest events for which a finding was changed.

        Args:
            finding: The finding, whenever it was updated.
            kind: What was done for the events, `remediate` or `undo`.
        """
        kept = self._read(_key_of_latest(finding, kind))
        if kept is None:
            return None
        return Latest(
            sent=datetime.fromisoformat(kept["sent"]),
            events=frozenset(kept.get("events", ())),
            reversed=frozenset(kept.get("reversed", ())),
        )

    def begin(self, finding: Finding, kind: str, *, reverses: str, event_id: str, sent: datetime) -> None:
        """Store that a finding is about to be changed for an event.

        It's kept as long as the records, because an archive or a dead-letter queue can deliver an event again
        after a long time.

        Args:
            finding: The finding, whenever it was updated.
            kind: What is about to be done for the event, `remediate` or `undo`.
            reverses: The other of the two.
            event_id: The ID of the event.
            sent: When it was sent.
        """
        latest = self.latest(finding, kind)
        now = with_begun(latest, self.latest(finding, reverses), event_id=event_id, sent=sent)
        if now != latest:
            self._write(
                _key_of_latest(finding, kind),
                {
                    "finding": finding.id,
                    "sent": now.sent.isoformat(),
                    "events": sorted(now.events),
                    "reversed": sorted(now.reversed),
                },
            )

    def _place(self, key: str) -> str:
        return f"s3://{self._bucket}/{key}"

    def _write(self, key: str, record: Mapping[str, Any]) -> None:
        self._client.put_object(
            Bucket=self._bucket,
            Key=key,
            Body=json.dumps(record).encode(),
            ContentType="application/json",
        )

    def _read(self, key: str) -> dict[str, Any] | None:
        return read_json(self._client, bucket=self._bucket, key=key)


def _change_in(record: Mapping[str, Any]) -> Change:
    return Change(
        resource=record["resource"],
        description=record["description"],
        prior_state=record["priorState"],
        left=record.get("left"),
    )


def _prefix(finding: Finding) -> str:
    return f"{finding.aws_account_id}/{finding.region}/{finding.digest}"


def _key(finding: Finding, remediation: str) -> str:
    return f"{_prefix(finding)}/{remediation}.json"


def _key_of_latest(finding: Finding, kind: str) -> str:
    # Not among the records, all of which an undo restores.
    return f"latest/{_prefix(finding)}/{kind}.json"


def _earlier_key(finding: Finding) -> str:
    return f"{_prefix(finding)}.json"
