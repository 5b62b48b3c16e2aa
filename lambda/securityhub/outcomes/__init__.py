"""What became of a finding, as an event for others, and as metrics.

`Outcome` is one outcome, and `Outcomes` reports them.
"""

from __future__ import annotations

from securityhub.outcomes.model import Operation, Outcome, Result
from securityhub.outcomes.reporting import Outcomes, OutcomesNotReportedError, Reporter

__all__ = ["Operation", "Outcome", "Outcomes", "OutcomesNotReportedError", "Reporter", "Result"]
