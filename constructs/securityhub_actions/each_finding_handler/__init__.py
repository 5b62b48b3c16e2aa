"""The Lambda function of `targets.EachFinding`. Its entry point is `handler.handle`."""
