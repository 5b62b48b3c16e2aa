"""A handler with faults of the function itself, which `fault_app.py` deploys around the one for tickets.

In the folder that the environment names, the file `crash` holds a part of the ID of the finding whose update
ends the process, once, and the file `skew` holds how many seconds the clock is ahead. After a crash, it's
ahead by more than a lease lasts, as it is on AWS when the messages come again.
"""

from __future__ import annotations

import datetime as clock
import os
import sys
import time
from pathlib import Path

_FAULTS = Path(os.environ["FAULTS_FOLDER"])
# How long a second of a pause between two attempts to call something lasts. Leases last as long as on AWS.
_PAUSE_SECOND = 0.05
_time, _sleep = time.time, time.sleep


def _told(name):
    try:
        return (_FAULTS / name).read_text()
    except FileNotFoundError:
        return ""


def _skew():
    return float(_told("skew") or 0)


class _SkewedDatetime(clock.datetime):
    @classmethod
    def now(cls, tz=None):
        return super().now(tz) + clock.timedelta(seconds=_skew())


# Before the import of what keeps a reference to them.
time.time = lambda: _time() + _skew()
time.sleep = lambda seconds: _sleep(seconds * _PAUSE_SECOND)

from botocore.client import BaseClient  # noqa: E402 - as above

from functions.tickets import handler  # noqa: E402 - as above
from invocation.once import LEASE_SECONDS  # noqa: E402 - as above

for _name, _module in list(sys.modules.items()):
    if _name.startswith(("functions.", "invocation.", "securityhub.")) and hasattr(_module, "datetime"):
        _module.datetime = _SkewedDatetime

_call = BaseClient._make_api_call


def _crashing_call(client, operation, arguments):
    victim = _told("crash")
    if operation == "BatchUpdateFindings" and victim and victim in str(arguments):
        (_FAULTS / "crash").unlink()
        (_FAULTS / "skew").write_text(str(LEASE_SECONDS + 1))
        os._exit(1)
    return _call(client, operation, arguments)


BaseClient._make_api_call = _crashing_call
handle = handler.handle
