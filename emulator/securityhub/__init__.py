"""AWS Security Hub for the embedded AWS: an in-process plug-in for MiniStack, which has none.

`register` adds the service, so that boto3 and the CDK talk to it as to the real one. `press_app` adds what
no AWS API offers: pressing a custom action, as in the console, and making the next calls fail, for tests.

What it emulates, from botocore's own model of the service: the hub (and Security Hub V2 as far as it decides
which events are sent), action targets, findings, insights, and the events that each of them puts on the
default bus of the account and Region. Any other operation of the service answers HTTP 501.
"""

from __future__ import annotations

from emulator.securityhub.api import register
from emulator.securityhub.console import press_app

__all__ = ["press_app", "register"]
