"""How many pages of 100 events a second a served fake answers, next to what else serves fakes.

Needs wrk. The others are pytest-httpserver (pip), Prism, Mockoon, json-server and WireMock (npm,
installed into the folder that FAKESERVER_BENCHMARK_FOLDER names, which is kept, or into one for the
moment; WireMock needs java too); what is missing is left out with a sentence. All servers get a
warm-up.
"""

import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import ProxyHandler, Request, build_opener

from fakeserver.dialects.base import TOKEN
from tests.benchmarks.section import Missing, Section, Table

ROWS = 100
PATH = "/com/events.json"
CONNECTIONS = (1, 8)
ROUNDS = 5
ROUNDS_QUICK = 2
ROUND_S = 3
WARM_UP_S = 10
"""Half of it at each number of connections; a Java server needs it most."""
START_S = 60
"""How long a server may take to answer for the first time."""
OURS = "fakeserver"
FOLDER = "FAKESERVER_BENCHMARK_FOLDER"
PACKAGES = {
    "prism": "@stoplight/prism-cli@5.14.2",
    "mockoon": "@mockoon/cli@9.9.0",
    "json-server": "json-server@0.17.4",
    "wiremock": "wiremock@3.13.2",
}


class Plan(NamedTuple):
    """How to start a server, and what to ask it for."""

    command: list[str]
    target: str = f"{PATH}?limit={ROWS}"


class Server(NamedTuple):
    """A server that runs: its process, and the address of the page."""

    name: str
    process: subprocess.Popen[str]
    url: str


class Place(NamedTuple):
    """Where a server finds what it needs: a folder of its own, its port, the page, npm's folder."""

    folder: Path
    port: int
    page: bytes
    modules: Path

    def file(self, name: str, content: bytes | str | dict[str, Any]) -> str:
        """Write a file into the folder and return its path; a dict becomes JSON."""
        text = json.dumps(content) if isinstance(content, dict) else content
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return str(path)

    def node(self, package: str, name: str) -> list[str]:
        """Return the command of a Node package."""
        home = self.modules / package
        script = json.loads((home / "package.json").read_text(encoding="utf-8"))["bin"]
        return [tool("node"), str(home / (script if isinstance(script, str) else script[name]))]


def fakeserver(place: Place) -> Plan:
    """Ours: the first page of a log of 1000 events, and no new ones."""
    options = "--dialect haravan --set limit_max=250 --backlog 1000 --rate 0 --clock simulated"
    port = ["--port", str(place.port)]
    return Plan([sys.executable, "-m", "fakeserver", "serve", *options.split(), *port])


PYTEST_HTTPSERVER = """
import pathlib, signal, sys
from pytest_httpserver import HTTPServer
with HTTPServer(host="127.0.0.1", port=int(sys.argv[1])) as server:
    page = pathlib.Path(sys.argv[3]).read_bytes()
    server.expect_request(sys.argv[2]).respond_with_data(page, content_type="application/json")
    signal.pause()
"""


def pytest_httpserver(place: Place) -> Plan:
    """As its fixture starts it: one thread, and all requests kept for assertions."""
    if find_spec("pytest_httpserver") is None:
        raise Missing(f"pip install pytest-httpserver, for {sys.executable}")
    page = place.file("page.json", place.page)
    return Plan([sys.executable, "-c", PYTEST_HTTPSERVER, str(place.port), PATH, page])


def prism(place: Place) -> Plan:
    """The page is the example of an OpenAPI document."""
    content = {"application/json": {"example": json.loads(place.page)}}
    limit = {"name": "limit", "in": "query", "schema": {"type": "integer"}}
    answer = {"200": {"description": "a page", "content": content}}
    document = {
        "openapi": "3.0.3",
        "info": {"title": "events", "version": "1"},
        "paths": {PATH: {"get": {"parameters": [limit], "responses": answer}}},
    }
    command = [*place.node("@stoplight/prism-cli", "prism"), "mock", "--host", "127.0.0.1"]
    return Plan([*command, "--port", str(place.port), place.file("openapi.json", document)])


def mockoon(place: Place) -> Plan:
    """The page is the fixed body of a route, without templates in it."""
    ids = [f"00000000-0000-4000-8000-00000000000{n}" for n in range(3)]
    response = {
        "uuid": ids[2],
        "body": place.page.decode(),
        "statusCode": 200,
        "headers": [{"key": "Content-Type", "value": "application/json"}],
        "disableTemplating": True,
        "default": True,
    }
    route = {
        "uuid": ids[1],
        "method": "get",
        "endpoint": PATH.lstrip("/"),
        "responses": [response],
    }
    environment = {
        "uuid": ids[0],
        "lastMigration": 33,
        "name": "events",
        "port": place.port,
        "hostname": "127.0.0.1",
        "routes": [route],
        "rootChildren": [{"type": "route", "uuid": ids[1]}],
    }
    command = [*place.node("@mockoon/cli", "mockoon-cli"), "start", "--disable-log-to-file"]
    return Plan([*command, "--data", place.file("mockoon.json", environment)])


def json_server(place: Place) -> Plan:
    """The rows are its database; it knows no path with two parts."""
    data = place.file("db.json", place.page)
    command = [*place.node("json-server", "json-server"), "--quiet", "--host", "127.0.0.1"]
    return Plan([*command, "--port", str(place.port), data], f"/events?_limit={ROWS}")


def wiremock(place: Place) -> Plan:
    """The page is a file that a mapping names; the journal of requests is on, as by default."""
    mapping = {
        "request": {"method": "GET", "urlPath": PATH},
        "response": {
            "status": 200,
            "bodyFileName": "page.json",
            "headers": {"Content-Type": "application/json"},
        },
    }
    place.file("__files/page.json", place.page)
    place.file("mappings/page.json", mapping)
    jar = next((place.modules / "wiremock").rglob("wiremock-standalone*.jar"), None)
    if jar is None:
        raise Missing("the npm package wiremock has no jar inside")
    options = f"--bind-address 127.0.0.1 --disable-banner --root-dir {place.folder}".split()
    return Plan([tool("java"), "-jar", str(jar), "--port", str(place.port), *options])


SERVERS: dict[str, Callable[[Place], Plan]] = {
    OURS: fakeserver,
    "pytest-httpserver": pytest_httpserver,
    "prism": prism,
    "mockoon": mockoon,
    "json-server": json_server,
    "wiremock": wiremock,
}


def tool(name: str) -> str:
    """The path of a program. Raises `Missing`."""
    path = shutil.which(name)
    if path is None:
        raise Missing(f"{name} is not on the PATH")
    return path


def install(name: str, folder: Path) -> Path:
    """Install what npm has of a server, unless it is there; returns the folder of the packages."""
    modules = folder / "node_modules"
    package = PACKAGES.get(name)
    if package is not None and not (modules / package.rpartition("@")[0]).is_dir():
        print(f"installing {package} into {folder}", flush=True)
        options = ["--no-audit", "--no-fund", "--prefix", str(folder)]
        done = subprocess.run(
            [tool("npm"), "install", *options, package],
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise Missing(f"npm could not install {package}: {done.stderr.strip()[-300:]}")
    return modules


def free_port() -> int:
    """A port that was free a moment ago; not every server takes 0 and tells."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def get(url: str) -> bytes:
    """The body behind an address, past any proxy."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with build_opener(ProxyHandler({})).open(Request(url, headers=headers), timeout=5) as answer:
        return bytes(answer.read())


def rows_in(body: bytes) -> int:
    """The number of events in a body."""
    content = json.loads(body)
    return len(content if isinstance(content, list) else content["events"])


@contextmanager
def running(name: str, page: bytes, modules: Path) -> Iterator[Server]:
    """A server that answers with the page, while the block runs."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as said:
        place = Place(Path(folder), free_port(), page, modules)
        plan = SERVERS[name](place)
        process = subprocess.Popen(
            plan.command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, text=True, cwd=folder
        )
        try:
            url = f"http://127.0.0.1:{place.port}{plan.target}"
            problem = wait_for_page(process, url, page if name != "json-server" else b"")
            if problem:
                said.seek(0)
                raise Missing(f"{problem}; it said: {said.read(600).strip()!r}")
            yield Server(name, process, url)
        finally:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for_page(process: subprocess.Popen[str], url: str, page: bytes) -> str:
    """Wait until `url` answers; returns what is wrong then, or nothing."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            body = get(url)
        except OSError:
            time.sleep(0.1)
            continue
        if rows_in(body) != ROWS:
            return f"expected {ROWS} rows, got {rows_in(body)}"
        return "" if page in (b"", body) else "it answers with other bytes"
    return f"it did not answer on {url}"


def pages_per_second(server: Server, connections: int, seconds: float) -> float:
    """Ask for `seconds` and return the requests a second. Raises `Missing` if one failed."""
    options = f"-t1 -c{connections} -d{max(1, round(seconds))}s".split()
    headers = ["-H", f"Authorization: Bearer {TOKEN}"]
    command = [tool("wrk"), *options, *headers, server.url]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    found = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    if found is None or "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise Missing(f"{server.name} failed to answer: {done.stdout}{done.stderr}")
    return float(found[1])


def measure(servers: list[Server], rounds: int, seconds: int) -> dict[str, dict[int, list[float]]]:
    """Ask all servers in rounds; returns name → connections → requests a second."""
    found: dict[str, dict[int, list[float]]] = {
        server.name: {connections: [] for connections in CONNECTIONS} for server in servers
    }
    for server in servers:
        server.process.send_signal(signal.SIGSTOP)
    for number in range(rounds + 1):
        for server in servers:
            server.process.send_signal(signal.SIGCONT)
            for connections in CONNECTIONS:
                length = seconds if number else WARM_UP_S / len(CONNECTIONS)
                rate = pages_per_second(server, connections, length)
                if number:
                    found[server.name][connections].append(rate)
            server.process.send_signal(signal.SIGSTOP)
    return found


def rows_of(found: dict[str, dict[int, list[float]]]) -> list[tuple[str, ...]]:
    """Medians with their range, and how many times as fast ours is."""
    medians = {
        (name, connections): statistics.median(rates)
        for name, by_connections in found.items()
        for connections, rates in by_connections.items()
    }
    rows = []
    for name, by_connections in found.items():
        row = [name]
        for connections, rates in by_connections.items():
            middle = medians[name, connections]
            row.append(f"{middle:.0f} ({min(rates):.0f}…{max(rates):.0f})")
            row.append(f"{medians[OURS, connections] / middle:.2f}")
        rows.append(tuple(row))
    return rows


def measured(quick: bool) -> list[Table]:
    """A row for each server that is there. Raises `Missing` where nothing can be measured."""
    tool("wrk")
    left_out = []
    with ExitStack() as stack:
        named = os.environ.get(FOLDER)
        folder = Path(named or stack.enter_context(tempfile.TemporaryDirectory()))
        servers = [stack.enter_context(running(OURS, b"", folder))]
        page = get(servers[0].url)
        for name in SERVERS:
            if name == OURS:
                continue
            try:
                modules = install(name, folder.resolve())
                servers.append(stack.enter_context(running(name, page, modules)))
            except Missing as missing:
                left_out.append(name)
                print(f"{name} is left out: {missing}", flush=True)
        found = measure(servers, ROUNDS_QUICK if quick else ROUNDS, ROUND_S)
    without = f"; without {', '.join(left_out)}" if left_out else ""
    header = ["server"]
    for connections in CONNECTIONS:
        header += [f"pages/s, {connections} connections", "ours is times"]
    caption = f"{ROWS} events, {len(page)} bytes a page{without}:"
    return [Table(caption, tuple(header), rows_of(found))]


SECTION = Section(
    "served",
    "Pages a second, next to what else serves fakes",
    "Every server is a process of its own on 127.0.0.1 and answers with the bytes that ours "
    "gave, but json-server, which writes its own JSON of the same rows. Ours works each answer "
    "out, tells it in its journal and its log; the others repeat what they were given. Rounds: "
    "in each every server is asked by `wrk` over connections that are kept, while the others "
    "are stopped. Medians, with the least and the most.",
    measured,
)
