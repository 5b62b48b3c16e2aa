"""Examines an account, a Region, and the stacks of an app in it, before and after a deployment."""

from __future__ import annotations

from securityhub_actions.cli.doctor.checks import examine, number_of_checks
from securityhub_actions.cli.doctor.model import Check, State
from securityhub_actions.cli.doctor.patient import Patient, patient_of

__all__ = ["Check", "Patient", "State", "examine", "number_of_checks", "patient_of"]
