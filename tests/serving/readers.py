"""Clients of a served fake, over its socket: plain readers that look twice, and a client's feed."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPResponse, IncompleteRead
from random import Random
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec
import requests

from contracts._checks import problems
from fakeserver.clock import as_datetime
from fakeserver.dialects import find_dialect
from fakeserver.dialects.base import TOKEN
from fakeserver.doors import Reply
from fakeserver.history import Exchange
from fakeserver.scenario import EventId

AUTH = {"Authorization": f"Bearer {TOKEN}"}
SECONDS_MAX = 60
"""Only a hanging server takes that long."""
CHECKED_EVERY = 25
"""Holding an answer to its schema takes longer than getting it."""
SALES_CHANNEL = "/saleschannel-services/v1/events"

Row = dict[str, Any]


class Got(msgspec.Struct, frozen=True):
    """What one request brought: `status` is ``cut`` or ``none`` where no whole answer arrived."""

    target: str
    status: int | str
    ids: tuple[EventId, ...]

    @classmethod
    def by(cls, exchange: Exchange) -> "Got":
        """Return what the client got, by what the server recorded."""
        status: int | str = exchange.status or "none"
        if status == 200 and exchange.fault == "truncated-body":
            status = "cut"
        return cls(exchange.target, status, exchange.event_ids)


class Question(msgspec.Struct, frozen=True):
    """A request, and what its rows must be sorted by (None: they have no order to check)."""

    target: str
    rank: Callable[[Row], Any] | None = None
    descending: bool = False


def haravan_question(random: Random, known: Sequence[Row]) -> Question:
    row = random.choice(known) if known else {"id": 1, "created_at": "2026-01-01T00:00:00+07:00"}
    limit, path = random.randint(1, 50), "/com/events.json"
    low = quote(datetime.fromisoformat(row["created_at"]).strftime("%Y-%m-%d %H:%M:%S"))
    targets = [
        f"{path}?since_id={row['id']}&limit={limit}",
        f"{path}?created_at_min={low}&limit={limit}",
        f"{path}?limit={limit}",
        f"{path}?page=3&limit={limit}",
        f"{path}?filter=Order&limit={limit}",
        "/com/events/count.json",
        f"/com/events/{row['id']}.json" if known else path,
    ]
    target = random.choice(targets)
    return Question(target, lambda row: row["id"], descending="since_id" not in target)


def saleschannel_question(random: Random, known: Sequence[Row]) -> Question:
    stamp = random.choice(known)["createdAt"] if known else "2026-01-01T00:00:00.000Z"
    target = f"{SALES_CHANNEL}?$limit={random.randint(1, 50)}"
    kind = random.choice(["up", "down", "unsorted"])
    if kind == "unsorted":
        return Question(target)
    order, bound = ("asc", "gte") if kind == "up" else ("desc", "lte")
    return Question(
        f"{target}&$orderBy[createdAt]={order}&$filter[createdAt][{bound}]={stamp}",
        lambda row: row["createdAt"],
        descending=kind == "down",
    )


QUESTIONS = {"haravan": haravan_question, "saleschannel": saleschannel_question}


def rows_of(body: Any) -> list[Row]:
    """Return the events in an answer: a list, one, or none where they are only counted."""
    if isinstance(body, list):
        return body
    return body.get("events", [body["event"]] if "event" in body else [])


class Reader:
    """One kept connection that asks on and on. `got` is all that it got, `renewed` counts repairs.

    An answer that breaks the contract is an AssertionError.
    """

    def __init__(self, url: str, dialect: str, seed: int) -> None:
        self.got: list[Got] = []
        self.renewed = 0
        self._dialect = dialect
        self._random = Random(seed)
        self._known: list[Row] = []
        self._connection = HTTPConnection(urlsplit(url).netloc, timeout=SECONDS_MAX)

    def ask(self) -> None:
        question = QUESTIONS[self._dialect](self._random, self._known)
        try:
            self._connection.request("GET", question.target, headers=AUTH)
            response = self._connection.getresponse()
            body = response.read()
        except (ConnectionResetError, IncompleteRead) as lost:
            status = "cut" if isinstance(lost, IncompleteRead) else "none"
            self.got.append(Got(question.target, status, ()))
            self._connection.close()
            self.renewed += 1
            return
        assert self._connection.sock is not None, "the connection was not kept"
        self._note(question, response, body)

    def close(self) -> None:
        self._connection.close()

    def _note(self, question: Question, response: HTTPResponse, body: bytes) -> None:
        if len(self.got) % CHECKED_EVERY == 0:
            reply = Reply(response.status, response.reason, response.getheaders(), body)
            path = question.target.partition("?")[0]
            assert problems(self._dialect, "GET", path, reply) == []
        rows = rows_of(json.loads(body)) if response.status == 200 else []
        if rows:
            _check(question, rows, response.headers["Date"])
            self._known = rows
        ids = tuple(row["id"] for row in rows)
        self.got.append(Got(question.target, response.status, ids))


def _check(question: Question, rows: list[Row], date: str) -> None:
    """Look at what anybody sees of a page: its rows are different, sorted, and past."""
    ids = [row["id"] for row in rows]
    assert len(set(ids)) == len(ids), (question.target, ids)
    if question.rank is not None:
        ranks = [question.rank(row) for row in rows]
        assert ranks == sorted(ranks, reverse=question.descending), (question.target, ids)
    answered = parsedate_to_datetime(date) + timedelta(seconds=1)
    for row in rows:
        stamp = datetime.fromisoformat(row.get("created_at") or row["createdAt"])
        assert stamp < answered, (question.target, row, date)


class Steering:
    """The control API below `url`, asked over one kept connection. An error is an error here."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/_fakeserver"
        self._session = requests.Session()

    def __enter__(self) -> "Steering":
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def ask(self, method: str, path: str, body: Any = None, **params: Any) -> Any:
        answer = self._session.request(
            method, f"{self._url}/{path}", json=body, params=params, timeout=SECONDS_MAX
        )
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    def all_of(self, path: str, name: str) -> list[Any]:
        """Return every item of a list that comes in pages."""
        items: list[Any] = []
        after = 0
        while page := (answer := self.ask("GET", path, after=after, limit=1000))[name]:
            items += page
            after = answer["next_after"]
        return items


class ServedFeed:
    """What `fakeserver.Feed` is to a client, at the address of a world that is being served.

    What is delivered is reported when something is saved, and by `report`.
    """

    token = TOKEN
    headers = AUTH

    def __init__(self, url: str, steering: Steering, *, page_size: int) -> None:
        health = steering.ask("GET", "health")
        settings = steering.ask("GET", "scenario")["settings"]
        dialect = find_dialect(health["dialect"])
        zone = dialect.settings(settings).get("shop_zone")
        self.base_url, self.page_size, self.dialect = url, page_size, dialect.name
        self.zone = None if zone is None else str(zone)
        self._steering = steering
        self._checkpoint: bytes | None = None
        self._delivered: list[Any] = []
        self._sessions: list[Any] = []

    def url(self, path: str) -> str:
        return self.base_url + path

    def close(self) -> None:
        for session in self._sessions:
            session.close()

    def requests_session(self) -> requests.Session:
        session = requests.Session()
        session.headers.update(AUTH)
        self._sessions.append(session)
        return session

    def httpx_async_client(self) -> Any:
        import httpx

        return httpx.AsyncClient(headers=AUTH, timeout=SECONDS_MAX)

    def urllib_opener(self) -> Any:
        from urllib.request import ProxyHandler, build_opener

        opener = build_opener(ProxyHandler({}))
        opener.addheaders = list(AUTH.items())
        return opener

    @property
    def checkpoint(self) -> Any:
        return None if self._checkpoint is None else json.loads(self._checkpoint)

    def now(self) -> datetime:
        return as_datetime(self._steering.ask("GET", "clock")["now_ms"])

    def deliver(self, event: Any) -> None:
        self._delivered.append(event)

    def save(self, checkpoint: Any) -> None:
        self._checkpoint = json.dumps(checkpoint).encode()
        self.report(checkpoint=checkpoint)

    def commit(self, events: Any, checkpoint: Any) -> None:
        self._delivered += events
        self.save(checkpoint)

    def report(self, **more: Any) -> None:
        if self._delivered or more:
            self._steering.ask("POST", "delivered", {"events": self._delivered, **more})
        self._delivered = []
