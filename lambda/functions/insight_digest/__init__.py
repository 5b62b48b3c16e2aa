"""Lambda function behind the custom action that sends insight results, or findings, as a readable message."""
