"""Permissions: assuming roles, and the requests of roles and of services."""
