"""Asset folder of the Lambda function behind ``Custom::SecurityHubActionTarget``; see ``handler``."""
