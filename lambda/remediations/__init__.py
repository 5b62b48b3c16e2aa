"""One module for each remediation; `remediation.registry` finds them, so adding one touches nothing else.

A module states these as literals, because the stacks read them without importing it:

- `CONTROL_IDS`: a tuple of Security Hub control ids such as `"EC2.13"`. For findings of another product, the
  end of its ARN, such as `"product/aws/guardduty"`.
- `RESOURCE_TYPES`: a tuple of ASFF resource types, such as `"AwsEc2SecurityGroup"`.
- `DESCRIPTION`: one sentence that says what it changes.
- `STATEMENTS`: a tuple of IAM statements, each a dict of `Action` and `Resource`, both tuples of strings; all
  that `plan` and `apply` call and nothing else. Resources may hold `${Partition}`, `${Region}`, `${Account}`.

and defines `plan(finding, session) -> Plan` and `apply(plan, session) -> Change`. One that can be
undone also has `undo(change, session)` and `UNDO_STATEMENTS`, granted only where undoing is enabled.
"""
