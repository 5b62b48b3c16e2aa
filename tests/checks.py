"""The checks that `cdk synth` makes of the app's templates, for the tests that are about them."""

from __future__ import annotations

import functools

from aws_cdk import App, CloudFormationValidatePlugin, Validations

from stacks.template_checks import check_templates


def check_as_cdk_synth(app: App) -> None:
    """Make synthesis fail where the checks of app.py or the CDK's own rules, which tests leave out, do."""
    _load_cfn_lint_once()
    check_templates(app)
    Validations.of(app).add_plugins(_cdks_own_rules())


@functools.cache
def _cdks_own_rules() -> CloudFormationValidatePlugin:
    """The one that all tests share, because each takes seconds and 100 MB to load."""
    return CloudFormationValidatePlugin()


@functools.cache
def _load_cfn_lint_once() -> None:
    """Let all tests share cfn-lint's rules, as the templates of an app do: it loads hundreds for each."""
    # Imported on first use, because it takes seconds.
    from cfnlint.rules import Rules  # noqa: PLC0415

    Rules.create_from_directory = staticmethod(functools.cache(Rules.create_from_directory))  # type: ignore[method-assign,assignment]
