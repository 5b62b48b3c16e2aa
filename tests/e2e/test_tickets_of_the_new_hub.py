"""Ticketing that listens to the new Security Hub, as deployed: from the event to the comment with a link."""

from __future__ import annotations

import re

import pytest
from aws_cdk import App, Environment

from emulator.server import DEFAULT_ACCOUNT
from stacks.settings import TicketingSettings
from stacks.ticketing import TicketingStack
from tests.e2e.findings import control_finding, import_findings
from tests.e2e.observed import stored
from tests.e2e.stacks import delete_stack, deploy_synthesized
from tests.e2e.trackers import connect
from tests.shipped_settings import load_shipped_settings

# The unit tests cover the same; this deploys it.
pytestmark = pytest.mark.long

STACK = "TicketsOfTheNewHub"
HOME = "eu-west-1"
SECRET = "securityhub-actions/jira-of-the-new-hub"  # noqa: S105 - a secret's name
FINDING = control_finding("S3.8", "of-the-new-hub", Severity={"Label": "CRITICAL"})


@pytest.fixture(scope="module")
def app(aws, vendors, feature_flags, tmp_path_factory):
    hub = aws.client("securityhub")
    hub.enable_security_hub_v2()
    service_now = {"InstanceName": "example", "SecretArn": "arn:aws:secretsmanager:eu-west-1:1:secret:x"}
    connector = hub.create_connector_v2(Name="ITSM", Provider={"ServiceNow": service_now})["ConnectorId"]
    values = load_shipped_settings().ticketing.model_dump()
    values["connector"] |= {"enabled": True, "connector_id": connector}
    values["enabled"] = values["jira"]["enabled"] = True
    values["jira"]["secret_name"] = SECRET
    values["automatic"]["filter"] = {"severity": "CRITICAL"}
    folder = tmp_path_factory.mktemp("new-hub")
    cdk = App(context=feature_flags, analytics_reporting=False, outdir=str(folder))
    stack = TicketingStack(
        cdk,
        STACK,
        settings=TicketingSettings.model_validate(values),
        hub="v2",
        env=Environment(account=DEFAULT_ACCOUNT, region=HOME),
    )
    connect(aws, stack, vendors, {"jira": SECRET})
    cdk.synth()
    deploy_synthesized(aws, folder, STACK, region=HOME)
    yield aws
    hub.delete_connector_v2(ConnectorId=connector)
    hub.disable_security_hub_v2()
    delete_stack(aws, STACK, region=HOME)


def in_v2(aws):
    """The finding as the new Security Hub has it."""
    wanted = {"FieldName": "finding_info.uid", "Filter": {"Value": FINDING["Id"], "Comparison": "EQUALS"}}
    (found,) = aws.client("securityhub").get_findings_v2(
        Filters={"CompositeFilters": [{"StringFilters": [wanted]}]}
    )["Findings"]
    return found


def test_a_finding_of_the_new_hub_gets_a_ticket_which_is_resolved_with_it(app, vendors):
    import_findings(app, [FINDING])
    app.wait_until(lambda: "Ticket opened" in in_v2(app).get("comment", ""), what="the ticket's link")
    (issue,) = vendors.jira.issues.values()
    assert issue.status == "Open"
    found = in_v2(app)
    assert f"Jira {issue.key} {vendors.jira.url}/browse/{issue.key}" in found["comment"]
    # Security Hub itself has created the other ticket.
    assert re.search(r"Connector [0-9a-f]{32} https://example\.service-now\.com/", found["comment"])
    assert found["status"] == "In Progress"
    # Nothing is written to the other hub's finding.
    assert (stored(app, FINDING)["Workflow"]["Status"], "Note" in stored(app, FINDING)) == ("NEW", False)

    app.client("securityhub").batch_update_findings_v2(MetadataUids=[found["metadata"]["uid"]], StatusId=4)
    app.wait_until(lambda: "Ticket resolved" in in_v2(app)["comment"], what="the resolution of the ticket")
    assert [one.status for one in vendors.jira.issues.values()] == ["Done"]
    assert "Ticket no longer needed, to be closed by a person: Connector " in in_v2(app)["comment"]
    assert in_v2(app)["status"] == "Resolved"
