"""Remediations for Amazon RDS, Amazon DocumentDB and Amazon Neptune."""
