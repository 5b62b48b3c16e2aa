"""Faithful EventBridge deliveries: permissions, retries, dead-letter queues, and more targets.

`register` takes over from MiniStack, whose own delivery ignores all of these. It relies on MiniStack's
private functions; tests/emulator/test_delivery_contract.py names each.
"""

from emulator.delivery.log import Delivery, DeliveryLog, LambdaAnswer

__all__ = ["Delivery", "DeliveryLog", "LambdaAnswer", "register"]


def register(log: DeliveryLog) -> None:
    """Replace MiniStack's delivery to EventBridge targets and its asynchronous Lambda invocation.

    Args:
        log: Gets every event and every delivery.
    """
    # Importing MiniStack settles its port, so only the server process does it, and as late as this.
    from ministack.services import eventbridge, lambda_svc  # noqa: PLC0415

    from emulator.delivery import asynchronous, ssm  # noqa: PLC0415
    from emulator.delivery.engine import Engine  # noqa: PLC0415

    engine = Engine(log)
    eventbridge._dispatch_event = engine.dispatch  # noqa: SLF001 - the point of this module
    eventbridge._invoke_target = engine.deliver  # noqa: SLF001
    lambda_svc.invoke_async_with_retry = asynchronous.invoke
    ssm.register()
