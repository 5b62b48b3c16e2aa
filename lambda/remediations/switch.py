"""Remediations that read one value and write another, without a decision: each is a row of literals.

Plan, apply, undo, and their statements follow from the row, so they can't differ. The stacks read the same
literals. A row, in the tuple `SWITCHES` of a module in the folder of its AWS
service, is a dict of:

- `name`, `control_ids`, `resource_types`, `description`: as of a module; see the docstring of `remediations`.
- `service`: the service as boto3 names it, which is also the prefix of its IAM actions.
- `resource`: what the writes are permitted on, an ARN with placeholders, or `*`.
- `identifier`: the parameter that names the resource; a regular expression for the resource's ID whose group
  is its value, with `${Region}` and `${Account}` for those of the finding; and a description of such an ID.
  Empty strings if the setting is the account's.
- `read`: the operation that reads, its arguments with `{id}` for the identifier, and what the read is
  permitted on.
- `at`: the keys and indexes that lead to the value in the answer. An index into an empty list means that the
  resource is gone.
- `gone`: the error codes that mean the same, and what kind of resource it is, such as `The subnet`.
  Empty if a resource that isn't found can live on under another name.
- `unique`: if the identifier is a name that can pass on to another resource while the first one lives on, the
  field with the unique ID, beside the value in the answer and in the finding's details. Default: none.
- `remains`: a field beside the value that the control is about as well, and what has to be decided manually
  where that field is true. Default: none.
- `unchangeable`: a field beside the value, the value of that field with which AWS refuses changes, and what
  to do about it. Default: none.
- `wanted`, `other`: the two values, each with the operation that sets it, and its arguments.
- `plan`, `already`: the descriptions if the value is the other, and if it's as wanted.

Source: https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from botocore import xform_name
from botocore.exceptions import ClientError

from remediations.contract import (
    CannotRemediateError,
    Change,
    Plan,
    Remediation,
    Setting,
    Statement,
    resource_of,
)
from remediations.details import require_same

if TYPE_CHECKING:
    from boto3.session import Session

    from securityhub.events import Finding

Row = Mapping[str, Any]

_GONE: Final = object()
# A retry would get them again. Amazon RDS refuses so what is set for a cluster, and not for its instances,
# and to make an instance public in a VPC without internet gateway or DNS hostnames; Amazon EC2, that IMDSv1
# is permitted again where the account enforces IMDSv2:
# https://github.com/aws-controllers-k8s/community/issues/2723
# https://github.com/hackoregon/civic-devops/issues/281
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-IMDS-existing-instances.html
_REFUSED: Final = ("InvalidParameterCombination", "InvalidVPCNetworkStateFault", "UnsupportedOperation")


def remediations_of(rows: Iterable[Row]) -> list[Remediation]:
    """Make a remediation of each row."""
    return [_remediation(row) for row in rows]


def _remediation(row: Row) -> Remediation:
    switch = _Switch(row)
    return Remediation(
        name=row["name"],
        control_ids=row["control_ids"],
        resource_types=row["resource_types"],
        description=row["description"],
        plan=switch.plan,
        apply=switch.apply,
        look=switch.look,
        undo=switch.undo,
        statements=(_read_statement(row), _write_statement(row, "wanted")),
        undo_statements=(_read_statement(row), _write_statement(row, "other")),
    )


def _statement(row: Row, operation: str, resource: str) -> Statement:
    return {"Action": (f"{row['service']}:{operation}",), "Resource": (resource,)}


def _read_statement(row: Row) -> Statement:
    return _statement(row, row["read"][0], row["read"][2])


def _write_statement(row: Row, which: str) -> Statement:
    return _statement(row, row[which][1], row["resource"])


class _Switch:
    """Does what a row describes."""

    def __init__(self, row: Row) -> None:
        self._row = row
        parameter, self._form, self._example = row["identifier"]
        # Existing records have these keys, so they must not change.
        self._keys = tuple(filter(None, (parameter, row["at"][-1])))

    def plan(self, finding: Finding, session: Session) -> Plan:
        """Read the value and compare it with the wanted one."""
        named = resource_of(finding, self._row["resource_types"])
        resource = named.id
        identifier = self._identifier(resource, finding)
        value, beside = self._read(identifier, session)
        if value is _GONE:
            return self._gone(resource)
        unique: str = self._row.get("unique", "")
        if unique:
            require_same(finding, named, beside, field=unique)
        wanted, other = self._row["wanted"][0], self._row["other"][0]
        # A response can leave out what is off. Only an explicit value counts as off if off is wanted.
        if value is None and isinstance(wanted, bool):
            value = False if wanted else None
        if value not in (wanted, other):
            raise CannotRemediateError(
                f"{self._keys[-1]} of {resource} is {value!r}, neither {wanted!r} nor {other!r}. Remediate "
                "the finding manually."
            )
        is_needed = value != wanted
        if is_needed:
            self._require_changeable(beside)
        said = self._row["plan"] if is_needed else self._row["already"]
        state = dict(zip(self._keys, (identifier, value) if identifier else (value,), strict=True))
        return Plan(
            resource=resource,
            description=said.replace("{region}", finding.region),
            prior_state=state | ({unique: beside[unique]} if unique in beside else {}),
            is_needed=is_needed,
            remains=self._remains(beside),
        )

    def _require_changeable(self, beside: Mapping[str, Any]) -> None:
        field, refused, said = self._row.get("unchangeable", ("", "", ""))
        if field and beside.get(field) == refused:
            raise CannotRemediateError(said)

    def _remains(self, beside: Mapping[str, Any]) -> str:
        field, said = self._row.get("remains", ("", ""))
        return said if beside.get(field) else ""

    def apply(self, plan: Plan, session: Session) -> Change:
        """Set the value that is wanted.

        Raises:
            CannotRemediateError: AWS doesn't let this resource have a setting of its own.
        """
        cure = (
            "If the setting is that of a cluster, change it there; otherwise remediate the finding manually."
        )
        self._write("wanted", plan.prior_state, session, of=plan.resource, cure=cure)
        return plan.done()

    def look(self, change: Change, session: Session) -> list[Setting]:
        """Read the value, unless it's that of another resource, which the record tells apart if it can.

        Raises:
            CannotRemediateError: It's as it was left, and AWS refuses changes.
        """
        value, beside = self._read(self._identifier_in(change.prior_state), session)
        wanted, other = self._row["wanted"][0], self._row["other"][0]
        unique: str = self._row.get("unique", "")
        if value is _GONE:
            value = "not found"
        elif change.prior_state.get(unique, beside.get(unique)) != beside.get(unique):
            value = f"that of another resource, whose {unique} is {beside.get(unique)},"
        elif value is None and isinstance(wanted, bool):
            value = False
        if value == wanted:
            self._require_changeable(beside)
        return [Setting(name=self._keys[-1], before=other, left=wanted, now=value)]

    def undo(self, change: Change, session: Session, _settings: Sequence[Setting]) -> None:
        """Set the other value again.

        Raises:
            CannotRemediateError: AWS doesn't let this resource have it, for example because of the account.
        """
        cure = "Change what it names, and press again, or leave it as it is."
        self._write("other", change.prior_state, session, of=change.resource, cure=cure)

    def _gone(self, resource: str) -> Plan:
        what = self._row["gone"][1]
        if not what:
            raise CannotRemediateError(
                f"{resource} was not found. It was deleted, or renamed. If it was renamed, remediate it "
                "manually; if it was deleted, suppress the finding."
            )
        return Plan.gone(resource, what)

    def _identifier(self, resource: str, finding: Finding) -> str:
        if not self._form:
            return ""
        form = self._form.replace("${Region}", re.escape(finding.region))
        form = form.replace("${Account}", re.escape(finding.aws_account_id))
        if (found := re.fullmatch(form, resource)) is None:
            raise CannotRemediateError(
                f"The finding's resource is {resource!r}, but it must be {self._example}, of the finding's "
                "own account and Region. Remediate the finding manually."
            )
        return found[1]

    def _read(self, identifier: str, session: Session) -> tuple[object, Mapping[str, Any]]:
        """Return the value, and what stands beside it in the answer."""
        operation, arguments, _ = self._row["read"]
        try:
            answer: Any = self._call(operation, arguments, identifier, session)
        except ClientError as error:
            if error.response["Error"]["Code"] in self._row["gone"][0]:
                return _GONE, {}
            raise
        beside: Any = {}
        for step in self._row["at"]:
            if isinstance(step, int) and not answer:
                return _GONE, {}
            beside = answer
            answer = answer[step] if isinstance(step, int) else (answer or {}).get(step)
        return answer, beside or {}

    def _write(
        self, which: str, state: Mapping[str, object], session: Session, *, of: str, cure: str
    ) -> None:
        _, operation, arguments = self._row[which]
        try:
            self._call(operation, arguments, self._identifier_in(state), session)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _REFUSED:
                raise
            raise CannotRemediateError(
                f"AWS refuses to change {self._keys[-1]} of {of}: "
                f"{error.response['Error'].get('Message', '')} {cure}"
            ) from error

    def _identifier_in(self, state: Mapping[str, object]) -> str:
        return str(state[self._keys[0]]) if self._form else ""

    def _call(self, operation: str, arguments: object, identifier: str, session: Session) -> object:
        connect: Any = session.client
        client = connect(self._row["service"])
        return getattr(client, xform_name(operation))(**_filled(arguments, identifier))


def _filled(value: Any, identifier: str) -> Any:  # noqa: ANN401 - literals
    """The arguments with the placeholders replaced."""
    if isinstance(value, dict):
        return {key: _filled(item, identifier) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, identifier) for item in value]
    return identifier if value == "{id}" else value
