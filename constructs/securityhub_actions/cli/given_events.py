"""Reads what a user specifies as an event: a file, a folder, or the standard input."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from securityhub_actions.cli import envelopes
from securityhub_actions.cli.assembly import Action
from securityhub_actions.cli.errors import CommandError
from securityhub_actions.cli.options import region_of_environment
from securityhub_actions.cli.sample_findings import ACCOUNT, REGION
from securityhub_actions.cli.target_input import value_at

STANDARD_INPUT: Final = "-"
_ALLOWED: Final = (
    "an event (with `detail-type` and `detail`), a finding in ASFF (with `ProductArn` and `Id`) or in OCSF "
    "(with `class_uid` and `metadata`), a list of them, one in each line, or an object with `Findings`"
)


class ActionsIn(Protocol):
    """Returns the custom actions of an account and a Region."""

    def __call__(self, *, account: str, region: str) -> Sequence[Action]:
        """Return the custom actions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """An event or a finding, and where it comes from.

    Attributes:
        origin: The file; with the position in it, if it has several.
        document: The event or the finding.
    """

    origin: str
    document: dict[str, Any]

    @property
    def is_event(self) -> bool:
        """Whether it's an event."""
        return "detail-type" in self.document and isinstance(self.document.get("detail"), dict)

    @property
    def is_ocsf(self) -> bool:
        """Whether it's a finding in OCSF."""
        return "class_uid" in self.document and isinstance(self.document.get("metadata"), dict)

    @property
    def finding_id(self) -> str:
        """The ID of the finding."""
        if not self.is_ocsf:
            return str(self.document["Id"])
        uid = value_at("$.finding_info.uid", self.document) or value_at("$.metadata.uid", self.document)
        return str(uid[0]) if uid else ""

    def place(self, *, account: str | None, region: str | None) -> dict[str, str]:
        """Return the account and the Region of the finding's events.

        Args:
            account: The account. Default: the one that the finding is about.
            region: The Region. Default: the one that the finding is about.
        """
        paths = ("$.cloud.account.uid", "$.cloud.region") if self.is_ocsf else ("$.AwsAccountId", "$.Region")
        own_account, own_region = (value_at(path, self.document) for path in paths)
        return {
            "account": account or (str(own_account[0]) if own_account else ACCOUNT),
            "region": region or (str(own_region[0]) if own_region else region_of_environment() or REGION),
        }

    def imported(self, *, account: str, region: str) -> dict[str, Any]:
        """Return the event that Security Hub sends when the finding is imported or updated."""
        event = envelopes.imported_v2 if self.is_ocsf else envelopes.imported
        return event(self.document, account=account, region=region)


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


def read_given(path: str) -> Iterator[Given]:
    """Read events and findings.

    Args:
        path: A file, a folder with JSON files, or `-` for the standard input.

    Raises:
        CommandError: A file can't be read, or contains something else.
    """
    for origin, document in _documents(path):
        yield from _unpacked(origin, document)


def events_of(
    given: Given, *, actions_in: ActionsIn, account: str | None = None, region: str | None = None
) -> Iterator[GivenEvent]:
    """Return an event, or each event that a finding can be in.

    A finding in ASFF can be in the event for imported findings and in one for each custom action; a finding
    in OCSF, in the event for imported findings of the new Security Hub.

    Args:
        given: The event or the finding.
        actions_in: Returns the custom actions of an account and a Region.
        account: The account of events made from findings. Default: the one that the finding is about.
        region: The Region of events made from findings. Default: the one that the finding is about.
    """
    if given.is_event:
        yield GivenEvent(origin=given.origin, event=given.document)
        return
    place = given.place(account=account, region=region)
    made = [given.imported(**place)]
    if not given.is_ocsf:
        made += [press_of(action, given.document, **place) for action in actions_in(**place)]
    for event in made:
        yield GivenEvent(origin=given.origin, event=event, made_from=given.finding_id)


def press_of(action: Action, *findings: Mapping[str, Any], account: str, region: str) -> dict[str, Any]:
    """Return the event for a custom action that was chosen for findings."""
    return envelopes.custom_action(
        findings,
        arn=action.arn,
        name=action.name,
        description=action.description,
        account=account,
        region=region,
    )


def _documents(given: str) -> Iterator[tuple[str, object]]:
    if given == STANDARD_INPUT:
        yield "the standard input", _decoded("the standard input", _read(sys.stdin.buffer.read, given))
        return
    path = Path(given)
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix in {".json", ".jsonl", ".ndjson"})
        if not files:
            raise CommandError(f"{given} contains no files that end with .json, .jsonl, or .ndjson.")
    else:
        files = [path]
    for file in files:
        yield str(file), _decoded(str(file), _read(file.read_bytes, str(file)))


def _read(read: Callable[[], bytes], origin: str) -> str:
    try:
        # Windows PowerShell writes a byte order mark.
        return read().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise CommandError(
            f"{origin} can't be read: {reason}. Specify a file, a folder, or `-` for the standard input."
        ) from error


def _decoded(origin: str, text: str) -> object:
    try:
        return json.loads(text)
    except RecursionError as error:
        raise CommandError(f"{origin} is nested too deeply. Specify {_ALLOWED}.") from error
    except ValueError as error:
        lines = [line for line in text.splitlines() if line.strip()]
        try:
            # As Firehose delivers them to S3.
            return [json.loads(line) for line in lines] if len(lines) > 1 else _fail(origin, error)
        except (ValueError, RecursionError):
            return _fail(origin, error)


def _fail(origin: str, error: Exception) -> object:
    raise CommandError(f"{origin} is not JSON: {error}. Specify {_ALLOWED}.") from error


def _unpacked(origin: str, document: object) -> Iterator[Given]:
    items = document if isinstance(document, list) else [document]
    if isinstance(document, dict) and isinstance(document.get("Findings"), list):
        items = document["Findings"]
    for number, item in enumerate(items, start=1):
        name = origin if len(items) == 1 else f"{origin} [{number}]"
        if not isinstance(item, dict):
            raise CommandError(f"{name} is not a JSON object. Specify {_ALLOWED}.")
        given = Given(origin=name, document=item)
        if not (given.is_event or given.is_ocsf or {"ProductArn", "Id"} <= item.keys()):
            names = f"the keys {', '.join(list(item)[:5])}" if item else "no keys"
            raise CommandError(f"{name} contains an object with {names}. Specify {_ALLOWED}.")
        yield given
