"""The targets to which rules send events: one class for each service.

You can also use any other `aws_events.IRuleTarget`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from securityhub_actions.lazy_names import lazy_names

if TYPE_CHECKING:
    from securityhub_actions.targets.api_destination import ApiDestination
    from securityhub_actions.targets.automation import Automation
    from securityhub_actions.targets.each_finding import EachFinding
    from securityhub_actions.targets.event_bus import EventBus
    from securityhub_actions.targets.finding_paths import FindingPaths
    from securityhub_actions.targets.firehose_stream import FirehoseStream
    from securityhub_actions.targets.json_input import InputPath
    from securityhub_actions.targets.kinesis_stream import KinesisStream
    from securityhub_actions.targets.lambda_function import LambdaFunction
    from securityhub_actions.targets.log_group import LogGroup
    from securityhub_actions.targets.ops_item import OpsItem, OpsItemSeverity
    from securityhub_actions.targets.run_command import Instances, RunCommand
    from securityhub_actions.targets.saas import (
        Datadog,
        Elastic,
        GoogleSecOps,
        JiraCloud,
        MicrosoftSentinel,
        MicrosoftTeams,
        PagerDuty,
        PagerDutyEventAction,
        PagerDutySeverity,
        ServiceNow,
        ServiceNowLevel,
        Slack,
        SplunkHec,
        Webhook,
    )
    from securityhub_actions.targets.security_incident_case import (
        CaseEngagement,
        CaseResolver,
        SecurityIncidentCase,
    )
    from securityhub_actions.targets.sns_topic import SnsTopic
    from securityhub_actions.targets.sqs_queue import SqsQueue
    from securityhub_actions.targets.state_machine import StateMachine
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "ApiDestination": "api_destination",
            "Automation": "automation",
            "EachFinding": "each_finding",
            "EventBus": "event_bus",
            "FindingPaths": "finding_paths",
            "FirehoseStream": "firehose_stream",
            "InputPath": "json_input",
            "KinesisStream": "kinesis_stream",
            "LambdaFunction": "lambda_function",
            "LogGroup": "log_group",
            "OpsItem": "ops_item",
            "OpsItemSeverity": "ops_item",
            "Instances": "run_command",
            "RunCommand": "run_command",
            "Datadog": "saas",
            "Elastic": "saas",
            "GoogleSecOps": "saas",
            "JiraCloud": "saas",
            "MicrosoftSentinel": "saas",
            "MicrosoftTeams": "saas",
            "PagerDuty": "saas",
            "PagerDutyEventAction": "saas",
            "PagerDutySeverity": "saas",
            "ServiceNow": "saas",
            "ServiceNowLevel": "saas",
            "Slack": "saas",
            "SplunkHec": "saas",
            "Webhook": "saas",
            "CaseEngagement": "security_incident_case",
            "CaseResolver": "security_incident_case",
            "SecurityIncidentCase": "security_incident_case",
            "SnsTopic": "sns_topic",
            "SqsQueue": "sqs_queue",
            "StateMachine": "state_machine",
        },
    )

__all__ = [
    "ApiDestination",
    "Automation",
    "CaseEngagement",
    "CaseResolver",
    "Datadog",
    "EachFinding",
    "Elastic",
    "EventBus",
    "FindingPaths",
    "FirehoseStream",
    "GoogleSecOps",
    "InputPath",
    "Instances",
    "JiraCloud",
    "KinesisStream",
    "LambdaFunction",
    "LogGroup",
    "MicrosoftSentinel",
    "MicrosoftTeams",
    "OpsItem",
    "OpsItemSeverity",
    "PagerDuty",
    "PagerDutyEventAction",
    "PagerDutySeverity",
    "RunCommand",
    "SecurityIncidentCase",
    "ServiceNow",
    "ServiceNowLevel",
    "Slack",
    "SnsTopic",
    "SplunkHec",
    "SqsQueue",
    "StateMachine",
    "Webhook",
]
