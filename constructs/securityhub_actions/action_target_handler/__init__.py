"""The whole Lambda function behind ``Custom::SecurityHubActionTarget``; see ``handler``."""
