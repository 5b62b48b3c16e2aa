"""Third-party services as rule targets. Each takes an address, settings, and a secret.

docs/targets/saas.md describes the events that each supports, the contents of its secret, and how it fails.
"""

from __future__ import annotations

from securityhub_actions.targets.saas.datadog import Datadog
from securityhub_actions.targets.saas.elastic import Elastic
from securityhub_actions.targets.saas.google_sec_ops import GoogleSecOps
from securityhub_actions.targets.saas.jira_cloud import JiraCloud
from securityhub_actions.targets.saas.microsoft_sentinel import MicrosoftSentinel
from securityhub_actions.targets.saas.microsoft_teams import MicrosoftTeams
from securityhub_actions.targets.saas.pager_duty import (
    PagerDuty,
    PagerDutyEventAction,
    PagerDutySeverity,
)
from securityhub_actions.targets.saas.service_now import ServiceNow, ServiceNowLevel
from securityhub_actions.targets.saas.slack import Slack
from securityhub_actions.targets.saas.splunk_hec import SplunkHec
from securityhub_actions.targets.saas.webhook import Webhook

__all__ = [
    "Datadog",
    "Elastic",
    "GoogleSecOps",
    "JiraCloud",
    "MicrosoftSentinel",
    "MicrosoftTeams",
    "PagerDuty",
    "PagerDutyEventAction",
    "PagerDutySeverity",
    "ServiceNow",
    "ServiceNowLevel",
    "Slack",
    "SplunkHec",
    "Webhook",
]
