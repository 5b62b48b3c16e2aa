"""The Lambda function for the custom action that sends insight results or findings as a readable message."""
