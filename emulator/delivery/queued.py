"""What a function failed to handle waits in its queue, on a clock that can run faster than real time.

So does what Lambda may not receive, because the function's role can't decrypt it.

On AWS, a message becomes visible again after the visibility timeout, which for the queues of this project is
half an hour: a test can't wait for five of them.

Source: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

from __future__ import annotations

import os
import time
from typing import Any

from ministack.core.responses import get_region
from ministack.services import lambda_svc, sqs

from emulator.delivery.retry import VISIBILITY_VARIABLE
from emulator.errors import DeliveryError
from emulator.iam import keys
from emulator.iam.requests_of_services import require_role_policies

_original_run_batch = lambda_svc._run_sqs_batch  # noqa: SLF001 - see tests/emulator/contract


def register() -> None:
    """Let the messages that a function failed to handle become visible on the server's clock."""
    lambda_svc._run_sqs_batch = _run_batch  # noqa: SLF001


def _run_batch(  # noqa: PLR0917 - as MiniStack calls it
    esm: dict[str, Any],
    func_rec: dict[str, Any],
    event: dict[str, Any],
    batch: list[dict[str, Any]],
    queue_url: str,
    queue_name: str,
) -> None:
    """Invoke the function with a batch, and let the time of what remains pass faster.

    The clock isn't faster while the function runs, or it would get a message that it is working on again.
    """
    if not _may_receive(func_rec["config"]["Role"], esm["EventSourceArn"], batch):
        return  # the messages become visible again
    received = {message["id"]: message["receipt_handle"] for message in batch}
    _original_run_batch(esm, func_rec, event, batch, queue_url, queue_name)
    scale = float(os.environ[VISIBILITY_VARIABLE])
    now = time.time()
    queue = sqs._queues.get(queue_url) or {"messages": []}  # noqa: SLF001
    for message in queue["messages"]:
        # With another receipt, the message has been received again since.
        if received.get(message["id"]) == message["receipt_handle"] and message["visible_at"] > now:
            message["visible_at"] = now + (message["visible_at"] - now) * scale


def _may_receive(role_arn: str, queue_arn: str, batch: list[dict[str, Any]]) -> bool:
    """Whether a function's role may use the keys of messages, with which Lambda receives them.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
    """
    via = {"kms:viaservice": f"sqs.{get_region()}.amazonaws.com"}
    try:
        for action, key in keys.permissions_to_receive(queue_arn, batch):
            require_role_policies(role_arn, action=action, resource=key, keys=via)
    except DeliveryError:
        return False
    return True
