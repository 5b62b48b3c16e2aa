"""One folder for each AWS service, with one module for each remediation.

`remediations.registry` finds the modules, so that adding one touches nothing else.

A module states these as literals, because the stacks read them without importing it:

- `CONTROL_IDS`: a tuple of Security Hub control IDs such as `"EC2.13"`. For findings of another product, the
  end of its ARN, such as `"product/aws/guardduty"`.
- `RESOURCE_TYPES`: a tuple of ASFF resource types, such as `"AwsEc2SecurityGroup"`.
- `DESCRIPTION`: one sentence that says what it changes.
- `STATEMENTS`: a tuple of IAM statements, each a dict of `Action` and `Resource`, both tuples of strings; all
  that `plan` and `apply` call and nothing else. Resources can contain `${Partition}`, `${Region}`, and
  `${Account}`. `Condition` is optional, as in a policy, with strings as values, which can contain them as
  well. A resource without an account in its ARN needs `aws:ResourceAccount`, or the reason beside it.

and defines `plan(finding, session) -> Plan` and `apply(plan, session) -> Change`. If it can be undone, it
also has `look(change, session) -> Sequence[Setting]`, which reads what became of what was changed, and
`undo(change, session, settings)`, which restores those settings that nobody has changed since, and
`UNDO_STATEMENTS`, which are granted only if undo is enabled. If `look` can't tell from the prior state what
`apply` set, `apply` says it in `left` of the change. If the
finding doesn't name what is changed, it also has `tags_of_changed(change, session)`, which returns the tags
of everything that will be changed, by its ID. It's called before `apply` and `undo` if tags are checked.

A module that needs configuration, such as which key to encrypt with, also states the literal `PARAMETERS`:
for each name a dict of `description`, which says what it is and which values are allowed, and `pattern`, a
regular expression that an allowed value matches in full. If the module is enabled, all are required, in the
table `[remediation.parameters.MODULE]` of settings.toml; they are checked when the app is synthesized and at
cold start. Such a module defines `plan(finding, session, parameters)` and `apply(plan, session, parameters)`;
its `look` and `undo` have no additional parameter.

A module that leaves its change to an AWS-owned Automation runbook of Systems Manager calls
`remediations.runbooks.run_runbook` in `apply`, and also states these:

- `RUNBOOK`: the runbook's name. Starting and following it needs no statement of the module's own.
- `RUNBOOK_STATEMENTS`: the permissions that the runbook's steps need, as its page in AWS's reference says.
  The automation role that is passed to it consists of them.

A remediation that reads one value and writes another, without a decision, needs no module of its own: it's a
row of literals in `SWITCHES` of its service's module `switches`; see `remediations.switch`.
"""
