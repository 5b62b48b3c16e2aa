"""The events that Security Hub puts on the default bus of the request's account and Region.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-cwe-event-formats.html
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from ministack.services import eventbridge

from emulator.securityhub import ocsf, state
from emulator.securityhub.model import Document, SecurityHubError
from emulator.securityhub.state import HUB_KEY, Finding

SOURCE: Final = "aws.securityhub"
IMPORTED: Final = "Security Hub Findings - Imported"
IMPORTED_V2: Final = "Findings Imported V2"
CUSTOM_ACTION: Final = "Security Hub Findings - Custom Action"
INSIGHT_RESULTS: Final = "Security Hub Insight Results"


def finding_imported(finding: Finding) -> None:
    """Send the Imported event of a finding as it is stored now, and another in OCSF if V2 is enabled."""
    arn = f"{finding.document['ProductArn']}/{finding.document['Id']}"
    send(IMPORTED, [arn], {"findings": [finding.document]})
    if HUB_KEY in state.hubs_v2:
        finding_imported_v2(finding)


def finding_imported_v2(finding: Finding) -> None:
    """Send the event of the new Security Hub alone about a finding as it is stored now."""
    send(IMPORTED_V2, [ocsf.metadata_uid(finding.document)], {"findings": [ocsf.stored(finding)]})


def send(detail_type: str, resources: Sequence[str], detail: Document) -> Document:
    """Put one event on the default bus.

    Args:
        detail_type: One of this module's detail types.
        resources: The event's resources.
        detail: The event's detail.

    Returns:
        The event as its targets receive it, with its envelope.

    Raises:
        SecurityHubError: InternalException if EventBridge doesn't accept the event.
    """
    entry = {
        "Source": SOURCE,
        "DetailType": detail_type,
        "Resources": list(resources),
        "Detail": json.dumps(detail),
        "EventBusName": "default",
    }
    _status, _headers, body = eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)  # noqa: SLF001 - the only way to send an aws.* source
    answer = json.loads(body)
    if answer.get("FailedEntryCount") != 0:
        raise SecurityHubError("InternalException", f"EventBridge did not take the event: {answer}")
    event_id = answer["Entries"][0]["EventId"]
    sent = eventbridge._events_log_list()  # noqa: SLF001 - the answer of PutEvents leaves the envelope out
    record = next(record for record in reversed(sent) if record["EventId"] == event_id)
    envelope: Document = eventbridge._pattern_event_view(record).event_with_detail()  # noqa: SLF001 - as above
    return envelope
