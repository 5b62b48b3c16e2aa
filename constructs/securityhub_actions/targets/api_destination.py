"""An HTTPS endpoint outside AWS as a rule target."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs

from securityhub_actions.arguments import checked
from securityhub_actions.checks import Validation
from securityhub_actions.delivery import Delivery, Target
from securityhub_actions.event_names import CUSTOM_ACTION, IMPORTED, IMPORTED_V2
from securityhub_actions.targets.event_kinds import detail_types, finding_paths, is_taken_apart
from securityhub_actions.targets.events_role import EventsRole
from securityhub_actions.targets.finding_paths import SUMMARY, FindingPaths
from securityhub_actions.targets.json_input import Json, JsonInput, check_json, input_paths

_ONE_FINDING: Final = re.compile(r"\$\.detail\.findings\[\d+\](?:\.(?P<attribute>.*))?")
_ALL_FINDINGS: Final = frozenset({"$", "$.detail", "$.detail.findings"})

if TYPE_CHECKING:
    Body: TypeAlias = Json | Callable[[FindingPaths], Json]
    """The body of a request, or a function that creates it from the paths of the event's first finding."""
else:
    Body = Annotated[object, lambda name, value: _check_body(name, value)]  # noqa: PLW0108 - defined below


class ApiDestination(Target):
    """Sends an HTTPS request to an EventBridge API destination.

    The endpoint must respond within 5 seconds. EventBridge retries after the status codes 401, 407, 409, 429,
    and 5xx, according to the retry policy. After any other status code except 2xx, it sends the event to the
    dead-letter queue without retrying.

    EventBridge can't iterate, so a body refers to a finding by its index. If a rule's events can contain
    several findings or none, a body that refers to the first finding is an error at synthesis, unless the
    request also contains the whole event, `$.detail`, or `$.detail.findings`. `EachFinding` sends a request
    for each finding, and for each result of an insight.

    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-api-destinations.html
    """

    @checked
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
            body: The body of the request. Use `InputPath` for values from the event. A function receives the
                paths of the first finding, and works with both ASFF and OCSF events.
                Default: the whole event.
            header_parameters: Headers in addition to the connection's. Don't put secrets in them. A value
                that starts with `$.` is a path in the event, here and in the following two arguments.
                Default: none.
            query_string_parameters: Query parameters in addition to the connection's. Don't put secrets in
                them. Default: none.
            path_parameter_values: The values that replace each `*` in the path of the endpoint.
                Default: none.
            delivery: The retry policy and dead-letter queue. Default: the rule's.
        """
        super().__init__(delivery=delivery)
        self.destination = destination
        self._body = body
        self._header_parameters = dict(header_parameters or {})
        self._query_string_parameters = dict(query_string_parameters or {})
        self._path_parameter_values = list(path_parameter_values or ())

    def connect(self, rule: events.IRule, dead_letter_queue: sqs.IQueue) -> events.RuleTargetConfig:  # noqa: ARG002 - a request fails at EventBridge, which has the queue
        """Allow rules in this account and Region to invoke the destination."""
        body = self._body
        if callable(body):
            body = body(finding_paths(rule))
        rule.node.add_validation(Validation(lambda: self._lost_findings(rule, body)))
        arn = self.destination.api_destination_arn
        role = EventsRole.shared(
            rule,
            self.destination,
            description="Lets EventBridge invoke an API destination for Security Hub events",
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
        apart = is_taken_apart(rule)
        if not apart and any(path.startswith(f"{SUMMARY}.") for path in paths):
            return [
                f"The request to {self.destination.node.path} contains {SUMMARY}, which only events of "
                "targets.EachFinding have. Wrap the target: targets.EachFinding(...)."
            ]
        of_one = sorted({path for path in paths if _ONE_FINDING.fullmatch(path)})
        if not of_one:
            return []
        matched = detail_types(rule)
        allowed = set.intersection(*map(_imported_with, of_one))
        if IMPORTED in allowed and (apart or _ALL_FINDINGS.intersection(paths)):
            allowed.add(CUSTOM_ACTION)
        if matched and matched <= allowed:
            return []
        does = (
            f"The rule {rule.node.path} matches {_listed(matched) or 'events of any detail-type'}, but the "
            f"request to {self.destination.node.path} contains {of_one[0]}, which works only with "
            f"{_listed(allowed) or 'one finding format at a time'}."
        )
        if apart:
            return [
                f"{does} Otherwise, the request would be invalid. Use attributes of the summary, which all "
                f"events of targets.EachFinding have, such as {SUMMARY}.title, or limit the rule."
            ]
        return [
            f"{does} If an event contains several findings, all but one would be lost, and if it contains "
            "none, the request would be invalid. Wrap the target, which then gets one finding at a time: "
            "targets.EachFinding(...). Or use it on a rule for imported findings in one format."
        ]


def _check_body(name: str, body: object) -> None:
    if isinstance(body, type) or not callable(body):
        check_json(name, body)


def _imported_with(path: str) -> set[str]:
    """The detail-types of findings with an attribute. ASFF names start with a capital, OCSF names don't."""
    match = _ONE_FINDING.fullmatch(path)
    attribute = match["attribute"] if match else None
    if not attribute:
        return {IMPORTED, IMPORTED_V2}
    return {IMPORTED} if attribute[0].isupper() else {IMPORTED_V2}


def _listed(names: set[str]) -> str:
    return " and ".join(f"'{name}'" for name in sorted(names))
