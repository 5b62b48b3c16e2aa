"""The Lambda function of `targets.SecurityIncidentCase`. Its entry point is `handler.handle`."""
