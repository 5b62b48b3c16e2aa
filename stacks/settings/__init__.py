"""The typed settings of the stacks, read from settings.toml.

The description of each setting states what it does and which values are allowed. Error messages include it.
"""

from __future__ import annotations

from stacks.settings.app import AlarmsSettings, InsightResultsSettings, Settings
from stacks.settings.faults import SettingsError
from stacks.settings.hubs import Hub, HubsSettings
from stacks.settings.loading import SETTINGS_FILE, check_settings, load_settings
from stacks.settings.press import PressSettings
from stacks.settings.remediation import RemediationSettings
from stacks.settings.routing import RoutingSettings
from stacks.settings.summary import SummarySettings
from stacks.settings.suppressions import SuppressionSettings
from stacks.settings.ticketing import TicketingSettings

__all__ = [
    "SETTINGS_FILE",
    "AlarmsSettings",
    "Hub",
    "HubsSettings",
    "InsightResultsSettings",
    "PressSettings",
    "RemediationSettings",
    "RoutingSettings",
    "Settings",
    "SettingsError",
    "SummarySettings",
    "SuppressionSettings",
    "TicketingSettings",
    "check_settings",
    "load_settings",
]
