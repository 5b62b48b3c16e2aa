"""What is named to a reviewer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from itertools import groupby
from typing import Any


class Attention(IntEnum):
    """How much a reviewer should worry. The most urgent comes first."""

    HIGH = 0
    """Data or events can be lost, access is widened, or more is done than before."""
    MEDIUM = 1
    """What happens changes."""
    LOW = 2
    """For information."""


class Topic(StrEnum):
    """What a note is about, in the order of the report."""

    DATA = "What is deleted or replaced"
    ACTION = "Custom actions"
    RULE = "Rules and filters"
    TARGET = "Targets"
    PERMISSION = "Permissions"
    FUNCTION = "Functions"
    ALARM = "Alarms"
    LIMIT = "Limits"
    OTHER = "Other resources"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something to name to a reviewer.

    Attributes:
        attention: How urgent it is.
        topic: What it's about.
        title: What happened, such as `Filter widened`.
        subject: To what, such as a construct path.
        essence: The heart of it, in a few words.
        details: More lines.
        before: The value before, for scripts.
        after: The value after, for scripts.
        also: The other subjects to which the same happened.
    """

    attention: Attention
    topic: Topic
    title: str
    subject: str
    essence: str = ""
    details: Sequence[str] = ()
    before: Any = None
    after: Any = None
    also: Sequence[str] = ()

    @property
    def headline(self) -> str:
        """One line that says everything, if possible."""
        more = f" and {len(self.also)} more" if self.also else ""
        return f"{self.title}: {self.subject}{more}" + (f": {self.essence}" if self.essence else "")

    def to_json(self) -> dict[str, Any]:
        """Return the note for scripts."""
        return {
            "attention": self.attention.name.lower(),
            "topic": self.topic.value,
            "title": self.title,
            "subjects": [self.subject, *self.also],
            "essence": self.essence or None,
            "details": list(self.details),
            "before": self.before,
            "after": self.after,
        }


def arranged(notes: Iterable[Note]) -> list[Note]:
    """Return notes with the most urgent first. What happened alike to several subjects becomes one note."""
    topics = list(Topic)

    def place(note: Note) -> tuple[Any, ...]:
        alike = note.essence or ("" if note.attention is Attention.LOW else note.subject)
        return (note.attention, topics.index(note.topic), note.title, alike)

    return [_joined(list(alike)) for _, alike in groupby(sorted(notes, key=place), key=place)]


def _joined(alike: Sequence[Note]) -> Note:
    first, *others = alike
    subjects = dict.fromkeys(note.subject for note in others if note.subject != first.subject)
    details = first.details
    if any(note.details != first.details for note in others):
        lines = ((f"{note.subject}: " if subjects else "", line) for note in alike for line in note.details)
        details = list(dict.fromkeys(subject + line for subject, line in lines))
    return replace(first, also=list(subjects), details=details)
