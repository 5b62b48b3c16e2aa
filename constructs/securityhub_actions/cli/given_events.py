"""Reads what a user specifies as an event: a file, a folder, or the standard input."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from securityhub_actions.cli import envelopes
from securityhub_actions.cli.assembly import Action
from securityhub_actions.cli.errors import CommandError

STANDARD_INPUT: Final = "-"
_ALLOWED: Final = (
    "an event (with `detail-type` and `detail`), a finding in ASFF (with `ProductArn` and `Id`) or in OCSF "
    "(with `class_uid` and `metadata`), a list of them, one in each line, or an object with `Findings`"
)
_DEFAULT_ACCOUNT: Final = "111122223333"
_DEFAULT_REGION: Final = "us-east-1"


class ActionsIn(Protocol):
    """Returns the custom actions of an account and a Region."""

    def __call__(self, *, account: str, region: str) -> Sequence[Action]:
        """Return the custom actions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenEvent:
    """An event, and where it comes from.

    Attributes:
        origin: The file; with the position in it, if it has several.
        event: The event.
        made_from: The finding from which it was made, or None if the event itself was given.
    """

    origin: str
    event: dict[str, Any]
    made_from: str | None = None


def read_events(
    given: str, *, actions_in: ActionsIn, account: str | None = None, region: str | None = None
) -> Iterator[GivenEvent]:
    """Read events.

    A finding becomes each event that it can be in: in ASFF, the event for imported findings and one for each
    custom action; in OCSF, the event for imported findings of the new Security Hub.

    Args:
        given: A file, a folder with JSON files, or `-` for the standard input.
        actions_in: Returns the custom actions of an account and a Region.
        account: The account of events made from findings. Default: the one that the finding is about.
        region: The Region of events made from findings. Default: the one that the finding is about.

    Raises:
        CommandError: A file can't be read, or contains something else.
    """
    for origin, document in _documents(given):
        for one_origin, one in _unpacked(origin, document):
            if "detail-type" in one and isinstance(one.get("detail"), dict):
                yield GivenEvent(origin=one_origin, event=one)
            else:
                yield from events_of(one, one_origin, actions_in=actions_in, account=account, region=region)


def events_of(
    finding: Mapping[str, Any],
    origin: str,
    *,
    actions_in: ActionsIn,
    account: str | None = None,
    region: str | None = None,
) -> Iterator[GivenEvent]:
    """Return each event that a finding can be in.

    Raises:
        CommandError: It's neither a finding in ASFF nor in OCSF.
    """
    if "class_uid" in finding and isinstance(finding.get("metadata"), dict):
        cloud = finding.get("cloud") or {}
        place = {
            "account": account or (cloud.get("account") or {}).get("uid") or _DEFAULT_ACCOUNT,
            "region": region or cloud.get("region") or _DEFAULT_REGION,
        }
        uid = str((finding.get("finding_info") or {}).get("uid") or finding["metadata"].get("uid"))
        yield GivenEvent(origin=origin, event=envelopes.imported_v2(finding, **place), made_from=uid)
        return
    if "ProductArn" not in finding or "Id" not in finding:
        names = ", ".join(list(finding)[:5]) or "no fields"
        raise CommandError(f"{origin} has an object with {names}. Allowed is {_ALLOWED}.")
    place = {
        "account": account or finding.get("AwsAccountId") or _DEFAULT_ACCOUNT,
        "region": region or finding.get("Region") or _DEFAULT_REGION,
    }
    identifier = str(finding["Id"])
    yield GivenEvent(origin=origin, event=envelopes.imported(finding, **place), made_from=identifier)
    for action in actions_in(**place):
        event = envelopes.custom_action(
            [finding], arn=action.arn, name=action.name, description=action.description, **place
        )
        yield GivenEvent(origin=origin, event=event, made_from=identifier)


def _documents(given: str) -> Iterator[tuple[str, object]]:
    if given == STANDARD_INPUT:
        yield "the standard input", _decoded("the standard input", sys.stdin.read())
        return
    path = Path(given)
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix in {".json", ".jsonl", ".ndjson"})
        if not files:
            raise CommandError(f"{given} contains no files that end with .json, .jsonl, or .ndjson.")
    else:
        files = [path]
    for file in files:
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise CommandError(
                f"{file} can't be read: {reason}. Specify a file, a folder, or `-` for the standard input."
            ) from error
        yield str(file), _decoded(str(file), text)


def _decoded(origin: str, text: str) -> object:
    try:
        return json.loads(text)
    except ValueError as error:
        lines = [line for line in text.splitlines() if line.strip()]
        try:
            # As Firehose delivers them to S3.
            return [json.loads(line) for line in lines] if len(lines) > 1 else _fail(origin, error)
        except ValueError:
            return _fail(origin, error)


def _fail(origin: str, error: Exception) -> object:
    raise CommandError(f"{origin} is not JSON: {error}. Allowed is {_ALLOWED}.") from error


def _unpacked(origin: str, document: object) -> Iterator[tuple[str, dict[str, Any]]]:
    items: Iterable[object] = document if isinstance(document, list) else [document]
    if isinstance(document, dict) and isinstance(document.get("Findings"), list):
        items = document["Findings"]
    items = list(items)
    for number, item in enumerate(items, start=1):
        name = origin if len(items) == 1 else f"{origin} [{number}]"
        if not isinstance(item, dict):
            raise CommandError(f"{name} is not a JSON object. Allowed is {_ALLOWED}.")
        yield name, item
