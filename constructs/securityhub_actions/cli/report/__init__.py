"""One HTML page about an app, action by action, which needs neither a network nor scripts."""
