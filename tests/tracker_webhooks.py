"""Signed webhooks, as the vendors send them.

Source: https://developer.atlassian.com/cloud/jira/platform/webhooks/
Source: https://docs.pagerduty.com/developer/webhooks-overview
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime


def jira_body(key, *, now, changed=("status", "resolution"), event="jira:issue_updated"):
    """What Jira sends when somebody changed fields of an issue."""
    return json.dumps(
        {
            "timestamp": int(now * 1000),
            "webhookEvent": event,
            "issue_event_type_name": "issue_generic",
            "user": {"accountId": "557058:ann", "displayName": "Ann Lee"},
            "issue": {"id": "10001", "key": key, "fields": {"summary": "[CRITICAL] S3 is öpen"}},
            "changelog": {"id": "10124", "items": [{"field": name, "toString": "Done"} for name in changed]},
        }
    ).encode()


def pager_duty_body(incident_id, *, now, event="incident.resolved"):
    """What PagerDuty sends about an incident."""
    time = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    data = {"id": incident_id, "type": "incident", "status": "resolved"}
    content = {"id": "01BX", "event_type": event, "occurred_at": time, "data": data}
    return json.dumps({"event": content}).encode()


def service_now_body(sys_id, *, updates=1):
    """What the business rule in docs/tickets.md sends, with the number of updates of the incident so far.

    Source: https://support.servicenow.com/kb?id=kb_article_view&sysparm_article=KB0687840
    """
    return json.dumps({"sys_id": sys_id, "updates": str(updates)}).encode()


def signed(tracker, body, secret, *, now):
    """The headers with which a vendor sends a body."""
    time = str(int(now))

    def mac(content):
        return hmac.new(secret.encode(), content, hashlib.sha256)

    if tracker == "jira":
        return {"x-hub-signature": f"sha256={mac(body).hexdigest()}"}
    if tracker == "pagerduty":
        return {"x-pagerduty-signature": f"v1={'0' * 64},v1={mac(body).hexdigest()}"}
    signature = base64.b64encode(mac(time.encode() + b"." + body).digest()).decode()
    return {"x-securityhub-timestamp": time, "x-securityhub-signature": f"v1={signature}"}
