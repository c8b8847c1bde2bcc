"""What a worker does with a batch, and the life of one that is a process of its own."""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from threading import Thread

from fakeserver.errors import FakeserverError
from fakeserver.verifier.clients import Client
from fakeserver.verifier.commands.client import CommandClient
from fakeserver.verifier.crew.batch import Batch, Done, Failure
from fakeserver.verifier.crew.sent_client import SentClient
from fakeserver.verifier.playing import Played, Player, Worlds
from fakeserver.vocabulary import import_words

SAFE_PATH = "PYTHONSAFEPATH"
OURS = "fakeserver"
"""A value of it that means what any does, and shows a worker that it is not the client's."""
ENDED = 1
"""Exit status of a worker that was told to end in the middle of a world."""


def play_batch(player: Player, batch: Batch, is_unwanted: Callable[[], bool]) -> Done:
    """Play the worlds of a batch, up to a broken one, a failure, or until it `is_unwanted`."""
    start = time.monotonic()
    played: list[Played] = []
    failure = None
    for world in batch.worlds:
        if is_unwanted():
            break
        try:
            played.append(player.play(world, batch.page_size, learns=batch.learns))
        except Exception as error:
            if not isinstance(error, FakeserverError):
                traceback.print_exc()  # a slip of ours: whoever reports it needs all of it
            failure = Failure.of(error)
            break
        if played[-1].broken is not None:
            break
    seconds = time.monotonic() - start
    return Done(batch=batch, played=tuple(played), failure=failure, seconds=seconds)


def work(connection: Connection, worlds: Worlds, sent: SentClient) -> None:
    """Be a worker: say None once the client is there, or why not; then answer each batch."""
    # A handler that does nothing: a program that is started here does not inherit it.
    signal.signal(signal.SIGINT, lambda *_: None)
    if os.environ.get(SAFE_PATH) == OURS:
        del os.environ[SAFE_PATH]
    import_words()
    try:
        client = sent.load()
    except Exception as error:
        connection.send(Failure.of(error))
        return
    _leave_when_told(client)
    with Player(worlds, client) as player:
        try:
            connection.send(None)
            while True:
                batch = connection.recv()
                connection.send(play_batch(player, batch, lambda: False))
        except (EOFError, OSError):
            return  # nobody wants to know any more


def _leave_when_told(client: Client) -> None:
    """End at once, with what the client started, on SIGTERM and when the parent has gone."""

    def leave(*_: object) -> None:
        if isinstance(client, CommandClient):
            client.close()
        sys.stderr.flush()
        os._exit(ENDED)

    def watch() -> None:
        parent = parent_process()
        if parent is not None:
            wait([parent.sentinel])
            leave()

    signal.signal(signal.SIGTERM, leave)
    Thread(target=watch, name="fakeserver-parent", daemon=True).start()
