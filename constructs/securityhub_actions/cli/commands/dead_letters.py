"""`dead-letters`: what couldn't be delivered or handled, and send it again."""

from __future__ import annotations

import functools
import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from datetime import timedelta
from typing import Any, Final

import click
from rich.console import RenderableType
from rich.text import Text

from securityhub_actions.cli import completion
from securityhub_actions.cli.ages import age, age_in_words, time_in_words
from securityhub_actions.cli.asking import confirm, require_terminal
from securityhub_actions.cli.aws import Aws, with_aws
from securityhub_actions.cli.dead_letters.choosing import Choice
from securityhub_actions.cli.dead_letters.model import IN_WORDS, DeadLetter
from securityhub_actions.cli.dead_letters.queues import DeadLetterQueue, dead_letter_queues
from securityhub_actions.cli.dead_letters.reading import HIDDEN_SECONDS, Reader
from securityhub_actions.cli.dead_letters.replaying import Fate, Outcome, Replay
from securityhub_actions.cli.errors import CommandError, ExitCode, interruptible
from securityhub_actions.cli.output import Output, entries, indented, with_output

_LISTED_IN_GROUP: Final = 5
_DONE: Final = frozenset({Fate.SENT, Fate.DROPPED, Fate.WOULD_BE_SENT, Fate.WOULD_BE_DROPPED})


@click.group()
def command() -> None:
    """Look at dead letters of deployed stacks, and send them again or drop them.

    A dead letter is an event that EventBridge couldn't deliver, that a Lambda function failed to handle, or
    that the consumer of a queue received too often.
    """


def _of_letters(wrapped: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the stacks, and the options that choose dead letters."""

    @click.argument("stacks", nargs=-1, required=True, metavar="STACK...", shell_complete=completion.stacks)
    @click.option(
        "--id", "ids", multiple=True, help="Only the message, or the event, with this ID. Repeatable."
    )
    @click.option("--rule", help="Only those of rules whose ARN contains this text.")
    @click.option("--target", help="Only those for targets whose ARN contains this text.")
    @click.option("--error", help="Only those whose error contains this text, in any case.")
    @click.option(
        "--older-than", callback=age, metavar="AGE", help="Only those older than this, such as 2h or 3d."
    )
    @click.option("--newer-than", callback=age, metavar="AGE", help="Only those newer than this.")
    @with_aws
    @with_output
    @functools.wraps(wrapped)
    def with_choice(
        *,
        aws: Aws,
        stacks: tuple[str, ...],
        output: Output,
        ids: tuple[str, ...],
        rule: str | None,
        target: str | None,
        error: str | None,
        older_than: timedelta | None,
        newer_than: timedelta | None,
        **options: Any,  # noqa: ANN401 - passed on
    ) -> Any:  # noqa: ANN401 - passed on
        choice = Choice(
            ids=ids, rule=rule, target=target, error=error, older_than=older_than, newer_than=newer_than
        )
        with output.waiting("Looking for dead-letter queues"):
            queues = dead_letter_queues(aws, stacks)
        if not queues:
            raise CommandError(f"Nothing in {', '.join(stacks)} has a dead-letter queue.")
        for queue in queues:
            if queue.moves_on_after:
                output.note(
                    f"note: {queue.name} moves a message on after {queue.moves_on_after} receives, and each "
                    "look at it is one."
                )
        return wrapped(letters=Letters(aws, queues, choice, output), **options)

    return with_choice


class Letters:
    """The chosen dead letters of some queues."""

    def __init__(self, aws: Aws, queues: Sequence[DeadLetterQueue], choice: Choice, output: Output) -> None:
        self.aws = aws
        self.queues = queues
        self.choice = choice
        self.output = output

    def each(self, what: str, act: Callable[[DeadLetter, Reader], None], *, limit: int | None = None) -> None:
        """Do something with each chosen dead letter, at most so many, then give back what isn't deleted."""
        total = sum(queue.waiting for queue in self.queues)
        with (
            ExitStack() as readers,
            closing(self.output.track(self._all(readers), what, total=total)) as all_,
        ):
            chosen = ((letter, reader) for letter, reader in all_ if self.choice.includes(letter))
            for letter, reader in itertools.islice(chosen, limit):
                act(letter, reader)

    def chosen(self, limit: int | None) -> list[DeadLetter]:
        """Return the chosen dead letters, at most so many."""
        found: list[DeadLetter] = []
        self.each("dead letters", lambda letter, _: found.append(letter), limit=limit)
        self._note_hidden()
        return found

    def _all(self, readers: ExitStack) -> Iterator[tuple[DeadLetter, Reader]]:
        for queue in self.queues:
            reader = readers.enter_context(Reader(self.aws, queue))
            for letter in reader.letters():
                yield letter, reader

    def outcomes(self, what: str, act: Callable[[DeadLetter, Reader], Outcome], *, limit: int | None) -> int:
        """Do something with each chosen dead letter, and print what became of them, also if interrupted."""
        done: list[Outcome] = []
        try:
            with interruptible("What isn't listed stays in the queues. Repeat the command to go on."):
                self.each(what, lambda letter, reader: done.append(act(letter, reader)), limit=limit)
        except CommandError:
            _report(done, self.output)
            raise
        self._note_hidden()
        return _report(done, self.output)

    def _note_hidden(self) -> None:
        """Say which messages can't be seen at present."""
        for queue in self.queues:
            if queue.hidden:
                self.output.note(
                    f"note: {queue.hidden:,} messages of {queue.name} are hidden, because somebody received "
                    f"them. This command hides them for up to {HIDDEN_SECONDS // 60} minutes if it's killed. "
                    "Repeat it then."
                )


_limit = click.option("--limit", type=click.IntRange(min=1), metavar="NUMBER", help="The maximum number.")
_dry_run = click.option("--dry-run", is_flag=True, help="Only say what would be done.")


@command.command("list", short_help="List dead letters, and say why they failed.")
@_of_letters
@_limit
def list_letters(*, letters: Letters, limit: int | None) -> int:
    """List dead letters: what they are, for which rule and target, why they failed, and since when.

    The exit code is 0 if there are none, and 1 if there are some.
    """
    found = letters.chosen(limit)
    letters.output.show([_document(letter) for letter in found], *_listed(letters.queues, found))
    return ExitCode.NO if found else ExitCode.SUCCESS


@command.command("show")
@_of_letters
@_limit
def show_letters(*, letters: Letters, limit: int | None) -> int:
    """Show dead letters with their events.

    The exit code is 0 if there are some, and 1 if there are none.
    """
    found = letters.chosen(limit)
    documents = [{**_document(letter), "event": letter.event, "body": letter.body} for letter in found]
    parts = [part for letter in found for part in _in_full(letter)]
    letters.output.show(documents, *(parts or [Text("There are no such dead letters.")]))
    return ExitCode.SUCCESS if found else ExitCode.NO


@command.command("replay", short_help="Send dead letters to where they were going.")
@_of_letters
@_limit
@_dry_run
def replay_letters(*, letters: Letters, limit: int | None, dry_run: bool) -> int:
    """Send dead letters to the targets, functions, or queues where they were going.

    Each target gets what EventBridge would have sent it, with the same event ID. A message is deleted after
    its target accepted it, so an interruption loses nothing, and at most one message is sent twice: repeat
    the command to go on. Your own permissions apply.

    The exit code is 0 if all were sent, and 3 if some couldn't be and are still in the queue.
    """
    replay = Replay(letters.aws, dry_run=dry_run)
    return letters.outcomes("replayed", replay.replay, limit=limit)


@command.command("drop")
@_of_letters
@_limit
@_dry_run
@click.option("--yes", is_flag=True, help="Don't ask.")
def drop_letters(*, letters: Letters, limit: int | None, dry_run: bool, yes: bool) -> int:
    """Delete dead letters without sending them."""
    if not (yes or dry_run):
        require_terminal()
        # What arrives before the answer isn't what the question is about.
        found = letters.chosen(limit)
        if not found:
            return _report([], letters.output)
        number = f"{len(found):,} dead letter{'' if len(found) == 1 else 's'}"
        confirm(f"Delete {number} of {', '.join(queue.name for queue in letters.queues)} for good?")
        letters.choice = Choice(ids=frozenset(letter.id for letter in found))
    replay = Replay(letters.aws, dry_run=dry_run)
    return letters.outcomes("dropped", replay.drop, limit=limit)


def _document(letter: DeadLetter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "queue": letter.queue_url,
        "shape": letter.shape,
        "what": letter.what,
        "event_id": letter.event_id,
        "rule": letter.rule,
        "target": letter.target,
        "error": letter.error,
        "explanation": letter.explanation,
        "since": letter.since.isoformat(),
    }


def _listed(queues: Sequence[DeadLetterQueue], letters: Sequence[DeadLetter]) -> Iterator[RenderableType]:
    for queue in queues:
        own = [letter for letter in letters if letter.queue_url == queue.url]
        number = f"{len(own):,} dead letter{'' if len(own) == 1 else 's'}"
        style = "bold yellow" if own else "bold green"
        yield Text.assemble((number, style), f" in {queue.name} ({', '.join(queue.stacks)})")
        groups: dict[tuple[str | None, ...], list[DeadLetter]] = {}
        for letter in own:
            groups.setdefault((letter.shape, letter.rule, letter.target, letter.error), []).append(letter)
        for group in groups.values():
            yield Text("")
            yield from _group(group)
        yield Text("")


def _group(group: Sequence[DeadLetter]) -> Iterator[RenderableType]:
    first = min(group, key=lambda letter: letter.since)
    yield Text.assemble("  ", (f"{len(group):,}", "bold"), f" because {IN_WORDS[first.shape]}")
    yield entries(*_about(first), indent=4)
    for letter in group[:_LISTED_IN_GROUP]:
        yield indented(Text.assemble((letter.id, "dim"), f" {letter.what}"), 6)
    if len(group) > _LISTED_IN_GROUP:
        yield indented(Text(f"and {len(group) - _LISTED_IN_GROUP:,} more"), 6)


def _about(letter: DeadLetter) -> Iterator[tuple[str, object]]:
    if letter.rule:
        yield "rule", letter.rule
    if letter.target:
        yield "target", letter.target
    if letter.error:
        yield "error", ": ".join(filter(None, (letter.error, letter.explanation)))
    yield "since", f"{time_in_words(letter.since)} ({age_in_words(letter.since)})"


def _in_full(letter: DeadLetter) -> Iterator[RenderableType]:
    yield Text.assemble((letter.id, "bold"), f" {letter.what}")
    yield entries(("because", IN_WORDS[letter.shape]), *_about(letter))
    text = letter.body if letter.event is None else json.dumps(letter.event, indent=2, ensure_ascii=False)
    yield indented(Text(text, overflow="fold"), 2)
    yield Text("")


def _report(outcomes: Sequence[Outcome], output: Output) -> int:
    documents = [
        {**_document(one.letter), "outcome": one.fate, "reason": one.reason or None} for one in outcomes
    ]
    lines: list[RenderableType] = []
    for fate, number in Counter(one.fate for one in outcomes).items():
        style = "bold green" if fate in _DONE else "bold yellow"
        words = "still in the queue" if fate == Fate.STAYS else fate
        lines.append(Text.assemble((f"{number:,} {words}", style)))
        lines += _reasons([one for one in outcomes if one.fate == fate])
    output.show(documents, *(lines or [Text("There are no such dead letters.")]))
    return ExitCode.FAILED if any(one.fate == Fate.STAYS for one in outcomes) else ExitCode.SUCCESS


def _reasons(outcomes: Sequence[Outcome]) -> Iterator[RenderableType]:
    groups: dict[tuple[str | None, str], list[Outcome]] = {}
    for one in outcomes:
        groups.setdefault((one.letter.target, one.reason), []).append(one)
    for (target, reason), group in groups.items():
        about: list[tuple[str, object]] = [("target", target or "unknown"), ("messages", f"{len(group):,}")]
        if reason:
            about.append(("because", reason))
        yield entries(*about)
