from __future__ import annotations

from tools.steps import say, step


def test_nothing_is_wider_than_the_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    say("Every step succeeded, in 20 s. The embedded AWS has been removed.\n")
    with step("Import three findings into Security Hub, one of them for that security group"):
        pass
    lines = capsys.readouterr().out.split("\n")
    assert max(map(len, lines)) <= 60
    assert " ".join(lines[:2]) == "Every step succeeded, in 20 s. The embedded AWS has been removed."
