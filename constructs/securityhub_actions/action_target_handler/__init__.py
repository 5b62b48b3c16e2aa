"""The Lambda function of `Custom::SecurityHubActionTarget`. Its entry point is `handler.handle`."""
