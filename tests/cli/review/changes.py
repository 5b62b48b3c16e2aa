"""Changes of an app, each with the words that its review has to contain."""

from __future__ import annotations

import json
import re


def _pattern(resources, rule):
    return resources[f"{rule}/Rule"]["EventPattern"]["detail"]["findings"]


def _statement(policy, action):
    statements = policy["PolicyDocument"]["Statement"]
    return next(one for one in statements if action in one["Action"])


def filter_widened(version):
    version.change("Routing", lambda r: _pattern(r, "Critical")["Severity"]["Label"].append("HIGH"))


def filter_narrowed(version):
    version.change("Routing", lambda r: _pattern(r, "High").update(AwsAccountId=["111122223333"]))


def filter_changed(version):
    version.change("Routing", lambda r: _pattern(r, "High").update(Severity={"Label": ["LOW"]}))


def wildcard_in_a_filter(version):
    pattern = {"wildcard": "arn:aws:s3:::*-logs"}
    version.change("Routing", lambda r: _pattern(r, "High").update(Resources={"Id": [pattern]}))


def target_removed(version):
    version.change("Analysts", lambda r: r["MarkAsNotified/Rule"].update(Targets=[]))


def target_added(version):
    target = {"Id": "Other", "Arn": "arn:aws:sqs:us-east-1:444455556666:elsewhere"}
    version.change("Routing", lambda r: r["High/Rule"]["Targets"].append(target))


def action_id_changed(version):
    version.change("Analysts", lambda r: r["MarkAsNotified/Action/ActionTarget"].update(Id="Notified"))


def action_renamed(version):
    version.change("Analysts", lambda r: r["MarkAsNotified/Action/ActionTarget"].update(Name="Notify"))


def action_removed(version):
    version.change("Analysts", lambda r: r.remove("MarkAsNotified/Action/ActionTarget"))


def construct_renamed(version):
    version.rename("Routing", "HighQueue", "Urgent")


def action_construct_renamed(version):
    version.rename("Analysts", "MarkAsNotified", "Notify")


def dead_letter_queue_replaced(version):
    version.change("Routing", lambda r: r["SecurityHubDeadLetterQueue"].update(QueueName="dead-letters"))


def dead_letter_queue_of_a_target_removed(version):
    version.change("Routing", lambda r: r["High/Rule"]["Targets"][0].pop("DeadLetterConfig"))


def retries_reduced(version):
    policy = {"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 60}
    version.change("Routing", lambda r: r["High/Rule"]["Targets"][0].update(RetryPolicy=policy))


def input_changed(version):
    version.change("Routing", lambda r: r["High/Rule"]["Targets"][0].update(InputPath="$.detail"))


def permission_widened(version):
    def change(resources):
        policy = resources["SuppressWithNoteFunctionRole/DefaultPolicy"]
        statement = _statement(policy, "securityhub:BatchUpdateFindings")
        statement["Action"] = ["securityhub:BatchUpdateFindings", "securityhub:DisableSecurityHub"]

    version.change("Analysts", change)


def wildcard_added(version):
    def change(resources):
        policy = resources["MarkAsNotifiedFunctionRole/DefaultPolicy"]
        _statement(policy, "securityhub:BatchUpdateFindings")["Resource"] = "*"

    version.change("Analysts", change)


def condition_removed(version):
    def change(resources):
        del _statement(resources["HighQueue/Policy"], "sqs:SendMessage")["Condition"]

    version.change("Routing", change)


def everyone_let_in(version):
    def change(resources):
        _statement(resources["HighQueue/Policy"], "sqs:SendMessage")["Principal"] = "*"

    version.change("Routing", change)


def denial_removed(version):
    def change(resources):
        document = resources["ArchiveBucket/Policy"]["PolicyDocument"]
        document["Statement"] = [one for one in document["Statement"] if one["Effect"] == "Allow"]

    version.change("Routing", change)


def retention_shortened(version):
    version.change("Analysts", lambda r: r["MarkAsNotifiedFunctionLogs"].update(RetentionInDays=7))


def queue_retention_shortened(version):
    version.change("Routing", lambda r: r["HighQueue"].update(MessageRetentionPeriod=3600))


def archive_retention_shortened(version):
    def change(resources):
        resources["ArchiveBucket"]["LifecycleConfiguration"]["Rules"][0]["ExpirationInDays"] = 30

    version.change("Routing", change)


def encryption_removed(version):
    version.change("Routing", lambda r: r["CriticalTopic"].pop("KmsMasterKeyId"))


def alarm_removed(version):
    version.change("Routing", lambda r: r.remove("High/Rule/LostEventsAlarm"))


def rule_disabled(version):
    version.change("Routing", lambda r: r["High/Rule"].update(State="DISABLED"))


def rule_removed(version):
    version.change("Routing", lambda r: r.remove("High/Rule"))


def table_removed(version):
    version.change("Remediation", lambda r: r.remove("Done"))


def bucket_no_longer_retained(version):
    def change(resources):
        bucket = resources.resources[resources.id("Records")]
        bucket["DeletionPolicy"] = bucket["UpdateReplacePolicy"] = "Delete"

    version.change("Remediation", change)


def _variable(resources, name, value):
    resources["Function"]["Environment"]["Variables"][name] = value


def account_allowed(version):
    accounts = "444455556666,777788889999,999900001111"
    version.change("Remediation", lambda r: _variable(r, "ALLOWED_ACCOUNTS", accounts))


def mode_to_apply(version):
    version.change("Remediation", lambda r: _variable(r, "AUTOMATIC_MODE", "apply"))


def role_trusts_another_account(version):
    def change(resources):
        statement = resources["FunctionRole"]["AssumeRolePolicyDocument"]["Statement"][0]
        statement["Principal"] = {"AWS": "arn:aws:iam::999900001111:root"}

    version.change("Remediation", change)


def role_path_changed(version):
    """Without its name, as CloudFormation refuses it."""
    version.change("Remediation", lambda r: r["FunctionRole"].update(Path="/other/"))


def failed_events_are_lost(version):
    version.change("Remediation", lambda r: r["Function/EventInvokeConfig"].pop("DestinationConfig"))


def stack_removed(version):
    path = version.folder / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["artifacts"]["Routing"]
    path.write_text(json.dumps(manifest))


# Each change with what the first screen says of it.
NAMED = {
    filter_widened: ("high", 'Filter widened: Routing/Critical: severity: + "HIGH"'),
    filter_narrowed: ("high", 'Filter narrowed: Routing/High: account ids: only "111122223333"'),
    filter_changed: ("high", 'Filter changed: Routing/High: severity: + "LOW", - "HIGH"'),
    wildcard_in_a_filter: (
        "high",
        'Filter narrowed: Routing/High: resource id: only like "arn:aws',
    ),
    target_removed: ("high", "Target removed: Analysts/MarkAsNotified: Lambda function Analysts/MarkA"),
    target_added: ("medium", "Target added: Routing/High: SQS queue arn:aws:sqs:us-east-1:4444555566"),
    action_id_changed: ("high", "Action replaced: Analysts/MarkAsNotified: ID MarkAsNotified -> Notified"),
    action_renamed: ("medium", 'Action renamed: Analysts/MarkAsNotified: "Mark as notified" -> "Notify"'),
    action_removed: ("high", "Action removed: Analysts/MarkAsNotified: ID MarkAsNotified"),
    construct_renamed: ("high", "Construct renamed: Routing/HighQueue -> Urgent: its queue is replaced"),
    action_construct_renamed: ("high", "Deployment fails: Analysts/Notify: the ID MarkAsNotified is taken"),
    dead_letter_queue_replaced: (
        "high",
        "Queue replaced: Routing/SecurityHubDeadLetterQueue: loses the messages",
    ),
    dead_letter_queue_of_a_target_removed: ("high", "Dead-letter queue removed: Routing/High: what can't"),
    retries_reduced: ("medium", "Retries reduced: Routing/High: 185 -> 2 attempts, 86400 -> 60 seconds"),
    input_changed: ("medium", "Input changed: Routing/High: the target receives something else"),
    permission_widened: ("high", "Permission granted: Analysts/SuppressWithNoteFunctionRole: securityhub:"),
    wildcard_added: ("high", "Wildcard granted: Analysts/MarkAsNotifiedFunctionRole: securityhub:Batch"),
    condition_removed: ("high", "Condition removed: events.amazonaws.com: no longer: aws:SourceAccount"),
    everyone_let_in: ("high", "Wildcard granted: *: sqs:SendMessage on Routing/HighQueue if aws:Sou"),
    denial_removed: ("high", "Denial removed: *: s3:* on Routing/ArchiveBucket if aws:SecureTransport"),
    retention_shortened: (
        "high",
        "Retention shortened: Analysts/MarkAsNotifiedFunctionLogs: 90 days -> 7 d",
    ),
    queue_retention_shortened: ("high", "Retention shortened: Routing/HighQueue: 14 days -> 1 hours"),
    archive_retention_shortened: ("high", "Retention shortened: Routing/ArchiveBucket: 400 days -> 30 days"),
    encryption_removed: ("high", "Encryption removed: Routing/CriticalTopic: messages are no longer encr"),
    alarm_removed: ("high", "Alarm removed: Routing/High/Rule/LostEventsAlarm: InvocationsFailedToBe"),
    rule_disabled: ("high", "Rule disabled: Routing/High: its targets receive nothing"),
    rule_removed: ("high", "Rule removed: Routing/High"),
    table_removed: ("high", "Table deleted: Remediation/Done: loses its items"),
    bucket_no_longer_retained: ("high", "Deletion policy weakened: Remediation/Records: Retain -> Delete"),
    account_allowed: ("high", "Variable changed: Remediation/Function: ALLOWED_ACCOUNTS: + 999900001111"),
    mode_to_apply: ("high", "Variable changed: Remediation/Function: AUTOMATIC_MODE: dry-run -> apply"),
    role_trusts_another_account: ("high", "Permission granted: arn:aws:iam::999900001111:root: sts:AssumeR"),
    role_path_changed: ("high", "Deployment fails: Remediation/FunctionRole: the role can't be replaced u"),
    failed_events_are_lost: ("high", "Destination of failed events removed: Remediation/Function/EventInvok"),
    stack_removed: ("high", "Stack removed: Routing: its 35 resources stay until it is deleted"),
}


AT_ONCE = [
    filter_widened,
    filter_narrowed,
    target_removed,
    action_id_changed,
    dead_letter_queue_replaced,
    dead_letter_queue_of_a_target_removed,
    retries_reduced,
    permission_widened,
    wildcard_added,
    condition_removed,
    denial_removed,
    retention_shortened,
    archive_retention_shortened,
    encryption_removed,
    alarm_removed,
    rule_disabled,
    bucket_no_longer_retained,
    account_allowed,
    mode_to_apply,
    construct_renamed,
]


def asset_hashes(version):
    """Change the hashes of all assets."""
    for path in version.folder.glob("*.template.json"):
        path.write_text(re.sub(r"[0-9a-f]{64}", "0" * 64, path.read_text()))
