"""What AWS refuses and MiniStack accepts: quotas, and FIFO queues where only standard queues work.

Each module covers one service, with its limits both for the service's own operations and for the
CloudFormation types that bypass them. The quotas are AWS's defaults. An account whose quotas were raised
accepts more.
"""

from __future__ import annotations

from emulator.quotas import event_rules, function_policies, log_policies, queue_policies, role_policies


def register() -> None:
    """Check the requests of clients and the resources of stacks against AWS's quotas."""
    for service in (event_rules, function_policies, log_policies, queue_policies, role_policies):
        service.register()
