"""Decisions on the desk of tests/lambda/functions/remediate/conftest.py, and what came of one finding."""

from __future__ import annotations

from functions.remediate.approval_contract import Answer


def status_of(summary):
    (report,) = summary.reports
    return report.outcome.status


def approve(desk, **where):
    return desk.answer(Answer.APPROVED, "approved by arn:aws:iam::111122223333:role/Lead", **where)


def reject(desk):
    return desk.answer(Answer.REFUSED, "rejected by arn:aws:iam::111122223333:role/Lead")
