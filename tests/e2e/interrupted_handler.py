"""A handler that ends its own process, which `test_interrupted_press.py` deploys beside the real one.

It ends at the first attempt to handle a finding, right before or after the call of AWS that the end of the
finding's ID names. The calls of each attempt are logged, for the test to follow.
"""

from __future__ import annotations

import os
from pathlib import Path

from botocore.client import BaseClient

from functions.remediate import handler

_LOGS = Path(os.environ["CALLS_FOLDER"])
_call = BaseClient._make_api_call
_attempt = None


class Attempt:
    """One attempt to handle the event of a press on one finding."""

    def __init__(self, finding_id):
        self._end = finding_id.rpartition("/")[2]
        number = len(list(_LOGS.glob(f"{self._end}.*"))) + 1
        self._log = _LOGS / f"{self._end}.{number}"
        self._log.touch()
        self._is_first = number == 1

    def reach(self, moment):
        with self._log.open("a", encoding="utf-8") as log:
            log.write(f"{moment}\n")
        if self._is_first and moment == self._end:
            os._exit(1)


def _logged_call(client, operation, arguments):
    attempt = _attempt
    if attempt is None:
        return _call(client, operation, arguments)
    attempt.reach(f"before-{operation}")
    answer = _call(client, operation, arguments)
    attempt.reach(f"after-{operation}")
    return answer


BaseClient._make_api_call = _logged_call


def handle(event, context):
    """Handle an event, as far as the process gets."""
    global _attempt  # noqa: PLW0603 - a process handles one event at a time
    (finding,) = event["detail"]["findings"]
    _attempt = Attempt(finding["Id"])
    try:
        return handler.handle(event, context)
    finally:
        _attempt = None
