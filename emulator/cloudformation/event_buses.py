"""The policies of event buses in CloudFormation, which MiniStack ignores, and the IDs of rules on buses.

Without the policies, a bus that admits nobody would work here and fail on AWS, and one that keeps others out
would let them in. The `Ref` of a rule on another bus than the default one is `BUS|NAME`, not the name alone.

Sources:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-events-eventbus.html
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-events-eventbuspolicy.html
    https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/1131
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ministack.services.cloudformation import provisioners

from emulator.delivery import buses

BUS: Final = "AWS::Events::EventBus"
POLICY: Final = "AWS::Events::EventBusPolicy"
RULE: Final = "AWS::Events::Rule"

Properties = Mapping[str, Any]


def register() -> None:
    """Let templates have policies of buses, and IDs of rules. Calling it again changes nothing."""
    handlers = provisioners._RESOURCE_HANDLERS  # noqa: SLF001 - see tests/emulator/contract
    if POLICY in handlers:
        return
    known = dict(handlers[BUS])

    def create(logical_id: str, properties: Properties, stack_name: str) -> Any:  # noqa: ANN401 - MiniStack's
        answer = known["create"](logical_id, properties, stack_name)
        buses.set_policy(answer[0], properties.get("Policy"))
        return answer

    def update(physical_id: str, old: Properties, new: Properties, *rest: Any) -> Any:  # noqa: ANN401
        answer = known["update"](physical_id, old, new, *rest)
        if old.get("Policy") != new.get("Policy"):
            buses.set_policy(physical_id, new.get("Policy"))
        return answer

    handlers[BUS] = {**known, "create": create, "update": update}
    handlers[POLICY] = {"create": _create, "update": _update, "delete": _delete}
    handlers[RULE] = _rules_with_ids(handlers[RULE])
    provisioners._REPLACING_PROPERTIES[POLICY] = ("EventBusName", "StatementId")  # noqa: SLF001


def _rules_with_ids(known: Mapping[str, Any]) -> Mapping[str, Any]:
    def create(logical_id: str, properties: Properties, stack_name: str) -> Any:  # noqa: ANN401 - MiniStack's
        name, *rest = known["create"](logical_id, properties, stack_name)
        return _id_of_rule(name, properties), *rest

    def update(physical_id: str, old: Properties, new: Properties, *more: Any) -> Any:  # noqa: ANN401
        name, *rest = known["update"](_name_of_rule(physical_id), old, new, *more)
        return _id_of_rule(name, new), *rest

    def delete(physical_id: str, properties: Properties) -> None:
        known["delete"](_name_of_rule(physical_id), properties)

    return {**known, "create": create, "update": update, "delete": delete}


def _id_of_rule(name: str, properties: Properties) -> str:
    bus = _bus_of(properties)
    return name if bus == "default" else f"{bus}|{name}"


def _name_of_rule(physical_id: str) -> str:
    return physical_id.rpartition("|")[2]


def _create(_logical_id: str, properties: Properties, _stack_name: str) -> tuple[str, dict[str, Any]]:
    bus, statement_id = _bus_of(properties), str(properties["StatementId"])
    buses.put_statement(bus, statement_id, _statement(properties))
    return f"{bus}|{statement_id}", {}


def _update(
    physical_id: str, _old: Properties, properties: Properties, stack_name: str
) -> tuple[str, dict[str, Any]]:
    return _create(physical_id, properties, stack_name)


def _delete(physical_id: str, _properties: Properties) -> None:
    bus, _, statement_id = physical_id.rpartition("|")
    buses.remove_statement(bus, statement_id)


def _bus_of(properties: Properties) -> str:
    return str(properties.get("EventBusName") or "default").rpartition("/")[2]


def _statement(properties: Properties) -> dict[str, Any]:
    if "Statement" in properties:
        return dict(properties["Statement"])
    statement = {"Effect": "Allow", "Action": properties["Action"], "Principal": properties["Principal"]}
    if condition := properties.get("Condition"):
        statement["Condition"] = {condition["Type"]: {condition["Key"]: condition["Value"]}}
    return statement
