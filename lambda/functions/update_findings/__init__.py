"""Lambda function behind the custom actions that change the workflow status of findings."""
