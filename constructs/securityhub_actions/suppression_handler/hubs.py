"""The API of both Security Hubs in the terms of `model`. The only module here that knows boto3.

Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchUpdateFindings.html
Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchUpdateFindingsV2.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from .matching import composites_of, filters_of
from .model import Found, NotUpdated, RefusedError, Rule, shortened

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
_IF_DELETED: Final = "If somebody deleted it, rename the suppression in the code, and deploy that."
_NEW: Final = 1
_RESOLVED: Final = 4


class RuleNotDisabledError(Exception):
    """Security Hub didn't disable a rule."""


class Cspm:
    """Security Hub CSPM, where the author of the note is the marker."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - boto3 makes its classes at run time
        self._client = client

    def description_if_enabled(self, rule_arn: str) -> str | None:
        """See `model.Hub`.

        The list tells what no longer exists. BatchGetAutomationRules leaves out what it doesn't process, for
        reasons that AWS documents as whole numbers without their meaning.

        Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_ListAutomationRules.html
        Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_UnprocessedAutomationRule.html
        """
        for rule in self._rules():
            if rule["RuleArn"] == rule_arn:
                return str(rule.get("Description", "")) if rule["RuleStatus"] == "ENABLED" else None
        return None

    def _rules(self) -> Iterator[Mapping[str, Any]]:
        more: dict[str, str] = {}
        while True:
            page = self._client.list_automation_rules(MaxResults=100, **more)
            yield from page["AutomationRulesMetadata"]
            if not page.get("NextToken"):
                return
            more = {"NextToken": page["NextToken"]}

    def disable(self, rule_arn: str) -> None:
        """See `model.Hub`."""
        item = {"RuleArn": rule_arn, "RuleStatus": "DISABLED"}
        answer = self._client.batch_update_automation_rules(UpdateAutomationRulesRequestItems=[item])
        for unprocessed in answer.get("UnprocessedAutomationRules", []):
            raise RuleNotDisabledError(f"{rule_arn} was not disabled: {unprocessed.get('ErrorMessage')}")

    def rule(self, rule_arn: str) -> Rule:
        """See `model.Hub`."""
        answer = self._client.batch_get_automation_rules(AutomationRulesArns=[rule_arn])
        for rule in answer["Rules"]:
            updates = (action.get("FindingFieldsUpdate", {}) for action in rule["Actions"])
            authors = [str(one["Note"]["UpdatedBy"]) for one in updates if "Note" in one]
            return Rule(marker=next(iter(authors), ""), criteria=rule["Criteria"])
        raise LookupError(
            f"{rule_arn} could not be read: {answer.get('UnprocessedAutomationRules', [])}. {_IF_DELETED}"
        )

    def suppressed(self, markers: str, except_marked: Sequence[str]) -> Iterator[Found]:
        """See `model.Hub`. What can't be excluded here, the caller excludes."""
        excluded = [
            {"Value": markers + one, "Comparison": "NOT_EQUALS"} for one in except_marked[:_MAX_EXCLUDED]
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
                key, _, digest = finding["Note"]["UpdatedBy"].removeprefix(markers).partition(".")
                is_passed = finding.get("Compliance", {}).get("Status") == "PASSED"
                yield Found(
                    identity={"Id": finding["Id"], "ProductArn": finding["ProductArn"]},
                    key=key,
                    digest=digest,
                    note=finding["Note"]["Text"],
                    is_settled=is_passed or finding.get("RecordState") == "ARCHIVED",
                )

    def matching(self, findings: Sequence[Found], criteria: Mapping[str, Any]) -> Sequence[Found]:
        """See `model.Hub`."""
        rest = list(findings)
        for alternatives in filters_of(criteria):
            met = [identity for one in alternatives for identity in self._identities(rest, one)]
            rest = [one for one in rest if one.identity in met]
        return rest

    def _identities(
        self, findings: Sequence[Found], filters: Mapping[str, Any]
    ) -> Iterator[Mapping[str, str]]:
        """Find findings among some, and others with the same ID."""
        if not findings:
            return
        ids = [{"Value": one.identity["Id"], "Comparison": "EQUALS"} for one in findings]
        pages = self._client.get_paginator("get_findings").paginate(
            Filters={**filters, "Id": ids}, MaxResults=100
        )
        for page in pages:
            for finding in page["Findings"]:
                yield {"Id": finding["Id"], "ProductArn": finding["ProductArn"]}

    def reopen(
        self, findings: Sequence[Found], *, note: str, author: str, is_settled: bool
    ) -> Sequence[NotUpdated]:
        """See `model.Hub`. A new author keeps a later suppression by a person out of reach."""
        return self._update(
            findings,
            Workflow={"Status": "RESOLVED" if is_settled else "NEW"},
            Note={"Text": note, "UpdatedBy": author},
        )

    def mark(self, findings: Sequence[Found], *, note: str, marker: str) -> Sequence[NotUpdated]:
        """See `model.Hub`."""
        return self._update(findings, Note={"Text": note, "UpdatedBy": marker})

    def _update(self, findings: Sequence[Found], **update: object) -> Sequence[NotUpdated]:
        answer = _unless_refused(
            self._client.batch_update_findings,
            FindingIdentifiers=[one.identity for one in findings],
            **update,
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
        """See `model.Hub`."""
        try:
            rule = self._client.get_automation_rule_v2(Identifier=rule_arn)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return None
            raise
        return str(rule["Description"]) if rule["RuleStatus"] == "ENABLED" else None

    def disable(self, rule_arn: str) -> None:
        """See `model.Hub`."""
        self._client.update_automation_rule_v2(Identifier=rule_arn, RuleStatus="DISABLED")

    def rule(self, rule_arn: str) -> Rule:
        """See `model.Hub`."""
        try:
            rule = self._client.get_automation_rule_v2(Identifier=rule_arn)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                raise LookupError(f"{rule_arn} doesn't exist. {_IF_DELETED}") from error
            raise
        comments = [
            str(action["FindingFieldsUpdate"].get("Comment", ""))
            for action in rule["Actions"]
            if "FindingFieldsUpdate" in action
        ]
        return Rule(marker=next(iter(comments), "").partition(": ")[0], criteria=rule["Criteria"])

    def suppressed(self, markers: str, except_marked: Sequence[str]) -> Iterator[Found]:
        """See `model.Hub`."""
        conditions = [
            _condition("status", "EQUALS", "Suppressed"),
            _condition("comment", "PREFIX", markers),
            *(
                _condition("comment", "PREFIX_NOT_EQUALS", markers + one)
                for one in except_marked[:_MAX_EXCLUDED_V2]
            ),
        ]
        pages = self._client.get_paginator("get_findings_v2").paginate(
            Filters={"CompositeFilters": [{"StringFilters": conditions, "Operator": "AND"}]}, MaxResults=100
        )
        for page in pages:
            for finding in page["Findings"]:
                marker, _, note = finding["comment"].partition(": ")
                key, _, digest = marker.removeprefix(markers).partition(".")
                is_passed = finding.get("compliance", {}).get("status") == "Pass"
                yield Found(
                    identity=finding["metadata"]["uid"],
                    key=key,
                    digest=digest,
                    note=note,
                    is_settled=is_passed or finding.get("activity_name") == "Close",
                )

    def matching(self, findings: Sequence[Found], criteria: Mapping[str, Any]) -> Sequence[Found]:
        """See `model.Hub`."""
        rest = list(findings)
        for composites in composites_of(criteria):
            if not rest:
                break
            ids = [_condition("metadata.uid", "EQUALS", one.identity) for one in rest]
            of_ids = {"StringFilters": ids, "Operator": "OR"}
            filters = {"CompositeFilters": [*composites, of_ids], "CompositeOperator": "AND"}
            pages = self._client.get_paginator("get_findings_v2").paginate(Filters=filters, MaxResults=100)
            met = {finding["metadata"]["uid"] for page in pages for finding in page["Findings"]}
            rest = [one for one in rest if one.identity in met]
        return rest

    def reopen(
        self, findings: Sequence[Found], *, note: str, author: str, is_settled: bool
    ) -> Sequence[NotUpdated]:
        """See `model.Hub`. Comments have no author."""
        del author
        return self._update(findings, Comment=note, StatusId=_RESOLVED if is_settled else _NEW)

    def mark(self, findings: Sequence[Found], *, note: str, marker: str) -> Sequence[NotUpdated]:
        """See `model.Hub`."""
        return self._update(findings, Comment=shortened(f"{marker}: {note}"))

    def _update(self, findings: Sequence[Found], **update: object) -> Sequence[NotUpdated]:
        answer = _unless_refused(
            self._client.batch_update_findings_v2,
            MetadataUids=[one.identity for one in findings],
            **update,
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
