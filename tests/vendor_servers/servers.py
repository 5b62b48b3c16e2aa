"""The local servers of all vendors, each started when it is first used."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from functools import cached_property

from tests.vendor_servers.jira import JiraServer
from tests.vendor_servers.pager_duty import PagerDutyServer
from tests.vendor_servers.server import VendorServer
from tests.vendor_servers.service_now import ServiceNowServer
from tests.vendor_servers.slack import SlackServer
from tests.vendor_servers.teams import TeamsServer

MEMBERS = {"jira": "jira", "servicenow": "service_now", "pagerduty": "pager_duty", "slack": "slack"}


class VendorServers(contextlib.ExitStack):
    """The servers, with the environment and the secrets that lead the trackers to them."""

    @cached_property
    def jira(self) -> JiraServer:
        """A Jira Cloud site."""
        return self.enter_context(JiraServer().running())

    @cached_property
    def jira_data_center(self) -> JiraServer:
        """A Jira Data Center site."""
        return self.enter_context(JiraServer(cloud=False).running())

    @cached_property
    def service_now(self) -> ServiceNowServer:
        """A ServiceNow instance."""
        return self.enter_context(ServiceNowServer().running())

    @cached_property
    def pager_duty(self) -> PagerDutyServer:
        """A PagerDuty account."""
        return self.enter_context(PagerDutyServer().running())

    @cached_property
    def slack(self) -> SlackServer:
        """A Slack workspace."""
        return self.enter_context(SlackServer().running())

    @cached_property
    def teams(self) -> TeamsServer:
        """A workflow of Microsoft Teams."""
        return self.enter_context(TeamsServer().running())

    def server(self, name: str) -> VendorServer:
        """The server of a tracker by its name in `TRACKERS`."""
        return getattr(self, {**MEMBERS, "teams": "teams"}[name])

    def environment(self, *names: str) -> dict[str, str]:
        """The environment variables of these trackers; their secrets are named after them."""
        environment = {"TRACKERS": ",".join(names)}
        for name in names:
            environment |= self.server(name).environment(f"secret-of-{name}")
        return environment

    def get_secret(self, secret_id: str, *, fresh: bool = False) -> Mapping[str, str]:  # noqa: ARG002 - it is always
        """The members of a secret of `environment`."""
        return self.server(secret_id.removeprefix("secret-of-")).secret
