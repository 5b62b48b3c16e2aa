"""A simulation of a burst of findings: how long it takes, what it costs, and what breaks first."""
