"""AWS Systems Manager Automation: executions, and the runbooks of AWS that remediations run."""
