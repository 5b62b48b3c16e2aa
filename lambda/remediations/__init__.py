"""One folder for each AWS service, with one module for each remediation.

`remediations.registry` finds the modules, so that adding one touches nothing else.

A module states these as literals, because the stacks read them without importing it:

- `CONTROL_IDS`: a tuple of Security Hub control ids such as `"EC2.13"`. For findings of another product, the
  end of its ARN, such as `"product/aws/guardduty"`.
- `RESOURCE_TYPES`: a tuple of ASFF resource types, such as `"AwsEc2SecurityGroup"`.
- `DESCRIPTION`: one sentence that says what it changes.
- `STATEMENTS`: a tuple of IAM statements, each a dict of `Action` and `Resource`, both tuples of strings; all
  that `plan` and `apply` call and nothing else. Resources can contain `${Partition}`, `${Region}`, and
  `${Account}`. `Condition` is optional, as in a policy, with strings as values, which can contain them as
  well. A resource without an account in its ARN needs `aws:ResourceAccount`, or the reason beside it.

and defines `plan(finding, session) -> Plan` and `apply(plan, session) -> Change`. One that can be
undone also has `undo(change, session)` and `UNDO_STATEMENTS`, granted only where undoing is enabled. One
whose finding does not name what is changed also has `tags_of_changed(change, session)`, called before `apply`
and `undo` where tags decide, which returns the tags of everything that will be changed, by its id.

One that must be told something, such as which key to encrypt with, also states the literal
`PARAMETERS`: for each name a dict of `description`, what it is and which values are allowed, and
`pattern`, a regular expression that an allowed value matches in full. All are required where the module
is enabled, in the table `[remediation.parameters.MODULE]` of settings.toml, and checked when the app is
synthesized and at cold start. Such a module defines `plan(finding, session, parameters)` and
`apply(plan, session, parameters)`; its `undo` is as the others'.

One that leaves its change to an AWS-owned Automation runbook of Systems Manager calls
`remediations.runbooks.run_runbook` in `apply`, and also states these:

- `RUNBOOK`: the runbook's name. Starting and following it needs no statement of the module's own.
- `RUNBOOK_STATEMENTS`: what the runbook's steps call, as its page in AWS's reference says, and of which the
  automation role is made that is passed to it.

What is one read and one write without a judgement needs no module of its own: it is a row of literals in
`SWITCHES` of its service's module `switches`; see `remediations.switch`.
"""
