"""The API of both Security Hubs in the terms of `ending`. The only module here that knows boto3.

Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchUpdateFindings.html
Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchUpdateFindingsV2.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from .ending import Found, NotUpdated, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

# GetFindings allows 20 values of a field, one of which is the prefix.
_MAX_EXCLUDED: Final = 19
# A composite filter allows 20 of a type, two of which are the status and the prefix.
_MAX_EXCLUDED_V2: Final = 18
_RETRYABLE: Final = frozenset(
    {"ConcurrentUpdateError", "InternalFailure", "ConflictException", "InternalServerException"}
)
_REFUSALS: Final = frozenset({"InvalidInputException", "ValidationException"})
_GONE: Final = frozenset({"FindingNotFound", "ResourceNotFoundException"})
_NEW: Final = 1
_RESOLVED: Final = 4


class RuleNotDisabledError(Exception):
    """Security Hub didn't disable a rule."""


class Cspm:
    """Security Hub CSPM, where the author of the note is the marker."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - boto3 makes its classes at run time
        self._client = client

    def description_if_enabled(self, rule_arn: str) -> str | None:
        """See `ending.Hub`."""
        rules = self._client.batch_get_automation_rules(AutomationRulesArns=[rule_arn])["Rules"]
        return next((str(rule["Description"]) for rule in rules if rule["RuleStatus"] == "ENABLED"), None)

    def disable(self, rule_arn: str) -> None:
        """See `ending.Hub`."""
        item = {"RuleArn": rule_arn, "RuleStatus": "DISABLED"}
        answer = self._client.batch_update_automation_rules(UpdateAutomationRulesRequestItems=[item])
        for unprocessed in answer.get("UnprocessedAutomationRules", []):
            raise RuleNotDisabledError(f"{rule_arn} was not disabled: {unprocessed.get('ErrorMessage')}")

    def suppressed(self, markers: str, except_keys: Sequence[str]) -> Iterator[Found]:
        """See `ending.Hub`. What can't be excluded here, the caller excludes."""
        excluded = [
            {"Value": markers + key, "Comparison": "NOT_EQUALS"} for key in except_keys[:_MAX_EXCLUDED]
        ]
        pages = self._client.get_paginator("get_findings").paginate(
            Filters={
                "WorkflowStatus": [{"Value": "SUPPRESSED", "Comparison": "EQUALS"}],
                "NoteUpdatedBy": [{"Value": markers, "Comparison": "PREFIX"}, *excluded],
            },
            MaxResults=100,
        )
        for page in pages:
            for finding in page["Findings"]:
                marker = finding["Note"]["UpdatedBy"]
                is_passed = finding.get("Compliance", {}).get("Status") == "PASSED"
                yield Found(
                    identity={"Id": finding["Id"], "ProductArn": finding["ProductArn"]},
                    key=marker.removeprefix(markers),
                    note=finding["Note"]["Text"],
                    is_settled=is_passed or finding.get("RecordState") == "ARCHIVED",
                )

    def reopen(
        self, findings: Sequence[Found], *, note: str, author: str, is_settled: bool
    ) -> Sequence[NotUpdated]:
        """See `ending.Hub`. A new author keeps a later suppression by a person out of reach."""
        answer = _unless_refused(
            self._client.batch_update_findings,
            FindingIdentifiers=[one.identity for one in findings],
            Workflow={"Status": "RESOLVED" if is_settled else "NEW"},
            Note={"Text": note, "UpdatedBy": author},
        )
        by_identity = {(one.identity["ProductArn"], one.identity["Id"]): one for one in findings}
        return list(
            _not_updated(
                (by_identity[item["FindingIdentifier"]["ProductArn"], item["FindingIdentifier"]["Id"]], item)
                for item in answer["UnprocessedFindings"]
            )
        )


class NewHub:
    """The new Security Hub, where the comment begins with the marker."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - boto3 makes its classes at run time
        self._client = client

    def description_if_enabled(self, rule_arn: str) -> str | None:
        """See `ending.Hub`."""
        try:
            rule = self._client.get_automation_rule_v2(Identifier=rule_arn)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return None
            raise
        return str(rule["Description"]) if rule["RuleStatus"] == "ENABLED" else None

    def disable(self, rule_arn: str) -> None:
        """See `ending.Hub`."""
        self._client.update_automation_rule_v2(Identifier=rule_arn, RuleStatus="DISABLED")

    def suppressed(self, markers: str, except_keys: Sequence[str]) -> Iterator[Found]:
        """See `ending.Hub`."""
        conditions = [
            _condition("status", "EQUALS", "Suppressed"),
            _condition("comment", "PREFIX", markers),
            *(
                _condition("comment", "PREFIX_NOT_EQUALS", markers + key)
                for key in except_keys[:_MAX_EXCLUDED_V2]
            ),
        ]
        pages = self._client.get_paginator("get_findings_v2").paginate(
            Filters={"CompositeFilters": [{"StringFilters": conditions, "Operator": "AND"}]}, MaxResults=100
        )
        for page in pages:
            for finding in page["Findings"]:
                marker, _, note = finding["comment"].partition(": ")
                is_passed = finding.get("compliance", {}).get("status") == "Pass"
                yield Found(
                    identity=finding["metadata"]["uid"],
                    key=marker.removeprefix(markers),
                    note=note,
                    is_settled=is_passed or finding.get("activity_name") == "Close",
                )

    def reopen(
        self, findings: Sequence[Found], *, note: str, author: str, is_settled: bool
    ) -> Sequence[NotUpdated]:
        """See `ending.Hub`. Comments have no author."""
        del author
        answer = _unless_refused(
            self._client.batch_update_findings_v2,
            MetadataUids=[one.identity for one in findings],
            Comment=note,
            StatusId=_RESOLVED if is_settled else _NEW,
        )
        by_identity = {one.identity: one for one in findings}
        return list(
            _not_updated((by_identity[item["MetadataUid"]], item) for item in answer["UnprocessedFindings"])
        )


def _condition(field: str, comparison: str, value: str) -> Mapping[str, Any]:
    return {"FieldName": field, "Filter": {"Value": value, "Comparison": comparison}}


def _unless_refused(update: Callable[..., Any], **request: object) -> Any:  # noqa: ANN401 - boto3's
    try:
        return update(**request)
    except ClientError as error:
        if error.response["Error"]["Code"] not in _REFUSALS:
            raise
        raise RefusedError(str(error)) from error


def _not_updated(unprocessed: Iterator[tuple[Found, Mapping[str, Any]]]) -> Iterator[NotUpdated]:
    for found, item in unprocessed:
        code = str(item.get("ErrorCode", "Unknown"))
        if code not in _GONE:
            yield NotUpdated(
                found=found,
                reason=f"{code}: {item.get('ErrorMessage', 'Security Hub gave no reason')}",
                is_retryable=code in _RETRYABLE,
            )
