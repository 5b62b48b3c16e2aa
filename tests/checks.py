"""The checks that `cdk synth` makes of the app's templates, for the tests that are about them."""

from __future__ import annotations

import functools

from aws_cdk import App, CloudFormationValidatePlugin, Validations

from stacks.template_checks import check_templates


def check_as_cdk_synth(app: App) -> None:
    """Make synthesis fail where the checks of app.py or the CDK's own rules, which tests leave out, do."""
    check_templates(app)
    Validations.of(app).add_plugins(_cdks_own_rules())


@functools.cache
def _cdks_own_rules() -> CloudFormationValidatePlugin:
    """The one that all tests share, because each takes seconds and 100 MB to load."""
    return CloudFormationValidatePlugin()
