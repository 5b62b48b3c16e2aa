"""The sources and detail types of the events that rules match, and how functions know the bus of outcomes.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-cwe-event-formats.html
"""

from __future__ import annotations

from typing import Final

from securityhub_actions.each_finding_handler.parts import SOURCE

EVENT_SOURCE: Final = "aws.securityhub"
PRESS_SOURCE: Final = "securityhub-actions.press"
"""The source of events on a `PressBus`. EventBridge accepts sources with `aws.` only from AWS services."""
EACH_FINDING_ID: Final = "SecurityHubEachFinding"
"""The construct ID of the function and the bus of `targets.EachFinding`, which the rules of a stack share."""
EACH_FINDING_SOURCE: Final = SOURCE
"""The source of events on the bus of `targets.EachFinding`."""
IMPORTED: Final = "Security Hub Findings - Imported"
IMPORTED_V2: Final = "Findings Imported V2"
CUSTOM_ACTION: Final = "Security Hub Findings - Custom Action"
INSIGHT_RESULTS: Final = "Security Hub Insight Results"
OUTCOME_BUS: Final = "OUTCOME_BUS"
"""The environment variable with the bus of outcomes, as in lambda/securityhub/outcomes/reporting.py."""
