"""Who may do what: roles that are assumed, and the requests of roles and of services."""
