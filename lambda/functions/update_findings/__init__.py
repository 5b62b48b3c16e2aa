"""The Lambda function for the custom actions that change the workflow status of findings."""
