"""The command `securityhub-actions`: see what an app does before it's deployed, and operate it afterwards.

It reads synthesized templates and needs neither the AWS CDK nor Node.js. Install it with
`pip install "securityhub-actions[cli]"`. Nothing else in this library imports it.
"""
