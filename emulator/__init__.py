"""The embedded AWS: MiniStack in a subprocess, with plug-ins for what it lacks and this project needs.

A development tool. Nothing that is deployed imports it.
"""
