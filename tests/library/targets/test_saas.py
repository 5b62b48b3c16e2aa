from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from aws_cdk import App, Environment, LegacyStackSynthesizer, SecretValue, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk.assertions import Match, Template
from hypothesis import given
from hypothesis import strategies as st

from emulator.delivery.inputs import target_input
from securityhub_actions import CustomAction, CustomActionRule, targets
from tests.checks import check_as_cdk_synth
from tests.hypothesis_profiles import examples
from tests.library.targets.vendors import VENDORS

EVENTS = Path(__file__).parents[2] / "events"
ACCOUNT = "111122223333"
RULE_ARN = f"arn:aws:events:eu-west-1:{ACCOUNT}:rule/rule"
IMPORTED, IMPORTED_V2 = "Security Hub Findings - Imported", "Findings Imported V2"
each_vendor = pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
each_vendor_of_one_finding = pytest.mark.parametrize(
    "vendor", [vendor for vendor in VENDORS if not vendor.of_all_findings], ids=lambda vendor: vendor.name
)
# What breaks a text that is put into JSON carelessly.
NASTY = st.text(
    st.one_of(st.sampled_from('"\\\n\r\t\b{}[]<>&$*_`:,\u2028\x00'), st.characters(exclude_categories=["Cs"]))
)


def new_stack(app=None):
    return Stack(
        app or App(),
        "Stack",
        env=Environment(account=ACCOUNT, region="eu-west-1"),
        synthesizer=LegacyStackSynthesizer(),
    )


def new_secret(stack):
    return secretsmanager.Secret.from_secret_name_v2(stack, "Secret", "third-party")


def imported_rule(stack, detail_type=IMPORTED):
    pattern = events.EventPattern(source=["aws.securityhub"], detail_type=[detail_type])
    return events.Rule(stack, "Rule", event_pattern=pattern)


def connected(vendor, detail_type=IMPORTED):
    """The template of a rule with the vendor's target."""
    stack = new_stack()
    imported_rule(stack, detail_type).add_target(vendor.make(stack, new_secret(stack)))
    return Template.from_stack(stack)


def target_of(template):
    (rule,) = template.find_resources("AWS::Events::Rule").values()
    (target,) = rule["Properties"]["Targets"]
    return target


def synth_error(stack):
    with pytest.raises(RuntimeError) as caught:
        stack.node.root.synth()
    return str(caught.value)


def asff_event(title, description, other):
    finding = {
        "Title": title,
        "Description": description,
        "Severity": {"Label": "CRITICAL"},
        "AwsAccountId": "444455556666",
        "Id": other,
        "ProductArn": "arn:aws:securityhub:eu-west-1::product/aws/securityhub",
        "Resources": [{"Type": "AwsS3Bucket", "Id": other}],
    }
    return event_of(IMPORTED, finding)


def ocsf_event(title, description, other):
    finding = {
        "finding_info": {"title": title, "desc": description, "uid": other},
        "severity": "Critical",
        "cloud": {"account": {"uid": "444455556666"}},
        "metadata": {"product": {"uid": "arn:aws:securityhub:eu-west-1::productv2/aws/securityhub"}},
        "resources": [{"type": "AWS::S3::Bucket", "uid": other}],
    }
    return event_of(IMPORTED_V2, finding)


def event_of(detail_type, finding):
    return {
        "version": "0",
        "id": "6f0c0001-3b1d-4e57-8a92-c1d7e5f00007",
        "detail-type": detail_type,
        "source": "aws.securityhub",
        "account": ACCOUNT,
        "time": "2026-01-31T09:02:41Z",
        "region": "eu-west-1",
        "resources": ["arn:aws:securityhub:eu-west-1::product/aws/securityhub/x"],
        "detail": {"findings": [finding]},
    }


def one_line(text):
    """Jira's summary, the one place where a vendor refuses line breaks."""
    return re.sub(r"[\n\r]", " ", text)


def texts_in(body):
    if isinstance(body, dict):
        return {text for value in body.values() for text in texts_in(value)}
    if isinstance(body, list):
        return {text for value in body for text in texts_in(value)}
    return {body}


@pytest.mark.parametrize(("detail_type", "new_event"), [(IMPORTED, asff_event), (IMPORTED_V2, ocsf_event)])
@each_vendor
def test_any_text_of_a_finding_arrives_intact_in_a_body_that_the_vendor_documents(
    vendor, detail_type, new_event
):
    target = target_of(connected(vendor, detail_type))

    @examples(0.6)
    @given(
        title=NASTY.filter(bool).map(lambda text: one_line(text)[:255]),
        description=NASTY.filter(bool).map(lambda text: text[:1024]),
        other=NASTY.filter(bool).map(lambda text: text[:255]),
    )
    def check(title, description, other):
        event = new_event(title, description, other)
        body = json.loads(target_input(target, event, rule_name="rule", rule_arn=RULE_ARN))
        assert vendor.problems(vendor.with_secrets(body)) == []
        assert {title, description, other} <= texts_in(body)

    check()


@pytest.mark.parametrize(
    ("detail_type", "file"), [(IMPORTED, "findings_imported"), (IMPORTED_V2, "findings_imported_v2")]
)
@each_vendor
def test_a_real_event_makes_a_body_that_the_vendor_documents(vendor, detail_type, file):
    target = target_of(connected(vendor, detail_type))
    event = json.loads((EVENTS / f"{file}.json").read_text())
    body = json.loads(target_input(target, event, rule_name="rule", rule_arn=RULE_ARN))
    assert vendor.problems(vendor.with_secrets(body)) == []
    assert None not in texts_in(body)
    assert "" not in texts_in(body)


@each_vendor
def test_no_value_of_the_event_stands_inside_a_text_where_it_would_not_be_escaped(vendor):
    transformer = target_of(connected(vendor)).get("InputTransformer")
    if transformer is not None:
        strings = re.findall(r'"(?:\\.|[^"\\])*"', transformer["InputTemplate"])
        assert [text for text in strings if "<" in text] == []


@each_vendor
def test_the_secret_is_a_reference_that_only_cloudformation_resolves(vendor):
    template = json.dumps(connected(vendor).to_json())
    for member, value in vendor.secret.items():
        assert value not in template
        assert f":SecretString:{member}::}}}}" in template


@each_vendor
def test_the_request_goes_to_the_vendors_documented_url_with_post(vendor):
    endpoint = f"https://{vendor.host}{vendor.path.partition('?')[0]}"
    connected(vendor).has_resource_properties(
        "AWS::Events::ApiDestination",
        {
            "InvocationEndpoint": Match.string_like_regexp(f"^{re.escape(endpoint)}(\\?|$)"),
            "HttpMethod": "POST",
        },
    )


@each_vendor
def test_only_rules_of_this_account_may_invoke_only_this_destination(vendor):
    template = connected(vendor)
    ((destination_id, _),) = template.find_resources("AWS::Events::ApiDestination").items()
    (role,) = template.find_resources("AWS::IAM::Role").values()
    (trust,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    (policy,) = role["Properties"]["Policies"]
    assert trust["Principal"] == {"Service": "events.amazonaws.com"}
    assert trust["Condition"]["StringEquals"] == {"aws:SourceAccount": ACCOUNT}
    assert f":events:eu-west-1:{ACCOUNT}:rule/*" in json.dumps(trust["Condition"])
    assert policy["PolicyDocument"]["Statement"] == [
        {
            "Action": "events:InvokeApiDestination",
            "Effect": "Allow",
            "Resource": {"Fn::GetAtt": [destination_id, "Arn"]},
        }
    ]


def test_all_targets_pass_the_template_checks(feature_flags):
    app = App(context=feature_flags, analytics_reporting=False)
    check_as_cdk_synth(app)
    stack = new_stack(app)
    secret = new_secret(stack)
    pattern = events.EventPattern(source=["aws.securityhub"], detail_type=[IMPORTED])
    for vendor in VENDORS:
        rule = events.Rule(stack, f"Rule-{vendor.name}", event_pattern=pattern)
        rule.add_target(vendor.make(stack, secret))
    app.synth()


@each_vendor_of_one_finding
def test_a_rule_for_a_custom_action_cannot_lose_all_findings_but_one(vendor):
    stack = new_stack()
    action = CustomAction.from_action_id(stack, "Action", "Notify")
    CustomActionRule(stack, "Notify", action=action, targets=[vendor.make(stack, new_secret(stack))])
    error = synth_error(stack)
    assert "all but one would be lost" in error
    assert "targets.EachFinding(...)" in error


@pytest.mark.parametrize("vendor", [v for v in VENDORS if v.of_all_findings], ids=lambda vendor: vendor.name)
def test_a_rule_for_a_custom_action_can_send_all_findings(vendor):
    stack = new_stack()
    action = CustomAction.from_action_id(stack, "Action", "Notify")
    CustomActionRule(stack, "Notify", action=action, targets=[vendor.make(stack, new_secret(stack))])
    stack.node.root.synth()


def test_a_signature_in_the_url_of_a_workflow_is_refused_and_not_repeated():
    stack = new_stack()
    with pytest.raises(ValueError, match="must not appear in a template") as caught:
        targets.MicrosoftTeams(
            stack, "Teams", workflow_url="https://example.com/x?sv=1.0&sig=hush", secret=new_secret(stack)
        )
    assert "hush" not in str(caught.value)


@each_vendor
def test_a_date_in_the_context_changes_the_connection_so_that_it_reads_its_secrets_again(vendor):
    templates = []
    for date in (None, "2026-11-30", "2026-11-30T14:05"):
        stack = new_stack(App(context={"securityhub-actions:secretsAsOf": date} if date else {}))
        imported_rule(stack).add_target(vendor.make(stack, new_secret(stack)))
        templates.append(Template.from_stack(stack).to_json()["Resources"])
    plain, *dated = [
        {name: one for name, one in resources.items() if one["Type"] == "AWS::Events::Connection"}
        for resources in templates
    ]
    (before,) = plain.values()
    for date, connections in zip(("2026-11-30", "2026-11-30T14:05"), dated, strict=True):
        description = f"{before['Properties']['Description']}, secrets as of {date}"
        (name,) = plain
        assert connections == {
            name: {**before, "Properties": {**before["Properties"], "Description": description}}
        }


def test_what_is_not_a_date_is_refused_and_not_repeated_because_it_may_be_the_secret_itself():
    stack = new_stack(App(context={"securityhub-actions:secretsAsOf": "xoxb-hush"}))
    with pytest.raises(ValueError, match="'securityhub-actions:secretsAsOf' must be a date") as caught:
        targets.Slack(stack, "Slack", secret=new_secret(stack), channel="C0123456789")
    assert "hush" not in str(caught.value)


def test_a_credential_of_a_webhook_that_is_not_from_secrets_manager_is_an_error():
    stack = new_stack()
    authorization = events.Authorization.basic("user", SecretValue.unsafe_plain_text("hush"))
    webhook = targets.Webhook(
        stack, "Webhook", endpoint="https://example.com/hook", authorization=authorization
    )
    imported_rule(stack).add_target(webhook)
    assert "has the value password, which is not from Secrets Manager" in synth_error(stack)


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://example.com/hook",
        "https://",
        "https://user:hush@example.com/hook",
        "https://example.com/hook#part",
        "https://example.com/ho ok",
        "https://example.com/" + "x" * 2048,
    ],
)
def test_an_endpoint_that_eventbridge_would_not_take_is_an_error(endpoint):
    stack = new_stack()
    authorization = events.Authorization.api_key("X-Api-Key", new_secret(stack).secret_value)
    with pytest.raises(ValueError, match="is not a valid endpoint of an API destination"):
        targets.Webhook(stack, "Webhook", endpoint=endpoint, authorization=authorization)


@pytest.mark.parametrize("rate", [0, 301])
def test_a_rate_that_eventbridge_would_not_take_is_an_error(rate):
    stack = new_stack()
    with pytest.raises(ValueError, match="EventBridge allows 1 to 300"):
        targets.Slack(stack, "Slack", channel="C1", secret=new_secret(stack), rate_limit_per_second=rate)


@pytest.mark.parametrize("label", ["", "security hub", "tab\t"])
def test_a_label_that_jira_would_refuse_is_an_error(label):
    stack = new_stack()
    with pytest.raises(ValueError, match="which Jira doesn't allow"):
        targets.JiraCloud(
            stack,
            "Jira",
            base_url="https://example.atlassian.net",
            project_key="SEC",
            secret=new_secret(stack),
            labels=[label],
        )


def test_an_issue_is_created_through_the_gateway_for_tokens_with_scopes():
    stack, url = new_stack(), "https://api.atlassian.com/ex/jira/11223344-a1b2-4c3d-8e9f-123456789abc"
    targets.JiraCloud(stack, "Jira", base_url=url, project_key="SEC", secret=new_secret(stack))
    Template.from_stack(stack).has_resource_properties(
        "AWS::Events::ApiDestination", {"InvocationEndpoint": f"{url}/rest/api/3/issue"}
    )


def sentinel(stack, **settings):
    given = {
        "ingestion_url": "https://example.ingest.monitor.azure.com",
        "rule_id": "dcr-0123456789abcdef0123456789abcdef",
        "stream": "Custom-SecurityHub_CL",
        "tenant_id": "example.onmicrosoft.com",
    }
    return targets.MicrosoftSentinel(stack, "Sentinel", secret=new_secret(stack), **{**given, **settings})


@pytest.mark.parametrize(
    "settings",
    [{"rule_id": "my-rule"}, {"stream": "SecurityHub"}, {"tenant_id": "a/b"}],
    ids=lambda one: next(iter(one)),
)
def test_an_address_of_sentinel_that_cannot_be_one_is_an_error(settings):
    ((name, value),) = settings.items()
    with pytest.raises(ValueError, match=f"{name} '{value}' is not valid"):
        sentinel(new_stack(), **settings)


def test_the_token_for_sentinel_is_asked_for_with_the_scope_of_azure_monitor():
    stack = new_stack()
    imported_rule(stack).add_target(sentinel(stack))
    (connection,) = Template.from_stack(stack).find_resources("AWS::Events::Connection").values()
    oauth = connection["Properties"]["AuthParameters"]["OAuthParameters"]
    given = {one["Key"]: one["Value"] for one in oauth["OAuthHttpParameters"]["BodyParameters"]}
    assert oauth["AuthorizationEndpoint"].startswith(
        "https://login.microsoftonline.com/example.onmicrosoft.com/"
    )
    assert given == {"grant_type": "client_credentials", "scope": "https://monitor.azure.com//.default"}


def test_keys_in_the_endpoint_of_a_feed_are_refused_and_not_repeated():
    stack = new_stack()
    with pytest.raises(ValueError, match="must not appear in a template") as caught:
        targets.GoogleSecOps(
            stack, "Feed", endpoint="https://example.com/f?key=hush", secret=new_secret(stack)
        )
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("index", ["", "Logs", "-logs", "logs/x", "x" * 256])
def test_a_name_that_elasticsearch_would_not_take_is_an_error(index):
    stack = new_stack()
    with pytest.raises(ValueError, match="is not the name of an index"):
        targets.Elastic(
            stack, "Elastic", base_url="https://example.com", secret=new_secret(stack), index=index
        )


@pytest.mark.parametrize(
    ("settings", "problem"),
    [({"site": "datadog.com"}, "is not a site of Datadog"), ({"tags": ["a,b"]}, "has a comma")],
)
def test_settings_that_datadog_would_not_take_are_errors(settings, problem):
    stack = new_stack()
    with pytest.raises(ValueError, match=problem):
        targets.Datadog(stack, "Datadog", secret=new_secret(stack), **settings)


def test_a_second_rule_can_resolve_the_alert_that_the_first_triggered():
    stack = new_stack()
    resolve = targets.PagerDuty(
        stack,
        "Resolve",
        secret=new_secret(stack),
        severity=targets.PagerDutySeverity.INFO,
        event_action=targets.PagerDutyEventAction.RESOLVE,
    )
    imported_rule(stack).add_target(resolve)
    template = target_of(Template.from_stack(stack))["InputTransformer"]["InputTemplate"]
    assert template.startswith('{"event_action":"resolve","dedup_key":<detail-findings-0-Id>,')


def documented_rows():
    text = (EVENTS.parents[1] / "docs" / "targets" / "saas.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \|.*\| ([^|]*) \| ([^|]*) \| (\d+) \|$", text, flags=re.MULTILINE)
    return {name: (findings, secret, int(rate)) for name, findings, secret, rate in rows}


@each_vendor
def test_the_documentation_says_what_the_target_does(vendor):
    stack = new_stack()
    target = vendor.make(stack, new_secret(stack))
    findings, secret, rate = documented_rows()[type(target).__name__]
    Template.from_stack(stack).has_resource_properties(
        "AWS::Events::ApiDestination", {"InvocationRateLimitPerSecond": rate}
    )
    assert findings.startswith("every event" if vendor.of_all_findings else "imported findings")
    assert re.findall(r"`(\w+)`", secret) == ([] if vendor.name == "webhook" else list(vendor.secret))


def test_every_target_is_documented_and_tested():
    made = {"".join(part.title() for part in vendor.name.split("_")) for vendor in VENDORS}
    assert documented_rows().keys() == made
