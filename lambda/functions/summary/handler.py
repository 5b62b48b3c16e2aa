"""Entry point `functions.summary.handler.handle`, which EventBridge Scheduler invokes."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.summary.finding_pages import FindingPages
from functions.summary.page import page_of
from functions.summary.posting import Slack, Teams
from functions.summary.report import Report
from functions.summary.run import Run, Services, Summary
from functions.summary.settings import Settings
from functions.summary.sources import remediations_in, waiting_messages
from functions.summary.storage import Storage
from functions.summary.text import message_of
from invocation.clients import create_client
from invocation.once import RememberedWork
from invocation.secrets import Secrets
from invocation.topic import Topic, region_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

logger = Logger(service="summary")

# Created once per container, so that wrong settings fail the cold start and connections are reused.
settings = Settings.from_environment(os.environ)
storage = Storage(create_client("s3"), settings.bucket)
secrets = Secrets()


def _channels() -> Mapping[str, Callable[[Report, Run], None]]:
    """Return the channels, by names for errors. The page comes first, because the others say where it is."""
    topic = Topic(create_client("sns", region=region_of(settings.topic_arn)), settings.topic_arn)
    channels: dict[str, Callable[[Report, Run], None]] = {
        "page": lambda report, run: storage.put_page(run.schedule, run.scheduled, page_of(report)),
        "topic": lambda report, _: _publish(topic, report),
    }
    if settings.slack_channel:
        slack = Slack(
            url=settings.slack_url,
            channel=settings.slack_channel,
            secret=settings.slack_secret,
            get_secret=secrets.get,
        )
        channels["Slack"] = lambda report, _: slack.send(report)
    if settings.teams_secret:
        teams = Teams(secret=settings.teams_secret, get_secret=secrets.get)
        channels["Teams"] = lambda report, _: teams.send(report)
    return channels


def _publish(topic: Topic, report: Report) -> None:
    topic.publish(message_of(report))


summary = Summary(
    services=Services(
        pages=FindingPages(create_client("securityhub"), is_v2=settings.is_v2),
        storage=storage,
        once=RememberedWork.in_table(create_client("dynamodb"), settings.table),
        dead_letters=partial(waiting_messages, create_client("sqs"), settings.queues),
        remediations=(
            (
                lambda start, end, has_time: remediations_in(
                    create_client("logs"),
                    settings.remediation_log_group,
                    start=start,
                    end=end,
                    has_time=has_time,
                )
            )
            if settings.remediation_log_group
            else None
        ),
        channels=_channels(),
    ),
    overdue_days=settings.overdue_days,
    timezone=settings.timezone,
    origin=settings.origin,
)


@logger.inject_lambda_context
def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, object]:
    """Make a summary and send it to all channels.

    Args:
        event: The input of the schedule: `schedule`, `scheduledTime`, and `suppressions`.
        context: The Lambda context.

    Returns:
        What was sent, or why nothing was.

    Raises:
        ValueError: The event isn't the input of a schedule.
        SummaryIncompleteError: Something could not be counted, or a channel could not be reached.
    """
    run = Run.of_event(event)
    result = summary.make(run, seconds_left=lambda: context.get_remaining_time_in_millis() / 1000)
    logger.info("Summary made", extra={"run": run.key, "result": result})
    return result
