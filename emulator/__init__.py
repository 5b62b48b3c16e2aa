"""The embedded AWS: MiniStack in a subprocess, extended in-process for what it lacks and this project needs.

A development tool. Nothing that is deployed imports it.
"""
