"""An HTTPS endpoint outside AWS as the target of a rule."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from aws_cdk import Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs

from securityhub_actions.checks import Validation
from securityhub_actions.delivery import Delivery, Target
from securityhub_actions.targets.events_role import EventsRole
from securityhub_actions.targets.finding_paths import ASFF, OCSF, FindingPaths
from securityhub_actions.targets.json_input import Json, JsonInput, input_paths

_IMPORTED: Final = "Security Hub Findings - Imported"
_IMPORTED_V2: Final = "Findings Imported V2"
_CUSTOM_ACTION: Final = "Security Hub Findings - Custom Action"
_ONE_FINDING: Final = re.compile(r"\$\.detail\.findings\[\d+\](?:\.(?P<attribute>.*))?")
_ALL_FINDINGS: Final = frozenset({"$", "$.detail", "$.detail.findings"})

Body: TypeAlias = "Json | Callable[[FindingPaths], Json]"
"""The body of a request, or a function that makes it from the paths of the event's first finding."""


class ApiDestination(Target):
    """Sends an HTTPS request to an EventBridge API destination.

    The request has 5 seconds to be answered. EventBridge repeats it after 401, 407, 409, 429 and 5xx as the
    retry policy says; any other answer but 2xx sends the event to the dead-letter queue at once.

    EventBridge cannot iterate: a body names findings by their index. A body that tells of the first finding
    is therefore an error on a rule whose events may hold several findings or none, unless it also holds the
    whole event, `$.detail` or `$.detail.findings`.

    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-api-destinations.html
    """

    def __init__(
        self,
        destination: events.IApiDestination,
        *,
        body: Body | None = None,
        header_parameters: Mapping[str, str] | None = None,
        query_string_parameters: Mapping[str, str] | None = None,
        path_parameter_values: Sequence[str] | None = None,
        delivery: Delivery | None = None,
    ) -> None:
        """Create the target.

        Args:
            destination: The API destination.
            body: The body of the request; see `InputPath` for values of the event. A function gets the paths
                of the first finding and works for ASFF and OCSF events alike. Default: the whole event.
            header_parameters: Headers beside those of the connection; no secrets. A value that starts with
                `$.` is a path in the event, here and below. Default: none.
            query_string_parameters: Query parameters beside those of the connection; no secrets.
                Default: none.
            path_parameter_values: What replaces each `*` in the path of the endpoint. Default: nothing.
            delivery: Retry policy and dead-letter queue. Default: those of the rule.
        """
        super().__init__(delivery=delivery)
        self.destination = destination
        self._body = body
        self._header_parameters = dict(header_parameters or {})
        self._query_string_parameters = dict(query_string_parameters or {})
        self._path_parameter_values = list(path_parameter_values or ())

    def connect(self, rule: events.IRule, dead_letter_queue: sqs.IQueue) -> events.RuleTargetConfig:  # noqa: ARG002 - a request fails at EventBridge, which has the queue
        """Let rules of this account and region invoke the destination, and no other, with the body."""
        body = self._body
        if callable(body):
            body = body(OCSF if _detail_types(rule) == {_IMPORTED_V2} else ASFF)
        rule.node.add_validation(Validation(lambda: self._lost_findings(rule, body)))
        arn = self.destination.api_destination_arn
        role = EventsRole.shared(
            rule,
            self.destination,
            description="EventBridge invokes an API destination with it.",
            statements=[iam.PolicyStatement(actions=["events:InvokeApiDestination"], resources=[arn])],
        )
        return events.RuleTargetConfig(
            arn=arn,
            role=role,
            input=None if body is None else JsonInput(body),
            http_parameters=self._http_parameters(),
            target_resource=self.destination,
        )

    def _http_parameters(self) -> events.CfnRule.HttpParametersProperty | None:
        if not (self._header_parameters or self._query_string_parameters or self._path_parameter_values):
            return None
        return events.CfnRule.HttpParametersProperty(
            header_parameters=self._header_parameters or None,
            query_string_parameters=self._query_string_parameters or None,
            path_parameter_values=self._path_parameter_values or None,
        )

    def _lost_findings(self, rule: events.IRule, body: Json) -> list[str]:
        paths = [
            *(["$"] if body is None else [path.path for path in input_paths(body)]),
            *self._header_parameters.values(),
            *self._query_string_parameters.values(),
            *self._path_parameter_values,
        ]
        of_one = sorted({path for path in paths if _ONE_FINDING.fullmatch(path)})
        if not of_one:
            return []
        matched = _detail_types(rule)
        allowed = set.intersection(*map(_imported_with, of_one))
        if _IMPORTED in allowed and _ALL_FINDINGS.intersection(paths):
            allowed.add(_CUSTOM_ACTION)
        if matched and matched <= allowed:
            return []
        return [
            f"The rule {rule.node.path} matches {_listed(matched) or 'events of any detail-type'}, but the "
            f"request to {self.destination.node.path} is made from {of_one[0]}: it fits only "
            f"{_listed(allowed) or 'one format of findings at a time'}. Of an event with several findings "
            "all but one would be lost, and an event without findings would make no valid request. Use this "
            "target on a rule for imported findings of one format, or send the event to a Lambda function "
            "that makes a request for each finding."
        ]


def _detail_types(rule: events.IRule) -> set[str]:
    """The detail-types that a rule matches; empty when it is not limited to a list of them."""
    resource = rule.node.default_child
    pattern = Stack.of(rule).resolve(resource.event_pattern) if isinstance(resource, events.CfnRule) else None
    names = (pattern or {}).get("detail-type", [])
    return set(names) if all(isinstance(name, str) for name in names) else set()


def _imported_with(path: str) -> set[str]:
    """The detail-types of findings with an attribute: ASFF begins names with a capital, OCSF does not."""
    match = _ONE_FINDING.fullmatch(path)
    attribute = match["attribute"] if match else None
    if not attribute:
        return {_IMPORTED, _IMPORTED_V2}
    return {_IMPORTED} if attribute[0].isupper() else {_IMPORTED_V2}


def _listed(names: set[str]) -> str:
    return " and ".join(f"'{name}'" for name in sorted(names))
