"""What a synthesized app contains.

Texts can have parts that only a deployment determines, such as generated names. `values.shown` displays
them as `${LogicalId}`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

DEFAULT_BUS: Final = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A target of a rule.

    Attributes:
        id: The ID of the target in its rule.
        arn: The ARN of the target.
        kind: What it is, such as `Lambda function`.
        path: The construct path or, if there is none, the logical ID of the resource; None if the resource
            isn't in the stack.
        properties: The properties of the target in the template, resolved.
    """

    id: str
    arn: str
    kind: str
    path: str | None
    properties: Mapping[str, Any]

    @property
    def dead_letter_arn(self) -> str | None:
        """The ARN of the dead-letter queue, or None if there is none."""
        config = self.properties.get("DeadLetterConfig")
        arn = config.get("Arn") if isinstance(config, Mapping) else None
        return None if arn is None else str(arn)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """An EventBridge rule.

    Attributes:
        stack: The name of its stack.
        logical_id: The logical ID of the resource.
        path: The construct path or, if there is none, the logical ID.
        name: The name of the rule.
        description: The description, or an empty string.
        enabled: Whether the rule is enabled.
        bus: The name or ARN of the event bus.
        pattern: The event pattern, resolved, or None if the rule only has a schedule. If only a deployment
            determines the entire pattern, it's an object whose one key is unknown.
        schedule: The schedule, or None.
        targets: The targets in the order of the template.
        account: The account of the stack, or None if the stack is environment-agnostic.
        region: The Region of the stack, or None if the stack is environment-agnostic.
    """

    stack: str
    logical_id: str
    path: str
    name: str
    description: str
    enabled: bool
    bus: str
    pattern: Mapping[str, Any] | None
    schedule: str | None
    targets: Sequence[Target]
    account: str | None
    region: str | None

    @property
    def bus_name(self) -> str:
        """The name of the event bus."""
        return self.bus.rpartition("/")[2]

    @property
    def is_on_default_bus(self) -> bool:
        """Whether the rule gets the events that AWS services send."""
        return self.bus_name == DEFAULT_BUS

    @property
    def arn_resource(self) -> str:
        """The part of the rule's ARN after the account: `rule/NAME`, or `rule/BUS/NAME`."""
        return f"rule/{self.name}" if self.is_on_default_bus else f"rule/{self.bus_name}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """A Security Hub custom action.

    Attributes:
        stack: The name of its stack.
        logical_id: The logical ID of the resource.
        path: The construct path or, if there is none, the logical ID.
        id: The ID of the action.
        name: The name that the console displays.
        description: The description.
        arn: The ARN of the action.
    """

    stack: str
    logical_id: str
    path: str
    id: str
    name: str
    description: str
    arn: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A CloudFormation stack.

    Attributes:
        name: The name of the stack.
        account: The account, or None if the stack is environment-agnostic.
        region: The Region, or None if the stack is environment-agnostic.
        template: The template as synthesized.
        resources: The properties of each resource by logical ID, resolved.
        actions: The custom actions.
        rules: The EventBridge rules.
        template_bytes: The size of the file that CloudFormation gets. None if it isn't read from a file.
        raised_quotas: The quotas that were increased for the account, by the names of their context values.
    """

    name: str
    account: str | None
    region: str | None
    template: Mapping[str, Any] = field(repr=False)
    resources: Mapping[str, Mapping[str, Any]] = field(repr=False)
    actions: Sequence[Action]
    rules: Sequence[Rule]
    template_bytes: int | None = None
    raised_quotas: Mapping[str, int] = field(default_factory=dict)

    def of_type(self, resource_type: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Return the resources of a type: logical IDs and properties."""
        for logical_id, properties in self.resources.items():
            if self.template["Resources"][logical_id]["Type"] == resource_type:
                yield logical_id, properties


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """A synthesized app."""

    stacks: Sequence[Stack]

    @property
    def actions(self) -> list[Action]:
        """The custom actions of all stacks."""
        return [action for stack in self.stacks for action in stack.actions]

    @property
    def rules(self) -> list[Rule]:
        """The rules of all stacks."""
        return [rule for stack in self.stacks for rule in stack.rules]
