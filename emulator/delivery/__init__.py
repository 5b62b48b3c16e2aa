"""Faithful EventBridge deliveries: permissions, retries, dead-letter queues, and more targets.

`register` replaces MiniStack's own delivery, which has none of these. It relies on MiniStack's
private functions; tests/emulator/contract names each.
"""

from __future__ import annotations

from functools import partial

from emulator.delivery.log import Delivery, DeliveryLog, LambdaAnswer

__all__ = ["Delivery", "DeliveryLog", "LambdaAnswer", "register"]


def register(log: DeliveryLog) -> None:
    """Replace MiniStack's delivery to EventBridge targets and its asynchronous Lambda invocation.

    Args:
        log: Gets every event and every delivery.
    """
    # Importing MiniStack settles its port, so only the server process does it, and as late as this.
    from ministack.services import eventbridge, lambda_svc  # noqa: PLC0415

    from emulator.delivery import asynchronous, buses, entries, queued  # noqa: PLC0415
    from emulator.delivery.engine import Engine  # noqa: PLC0415
    from emulator.services import reset_also  # noqa: PLC0415
    from emulator.systems_manager import automations, ops_items  # noqa: PLC0415

    engine = Engine(log)
    eventbridge._dispatch_event = engine.dispatch  # noqa: SLF001 - the point of this module
    eventbridge._invoke_target = engine.deliver  # noqa: SLF001
    eventbridge._put_events = entries.put_events  # noqa: SLF001
    eventbridge._put_permission = buses.put_permission  # noqa: SLF001
    eventbridge._delete_event_bus = buses.delete_event_bus  # noqa: SLF001
    eventbridge._remove_permission = buses.remove_permission  # noqa: SLF001
    eventbridge.reset = reset_also(eventbridge.reset, log.clear, automations.clear, ops_items.clear)
    lambda_svc.invoke_async_with_retry = partial(asynchronous.invoke, log)
    queued.register()
    automations.register()
    ops_items.register()
