"""Every target of the library: AWS services for a custom action, third parties for imported findings."""

from __future__ import annotations

from typing import Final

from aws_cdk import App, CfnOutput, RemovalPolicy, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_kinesisfirehose as firehose
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as stepfunctions
from constructs import Construct

from securityhub_actions import CustomAction, CustomActionRule, FindingFilter, ImportedFindingsRule, targets

TITLE: Final = "$.detail.findings[0].Title"


class AllTargetsStack(Stack):
    """Six rules, because EventBridge allows five targets for a rule.

    Args:
        scope: Construct that the stack belongs to.
        construct_id: Its id in that scope.
    """

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        self._secret = secretsmanager.Secret.from_secret_name_v2(self, "Secret", "all-targets")
        self._topic = sns.Topic(self, "Topic", enforce_ssl=True)
        action = CustomAction(
            self,
            "Action",
            action_id="Everywhere",
            action_name="Everywhere",
            description="Send the selected findings to every AWS target",
        )
        notify = [self._function(), self._queue(), targets.SnsTopic(self._topic), self._log_group()]
        CustomActionRule(self, "ActionNotify", action=action, targets=notify)
        stream = [self._kinesis_stream(), self._firehose_stream(), self._event_bus()]
        CustomActionRule(self, "ActionStream", action=action, targets=stream)
        each = [self._each_finding(), self._case()]
        run = [self._state_machine(), self._command(), self._automation(), *each]
        CustomActionRule(self, "ActionRun", action=action, targets=run)
        critical = FindingFilter(severity="CRITICAL")
        alert = [self._pager_duty(), self._splunk(), self._webhook(), self._api_destination(), self._item()]
        ImportedFindingsRule(self, "CriticalFindings", findings=critical, targets=alert)
        medium = FindingFilter(severity="MEDIUM")
        siem = [self._sentinel(), self._elastic(), self._sec_ops(), self._datadog()]
        ImportedFindingsRule(self, "MediumFindings", findings=medium, targets=siem)
        high = FindingFilter(severity="HIGH")
        ticket = [self._jira(), self._service_now(), self._slack(), self._teams()]
        ImportedFindingsRule(self, "HighFindings", findings=high, targets=ticket)

    def _function(self) -> targets.LambdaFunction:
        code = "def handle(event, context):\n    return len(event['detail']['findings'])\n"
        function = lambda_.Function(
            self,
            "Function",
            runtime=lambda_.Runtime.PYTHON_3_13,
            handler="index.handle",
            code=lambda_.Code.from_inline(code),
        )
        return targets.LambdaFunction(function)

    def _queue(self) -> targets.SqsQueue:
        queue = sqs.Queue(self, "Queue", enforce_ssl=True)
        CfnOutput(self, "QueueUrl", value=queue.queue_url)
        return targets.SqsQueue(queue)

    def _log_group(self) -> targets.LogGroup:
        return targets.LogGroup(logs.LogGroup(self, "Logs", retention=logs.RetentionDays.ONE_MONTH))

    def _kinesis_stream(self) -> targets.KinesisStream:
        return targets.KinesisStream(kinesis.Stream(self, "Stream"), partition_key_path="$.account")

    def _firehose_stream(self) -> targets.FirehoseStream:
        archive = s3.Bucket(self, "Archive", enforce_ssl=True, removal_policy=RemovalPolicy.RETAIN)
        stream = firehose.DeliveryStream(self, "Firehose", destination=firehose.S3Bucket(archive))
        return targets.FirehoseStream(stream)

    def _event_bus(self) -> targets.EventBus:
        return targets.EventBus(events.EventBus(self, "Bus"))

    def _state_machine(self) -> targets.StateMachine:
        definition = stepfunctions.DefinitionBody.from_chainable(stepfunctions.Pass(self, "Pass"))
        return targets.StateMachine(stepfunctions.StateMachine(self, "Machine", definition_body=definition))

    def _command(self) -> targets.RunCommand:
        """Install missing patches on instances with a tag, whichever findings were selected."""
        instances = targets.Instances.with_tag("PatchOnFinding", "yes")
        return targets.RunCommand(
            "AWS-RunPatchBaseline", instances=instances, parameters={"Operation": ["Install"]}
        )

    def _automation(self) -> targets.Automation:
        """Publish the title of the first selected finding with an AWS runbook."""
        role = iam.Role(self, "Runbook", assumed_by=iam.ServicePrincipal("ssm.amazonaws.com"))
        self._topic.grant_publish(role)
        return targets.Automation(
            "AWS-PublishSNSNotification",
            parameters={"TopicArn": self._topic.topic_arn, "Message": events.EventField.from_path(TITLE)},
            assume_role=role,
        )

    def _each_finding(self) -> targets.EachFinding:
        """Send a request for each selected finding."""
        chat = targets.Webhook(
            self,
            "Chat",
            endpoint="https://chat.example.com/messages",
            authorization=self._api_key(),
            body=lambda finding: {"text": finding.title, "link": finding.link},
        )
        return targets.EachFinding(chat)

    def _case(self) -> targets.EachFinding:
        """Create a case for each selected finding."""
        watchers = ["security@example.com"]
        return targets.EachFinding(targets.SecurityIncidentCase(self, "Incident", watchers=watchers))

    def _pager_duty(self) -> targets.PagerDuty:
        return targets.PagerDuty(
            self, "PagerDuty", secret=self._secret, severity=targets.PagerDutySeverity.CRITICAL
        )

    def _splunk(self) -> targets.SplunkHec:
        url = "https://http-inputs-example.splunkcloud.com"
        return targets.SplunkHec(self, "Splunk", base_url=url, secret=self._secret)

    def _sentinel(self) -> targets.MicrosoftSentinel:
        return targets.MicrosoftSentinel(
            self,
            "Sentinel",
            ingestion_url="https://example-a1b2.westeurope-1.ingest.monitor.azure.com",
            rule_id="dcr-0123456789abcdef0123456789abcdef",
            stream="Custom-SecurityHub_CL",
            tenant_id="example.onmicrosoft.com",
            secret=self._secret,
        )

    def _elastic(self) -> targets.Elastic:
        url = "https://example.es.eu-west-1.aws.elastic.cloud"
        return targets.Elastic(self, "Elastic", base_url=url, secret=self._secret)

    def _sec_ops(self) -> targets.GoogleSecOps:
        feed = "https://eu-chronicle.googleapis.com/v1alpha/projects/1/locations/eu/instances/2/feeds/3"
        return targets.GoogleSecOps(self, "SecOps", endpoint=f"{feed}:importPushLogs", secret=self._secret)

    def _datadog(self) -> targets.Datadog:
        return targets.Datadog(self, "Datadog", secret=self._secret)

    def _webhook(self) -> targets.Webhook:
        return targets.Webhook(
            self,
            "Webhook",
            endpoint="https://hooks.example.com/findings",
            authorization=self._api_key(),
        )

    def _api_destination(self) -> targets.ApiDestination:
        connection = events.Connection(self, "Connection", authorization=self._api_key())
        destination = events.ApiDestination(
            self, "Destination", connection=connection, endpoint="https://api.example.com/titles"
        )
        return targets.ApiDestination(destination, body={"title": targets.InputPath(TITLE)})

    def _item(self) -> targets.OpsItem:
        return targets.OpsItem(severity=targets.OpsItemSeverity.CRITICAL)

    def _api_key(self) -> events.Authorization:
        return events.Authorization.api_key("X-Api-Key", self._secret.secret_value_from_json("api_key"))

    def _jira(self) -> targets.JiraCloud:
        url = "https://example.atlassian.net"
        return targets.JiraCloud(self, "Jira", base_url=url, project_key="SEC", secret=self._secret)

    def _service_now(self) -> targets.ServiceNow:
        return targets.ServiceNow(
            self,
            "ServiceNow",
            base_url="https://example.service-now.com",
            secret=self._secret,
            urgency=targets.ServiceNowLevel.HIGH,
            impact=targets.ServiceNowLevel.MEDIUM,
        )

    def _slack(self) -> targets.Slack:
        return targets.Slack(self, "Slack", channel="C024BE91L", secret=self._secret)

    def _teams(self) -> targets.MicrosoftTeams:
        host = "https://0a1b2c3d4e5f.12.environment.api.powerplatform.com:443"
        path = "/powerautomate/automations/direct/workflows/0a1b/triggers/manual/paths/invoke"
        query = "?api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0"
        return targets.MicrosoftTeams(self, "Teams", workflow_url=host + path + query, secret=self._secret)


app = App()
AllTargetsStack(app, "AllTargets")
app.synth()
