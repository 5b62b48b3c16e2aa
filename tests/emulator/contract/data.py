"""The modules, tables, stores, and classes of MiniStack that the embedded AWS reads or adds to."""

from __future__ import annotations

# Modules that are replaced, by the names of what MiniStack uses of them.
MODULES = {"core.lambda_runtime.zipfile": "ZipFile BadZipFile"}

# Tables that are added to or read, with an entry that each of them has.
TABLES = {
    "app.SERVICE_HANDLERS": "sts",
    "app.SERVICE_REGISTRY": "events",
    "core.iam_actions.SERVICE_TO_IAM_NAMESPACE": "sqs",
    "core.iam_actions._BOTOCORE_SERVICE_MAP": "apigateway",
    "core.iam_evaluator._ALWAYS_ALLOWED_ACTIONS": "sts:GetCallerIdentity",
    "core.router.SERVICE_PATTERNS": "sqs",
    "services.cloudformation.changesets._IMPORT_LOOKUPS": "AWS::SQS::Queue",
    "services.cloudformation.handlers._ACTION_HANDLERS": "GetTemplateSummary",
    "services.cloudformation.provisioners._REPLACING_PROPERTIES": "AWS::IAM::Role",
    "services.cloudformation.provisioners._RESOURCE_HANDLERS": "AWS::Events::Rule",
    "services.documentdb._ACTION_MAP": "ModifyDBCluster",
    "services.ec2._ACTION_MAP": "DescribeInstances",
    "services.iam._IAM_HANDLERS": "PutRolePolicy",
    "services.organizations._DISPATCH": "ListParents",
    "services.rds._ACTION_MAP": "ModifyDBInstance",
    "services.sqs._HANDLERS": "SetQueueAttributes",
    "services.ssm._SHELL_DOCUMENTS": "AWS-RunShellScript",
    "services.tagging._COLLECTORS": "s3",
}

# Stores, and what keeps accounts and Regions apart in them.
REGIONAL, PER_ACCOUNT, GLOBAL = "AccountRegionScopedDict", "AccountScopedDict", "dict"
OF_THREAD = "ContextVar"
STORES = {
    "app._loaded_modules": GLOBAL,
    "services.apigateway._apis": REGIONAL,
    "services.athena._workgroups": REGIONAL,
    "services.cloudformation._stack_events": REGIONAL,
    "services.cloudformation._stacks": REGIONAL,
    "services.cloudformation.provisioners._NAME_SEED": OF_THREAD,
    "services.cloudwatch._alarms": REGIONAL,
    "services.cloudwatch._dashboards": REGIONAL,
    "services.cloudwatch_logs._log_groups": REGIONAL,
    "services.cloudwatch_logs._resource_policies": REGIONAL,
    "services.documentdb._clusters": REGIONAL,
    "services.dynamodb._tables": REGIONAL,
    "services.ec2._instances": REGIONAL,
    "services.ec2._network_interfaces": REGIONAL,
    "services.ec2._security_groups": REGIONAL,
    "services.ec2._snapshots": REGIONAL,
    "services.ec2._tags": REGIONAL,
    "services.eventbridge._api_destinations": REGIONAL,
    "services.eventbridge._connections": REGIONAL,
    "services.eventbridge._event_bus_policies": REGIONAL,
    "services.eventbridge._event_buses": REGIONAL,
    "services.eventbridge._rules": REGIONAL,
    "services.eventbridge._targets": REGIONAL,
    "services.firehose._streams": REGIONAL,
    "services.iam._account_password_policy": PER_ACCOUNT,
    "services.iam._policies": PER_ACCOUNT,
    "services.iam._roles": PER_ACCOUNT,
    "services.kinesis._streams": REGIONAL,
    "services.kms._aliases": REGIONAL,
    "services.lambda_svc._functions": REGIONAL,
    "services.organizations._accounts": PER_ACCOUNT,
    "services.organizations._orgs": PER_ACCOUNT,
    "services.organizations._ous": PER_ACCOUNT,
    "services.organizations._roots": PER_ACCOUNT,
    "services.rds._clusters": REGIONAL,
    "services.rds._db_cluster_snapshots": REGIONAL,
    "services.rds._snapshots": REGIONAL,
    "services.s3._bucket_encryption": PER_ACCOUNT,
    "services.s3._buckets": PER_ACCOUNT,
    "services.scheduler._schedules": REGIONAL,
    "services.secretsmanager._secrets": REGIONAL,
    "services.sns._topics": REGIONAL,
    "services.sqs._queue_name_to_url": REGIONAL,
    "services.sqs._queues": REGIONAL,
    "services.sts._sessions": GLOBAL,
}

# Classes, and what is used of them: the parameters, attributes, or methods.
CLASSES = {
    "core.arn.Arn": "partition service region account_id resource",
    "core.arn.ArnParseError": "args",
    "core.iam_evaluator.AuthError": "",
    "core.iam_evaluator.EvalContext": (
        "principal_arn principal_type principal_account action resource_arn region secure_transport "
        "service_context principal_keys"
    ),
    "core.responses.AccountRegionScopedDict": "get setdefault pop items values clear",
    "services.sqs._Err": "code message status",
}
