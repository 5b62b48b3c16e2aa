"""Entry point `functions.insight_digest.handler.handle`: parses the event and publishes a digest of it."""

from __future__ import annotations

import os

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.insight_digest.logic import Settings, compose_digest, malformed_items
from invocation.topic import Topic, create_client
from securityhub.events import parse_event

logger = Logger(service="insight_digest")

# Created once per container, so that wrong settings fail the cold start and connections are reused.
settings = Settings.from_environment(os.environ)
topic = Topic(create_client(settings.topic_region), settings.topic_arn)


@logger.inject_lambda_context(correlation_id_path=correlation_paths.EVENT_BRIDGE)
def handle(event: dict[str, object], context: LambdaContext) -> dict[str, object]:  # noqa: ARG001 - Lambda's signature
    """Publish a readable digest of an event's insight results, or of its findings, to the topic.

    Args:
        event: The EventBridge event.
        context: Lambda's context.

    Returns:
        `subject`, `messageId` from SNS, and `malformed`: the items that can't be read, which the digest only
        counts. They aren't an error, because the digest mentions them and a retry would send it again.

    Raises:
        MalformedEventError: The event as a whole can't be read.
        MessageNotPublishedError: SNS didn't accept the message.
    """
    logger.debug("Event received", extra={"event": event})
    parsed = parse_event(event)
    message = compose_digest(parsed)
    malformed = [
        {"index": item.index, "id": item.id, "reason": item.reason} for item in malformed_items(parsed)
    ]
    if malformed:
        logger.warning("Left out of the digest", extra={"malformed": malformed})
    message_id = topic.publish(message)
    logger.info("Digest published", extra={"subject": message.subject, "messageId": message_id})
    return {"subject": message.subject, "messageId": message_id, "malformed": malformed}
