"""Remediations for Amazon EC2, Amazon EBS and Amazon VPC."""
