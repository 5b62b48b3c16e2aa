"""The saved queries about outcomes, in the SQL of Amazon Athena.

Source: https://docs.aws.amazon.com/athena/latest/ug/querying-with-prepared-statements.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

TABLE: Final = "outcomes"

# Events can be delivered, and outcomes reported, more than once.
_DISTINCT: Final = """WITH distinct_outcomes AS (
  SELECT * FROM (
    SELECT *, row_number() OVER (PARTITION BY id ORDER BY "time") AS repetition
    FROM outcomes
    WHERE day >= date_format(current_date - interval '{days}' day, '%Y-%m-%d')
  )
  WHERE repetition = 1
)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A saved query.

    Attributes:
        name: Its name in Athena.
        description: What it answers.
        sql: The query. Each `?` is a parameter, which Athena asks for.
    """

    name: str
    description: str
    sql: str


def _query(name: str, description: str, select: str, *, days: int) -> Query:
    return Query(name=name, description=description, sql=_DISTINCT.format(days=days) + select)


QUERIES: Final = {
    "QueryCounts": _query(
        "Outcomes of 30 days",
        "How often each function did what, with what outcome, in the last 30 days",
        """SELECT "function", operation, outcome, cause.kind AS cause, count(*) AS number,
  round(approx_percentile(secondssinceupdate, 0.5)) AS median_seconds_since_update
FROM distinct_outcomes
GROUP BY 1, 2, 3, 4
ORDER BY 1, 2, number DESC""",
        days=30,
    ),
    "QueryPresses": _query(
        "Presses of 30 days",
        "Which custom actions were pressed when and where, on how many findings, and how many outcomes of "
        "each kind that had; what failed or was stopped, and was done by a retry, counts as both",
        """SELECT cause.time AS pressed, cause.actionarn AS action, cause.account AS account,
  cause.region AS region, cause.eventid AS event_id, count(DISTINCT finding.id) AS findings,
  count_if(outcome = 'done') AS done, count_if(outcome = 'partly_done') AS partly_done,
  count_if(outcome = 'unchanged') AS unchanged, count_if(outcome = 'dry_run') AS dry_run,
  count_if(outcome = 'held_back') AS held_back, count_if(outcome = 'refused') AS refused,
  count_if(outcome = 'impossible') AS impossible, count_if(outcome = 'stopped') AS stopped,
  count_if(outcome = 'failed') AS failed
FROM distinct_outcomes
WHERE cause.kind = 'press'
GROUP BY 1, 2, 3, 4, 5
ORDER BY pressed DESC""",
        days=30,
    ),
    "QueryFinding": _query(
        "History of a finding",
        "Everything about a finding in the last 400 days; the parameter is its ID in single quotation marks",
        """SELECT "time", "function", operation, part, outcome, reason, cause.kind AS cause,
  cause.actionarn AS action, requestid
FROM distinct_outcomes
WHERE finding.id = ?
ORDER BY "time\"""",
        days=400,
    ),
    "QueryChanges": _query(
        "Remediated and undone in 90 days",
        "Every remediation that changed something, and whether it was undone after that",
        """SELECT made."time" AS remediated, made.finding.account AS account, made.finding.region AS region,
  made.finding.control AS control, made.part AS remediation, made.reason AS change, made.cause.kind AS cause,
  min(undone."time") AS undone, made.finding.id AS finding
FROM distinct_outcomes AS made
LEFT JOIN distinct_outcomes AS undone
  ON undone.operation = 'undo' AND undone.outcome IN ('done', 'partly_done')
  AND undone.finding.id = made.finding.id AND undone.part = made.part AND undone."time" > made."time"
WHERE made.operation = 'remediate' AND made.outcome IN ('done', 'partly_done')
GROUP BY 1, 2, 3, 4, 5, 6, 7, 9
ORDER BY remediated DESC""",
        days=90,
    ),
    "QueryProblems": _query(
        "Refused, stopped, and failed in 7 days",
        "What was not done, with the reason, and when it was done after that, if it was; the latest first",
        """SELECT problem."time" AS "time", problem."function" AS "function", problem.operation AS operation,
  problem.part AS part, problem.outcome AS outcome, problem.reason AS reason,
  problem.finding.account AS account, problem.finding.control AS control, problem.finding.id AS finding,
  min(made."time") AS done_later
FROM distinct_outcomes AS problem
LEFT JOIN distinct_outcomes AS made
  ON made.outcome IN ('done', 'partly_done') AND made.finding.id = problem.finding.id
  AND made."function" = problem."function" AND made.operation = problem.operation
  AND (made.part IS NOT DISTINCT FROM problem.part OR problem.outcome = 'stopped')
  AND made."time" > problem."time"
WHERE problem.outcome IN ('refused', 'impossible', 'stopped', 'failed', 'held_back')
GROUP BY problem.id, 1, 2, 3, 4, 5, 6, 7, 8, 9
ORDER BY "time" DESC""",
        days=7,
    ),
}
"""The queries by the construct IDs of their resources."""
