"""The page for people, in a real browser against a real server.

Whatever takes time is waited for by its condition. The worlds have a simulated clock that only the
tests move, and no stream unless a test is about one.
"""

import json
import os
import re
import shutil
import struct
import subprocess
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import requests
from selenium import webdriver
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

from fakeserver.dialects import DIALECTS
from fakeserver.dialects.base import TOKEN
from fakeserver.doors import live
from fakeserver.fault import FAULT_KINDS
from fakeserver.serving.options import ServeOptions
from fakeserver.serving.page import load_page
from fakeserver.serving.site import Site
from tests.browser import started_browser

PATIENCE_S = 20
"""A page that is still not right then will not be; the usual wait is one of its ticks, a second."""
PAGE_BYTES_MAX = 60_000
"""It is read at once and by people; past that it wants to be several files."""
HOSTILE = "<script>window.harmed='script'</script><img src=x onerror=\"window.harmed='img'\">"


class Browser:
    """A browser on the page of one world, and what the tests ask of it."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver
        self.url = ""

    def open(self, url: str) -> None:
        """Show the page of the server at `url` and wait until it has read it."""
        self.load(url)
        self.wait(lambda: self.text("#link") == "live", "a page that is live")

    def load(self, url: str) -> None:
        self.url = url
        self.log()  # whatever the page before complained of last
        self.driver.get(f"{url}/_fakeserver/")

    def wait(self, condition: Callable[[], Any], what: str) -> Any:
        """Return the first true value of `condition`; fails where none comes."""
        __tracebackhide__ = True
        waiting = WebDriverWait(self.driver, PATIENCE_S, poll_frequency=0.05)
        with suppress(TimeoutException):
            return waiting.until(lambda _: condition())
        pytest.fail(f"waited {PATIENCE_S} s for {what}; the console says {self.log()}")

    def one(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        """Read text in one step: between two, the page may have exchanged the element."""
        return str(self.run("return document.querySelector(arguments[0])?.textContent", selector))

    def texts(self, selector: str) -> list[str]:
        found = "return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)"
        return list(self.run(found, selector))

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def click(self, selector: str) -> None:
        self.one(selector).click()

    def fill(self, selector: str, text: str) -> None:
        field = self.one(selector)
        field.clear()
        field.send_keys(text)

    def resize(self, width: int, height: int) -> None:
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height)

    def cdp(self, command: str, **arguments: Any) -> Any:
        if command == "Emulation.setDeviceMetricsOverride":
            arguments |= {"deviceScaleFactor": 1, "mobile": False}
        return self.driver.execute_cdp_cmd(command, arguments)

    def log(self) -> list[str]:
        """What the console has said since it was asked last."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def control(self, method: str, path: str, **options: Any) -> Any:
        """Ask the control API beside the page. Returns its JSON, or None."""
        response = requests.request(method, f"{self.url}/_fakeserver/{path}", timeout=10, **options)
        response.raise_for_status()
        return response.json() if response.content else None

    def ask(self, path: str, **parameters: Any) -> requests.Response:
        """Send a request to the faked API."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        return requests.get(self.url + path, params=parameters, headers=headers, timeout=10)

    def append(self, **event: Any) -> dict[str, Any]:
        """Append an event beside the page, and return it as logged."""
        [row] = self.control("POST", "events", json={"events": [event]})["events"]
        return dict(row)

    def row(self, event_id: Any) -> str:
        """Return the selector of an event in the stream."""
        return f'#events [data-id="{event_id}"]'


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """One browser for all tests; each has a server, and so an origin, of its own."""
    with started_browser(tmp_path_factory.mktemp("browser")) as driver:
        yield driver


@pytest.fixture
def browser(driver: webdriver.Chrome) -> Iterator[Browser]:
    browser = Browser(driver)
    browser.resize(1400, 1000)
    yield browser
    browser.cdp("Emulation.setEmulatedMedia", features=[])
    driver.get("about:blank")  # no page asks a server that has gone


Serve = Callable[..., str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serves a world of these options while the test runs; gives its address."""
    with ExitStack() as stack:

        def start(dialect: str = "haravan", *, wrap: Any = None, **options: Any) -> str:
            of_site = {name: options.pop(name) for name in ("token", "wall") if name in options}
            chosen = {"clock": "simulated", "backlog": 30, "rate_per_s": 0.0} | options
            site = Site(ServeOptions(dialect=dialect, **chosen), **{"wall": lambda: 0} | of_site)
            stack.callback(site.close)
            return stack.enter_context(live(wrap(site) if wrap else site))

        yield start


@pytest.fixture
def page(browser: Browser, serve: Serve) -> Browser:
    """The page of a small world of Haravan, loaded."""
    browser.open(serve())
    return browser


# ------------------------------------------------------------------ what the file itself promises


@pytest.fixture(scope="module")
def source() -> str:
    return files("fakeserver.serving").joinpath("page.html").read_text(encoding="utf-8")


def test_the_page_is_one_small_file(source: str) -> None:
    assert len(source.encode()) <= PAGE_BYTES_MAX
    addresses = set(re.findall(r"https?://[^\s\"'`]+", source))
    assert addresses == {"http://www.w3.org/2000/svg"}, "the name of a namespace, never fetched"
    assert re.findall(r"\b(?:src=|srcset=|url\()|@import", source) == []
    assert re.findall(r'<link[^>]*href="([^"]*)"', source) == ["data:,"]


def test_no_text_becomes_markup(source: str) -> None:
    words = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|Function\(|\son\w+="
    assert re.findall(words, source) == []


def test_the_page_knows_the_faults(source: str) -> None:
    options = re.findall(r'<option value="([^"]*)" data-takes="([^"]*)"', source)
    assert {name: set(takes.split()) for name, takes in options} == {
        name: set(kind.takes) for name, kind in FAULT_KINDS.items()
    }


def test_headers_of_the_page(serve: Serve) -> None:
    page = load_page()
    answer = requests.get(f"{serve()}/_fakeserver/", timeout=10)
    assert answer.status_code == 200
    assert answer.content == page.body
    for name, value in page.headers:
        assert answer.headers[name] == value
    policy = answer.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


# ------------------------------------------------------------------ what it shows


@pytest.mark.parametrize("dialect", DIALECTS)
def test_it_shows_the_world(browser: Browser, serve: Serve, dialect: str) -> None:
    browser.open(serve(dialect))
    health = browser.control("GET", "health")
    assert browser.text("#what") == f"{dialect} · profile default · seed {health['seed']}"
    assert browser.text("#base-url") == browser.url
    assert browser.text("#version") == health["version"]
    counts = health["events"]
    assert {name: int(browser.text(f"#{name}")) for name in counts} == counts
    truth = browser.control("GET", "truth")["events"]
    newest_first = sorted(truth, key=lambda row: (row["recorded_at"], row["number"]), reverse=True)
    assert browser.texts("#events .id") == [str(row["id"]) for row in newest_first]
    assert len(browser.texts("#curl-api code")) > 1, "the page has no curl lines for this API"
    assert browser.log() == []


def test_a_hidden_event_becomes_visible(page: Browser) -> None:
    event = page.append(late_by_s=60)
    row = page.row(event["id"])
    page.wait(lambda: "hidden until" in page.text(row), "the appended event, hidden")
    assert "hidden-now" in page.one(row).get_attribute("class")
    assert page.text(f"{row} .mark") == "◌"
    hidden = page.control("GET", "health")["events"]["hidden"]
    page.wait(lambda: page.text("#hidden") == str(hidden), "the count of hidden events")
    page.click('[data-advance="60"]')
    page.wait(lambda: "late 1 min" in page.text(row), "the event, visible and late")
    assert "hidden-now" not in page.one(row).get_attribute("class")
    assert page.text(f"{row} .mark") == "●"
    page.wait(lambda: int(page.text("#hidden")) < hidden, "fewer hidden events")
    assert page.log() == []


def test_an_event_as_the_api_shows_it(page: Browser) -> None:
    event = page.append()
    row = page.row(event["id"])
    page.wait(lambda: page.texts(row), "the appended event")
    page.click(f"{row} .row")
    assert json.loads(page.text(f"{row} pre")) == event["event"]
    page.click(f"{row} .row")
    assert page.texts(f"{row} pre") == []


def test_append_through_the_page(page: Browser) -> None:
    before = page.control("GET", "health")["events"]["total"]
    page.fill("#append-late", "90")
    page.fill("#append-fields", '{"message": "by hand"}')
    page.click("#append-form button")
    said = page.wait(lambda: page.text("#append-said"), "an answer")
    [row] = page.control("GET", "truth?last=1")["events"]
    assert row["number"] == before + 1
    assert (row["late_by_ms"], row["event"]["message"]) == (90_000, "by hand")
    assert said == f"Appended {row['id']}, hidden until {row['visible_at']}."
    page.fill("#append-fields", "no JSON")
    page.click("#append-form button")
    page.wait(lambda: "Fields: expected JSON" in page.text("#append-said"), "a refusal")
    assert page.one("#append-said").get_attribute("class") == "said bad"


def test_a_hostile_message_is_text(page: Browser) -> None:
    event = page.append(fields={"message": HOSTILE, "author": HOSTILE})
    row = page.row(event["id"])
    page.wait(lambda: HOSTILE in page.text(row), "the hostile event")
    page.click(f"{row} .row")
    assert json.loads(page.text(f"{row} pre"))["author"] == HOSTILE
    page.ask("/com/events.json", since_id=HOSTILE)
    page.wait(lambda: "script" in page.text("#journal .problem"), "the request that quotes it")
    page.fill("#delivered", HOSTILE)
    page.click("#verdict-form button")
    page.wait(lambda: page.text("#verdict-said"), "an answer about it")
    assert page.run("return document.querySelectorAll('main script, main img').length") == 0
    assert page.run("return window.harmed ?? null") is None


def test_the_policy_stops_what_slipped_through(page: Browser) -> None:
    """Were markup ever made of a message, the browser would still not run it."""
    page.run(
        "window.stopped = []; addEventListener('securitypolicyviolation', (event) =>"
        " stopped.push(event.effectiveDirective));"
        "document.querySelector('main').insertAdjacentHTML('beforeend', arguments[0])",
        '<img src="data:," onerror="window.harmed = 1"><img src="https://fakeserver.test/x.png">',
    )
    page.wait(
        lambda: set(page.run("return stopped")) >= {"script-src-attr", "img-src"},
        "the handler and the foreign picture to be stopped",
    )
    assert page.run("return window.harmed ?? null") is None
    page.log()


def test_requests_with_their_flags(page: Browser) -> None:
    page.append(late_by_s=30)
    total = page.control("GET", "health")["events"]["visible"]
    page.ask("/com/events.json", limit=5)
    page.ask("/com/events.json", limit=total + 10)
    page.ask("/com/events.json", created_at_min="nonsense")
    page.wait(lambda: len(page.texts("#journal .row")) == 3, "three requests")
    entries = page.control("GET", "requests")["requests"]
    assert any(entry["flags"] for entry in entries)
    words = {"short": "short page", "empty": "empty page"}
    words |= {"tie-at-edge": "tie at the edge", "late-hidden": "late row hidden"}
    for entry, text in zip(reversed(entries), page.texts("#journal .row"), strict=True):
        expected = [entry["target"], str(entry["status"]), entry["covers"] or "", *entry["hints"]]
        expected += [entry["problem"] or "", *(words[flag] for flag in entry["flags"])]
        expected += [str(entry["first_id"]), str(entry["last_id"])] if entry["rows"] else []
        assert [part for part in expected if part not in text] == []


def test_a_request_marks_its_events(page: Browser) -> None:
    answer = page.ask("/com/events.json", limit=5).json()["events"]
    page.wait(lambda: page.texts("#journal .row"), "the request")
    page.click("#journal .row")
    marked = page.texts("#events .picked .id")
    assert sorted(marked) == sorted(str(event["id"]) for event in answer)
    first = page.row(answer[0]["id"])
    assert "row 1 of #1" in page.text(first)
    assert page.run("return document.querySelectorAll('#strip .dot.picked').length") == len(answer)
    assert page.one("#journal .row").get_attribute("aria-pressed") == "true"
    page.one("body").send_keys(Keys.ESCAPE)
    page.run("document.activeElement.blur()")
    page.cdp("Input.dispatchMouseEvent", type="mouseMoved", x=2, y=2)
    page.wait(lambda: page.texts("#events .picked") == [], "nothing marked")


def test_a_long_log_stays_a_short_page(browser: Browser, serve: Serve) -> None:
    browser.open(serve(backlog=1500))
    rows = browser.texts("#events .row")
    more = browser.control("GET", "health")["events"]["total"] - len(rows)
    assert 0 < len(rows) <= 300
    assert f"and {more:,} older events" in browser.text("#events-more")
    assert browser.run("return document.querySelectorAll('*').length") < 5000


def test_what_is_being_read_stays_where_it_is(page: Browser) -> None:
    seen = (
        "const list = document.querySelector('#events');"
        "const row = [...list.children].find((each) => each.offsetTop >= list.scrollTop);"
        "return [row.dataset.id, row.offsetTop - list.scrollTop]"
    )
    page.run("document.querySelector('#events').scrollTop = 100")
    before = page.run(seen)
    event = page.append()
    page.wait(lambda: page.texts(page.row(event["id"])), "the appended event")
    assert page.run(seen) == before
    page.wait(page.one("#stream-top").is_displayed, "a way back to the newest")
    page.click("#stream-top")
    page.wait(lambda: page.run(seen)[0] == str(event["id"]), "the newest event on top")


def test_a_hidden_tab_asks_nothing(page: Browser) -> None:
    """In a tab behind another one no reading follows the one under way."""
    hide = (
        "const done = arguments[arguments.length - 1]; let timers = 0; const real = setTimeout;"
        "window.setTimeout = (...given) => { timers += 1; return real(...given); };"
        "Object.defineProperty(document, 'hidden', { value: arguments[0], configurable: true });"
        "document.dispatchEvent(new Event('visibilitychange'));"
        "tick().then(() => tick()).then(() => { window.setTimeout = real; done(timers); })"
    )
    assert page.driver.execute_async_script(hide, True) == 0
    event = page.append()
    assert page.driver.execute_async_script(hide, False) > 0
    page.wait(lambda: page.texts(page.row(event["id"])), "what was appended meanwhile")


# ------------------------------------------------------------------ what it does


def test_the_clock(browser: Browser, serve: Serve) -> None:
    wall = [0]
    browser.open(serve(wall=lambda: wall[0]))
    before = browser.control("GET", "clock")["now_ms"]
    browser.fill("#advance-by", "1.5")
    Select(browser.one("#advance-unit")).select_by_visible_text("h")
    browser.click("#advance-form button")
    browser.wait(lambda: browser.control("GET", "clock")["now_ms"] == before + 5_400_000, "1.5 h")
    browser.fill("#pace", "30")
    browser.click('[data-mode="paced"]')
    browser.wait(lambda: "paced" in browser.text("#mode"), "a paced clock")
    wall[0] += 1_000
    later = browser.control("GET", "clock")
    assert (later["mode"], later["now_ms"]) == ("paced", before + 5_400_000 + 30_000)
    shown = later["now"][:19].replace("T", " ") + " UTC"
    browser.wait(lambda: browser.text("#now") == shown, "the new time")
    browser.click('[data-mode="simulated"]')
    browser.wait(lambda: browser.control("GET", "clock")["mode"] == "simulated", "a clock at rest")
    browser.fill("#set-to", "2001-01-01 00:00")
    browser.click("#set-form button")
    browser.wait(lambda: "bad" in browser.one("#clock-said").get_attribute("class"), "a refusal")


def test_a_stream_as_it_happens(browser: Browser, serve: Serve) -> None:
    browser.open(serve(rate_per_s=1.0))
    before = set(browser.texts("#events .id"))
    browser.click('[data-advance="60"]')
    browser.wait(lambda: set(browser.texts("#events .id")) - before, "new events")
    truth = browser.control("GET", "truth?last=200")["events"]
    ids = {str(row["id"]) for row in truth}
    browser.wait(lambda: set(browser.texts("#events .id")) == ids, "all events")
    hidden = {str(row["id"]) for row in truth if not row["visible"]}
    assert set(browser.texts("#events .hidden-now .id")) == hidden
    assert browser.log() == []


def test_an_armed_fault_hits_the_next_request(page: Browser) -> None:
    Select(page.one("#fault-kind")).select_by_value("server-error")
    Select(page.one("#fault-status")).select_by_visible_text("502")
    page.fill("#fault-retry", "7")
    page.click("#fault-form button")
    page.wait(lambda: "server-error 502" in page.text("#armed"), "the armed fault")
    answer = page.ask("/com/events.json")
    assert (answer.status_code, float(answer.headers["Retry-After"])) == (502, 7.0)
    assert page.ask("/com/events.json").status_code == 200
    page.wait(lambda: "fault: server-error" in page.text("#journal"), "the request that failed")
    page.wait(lambda: page.texts("#armed li") == [], "the fault to be used up")
    assert page.one("#armed-none").is_displayed()


def test_faults_one_by_one(page: Browser) -> None:
    Select(page.one("#fault-kind")).select_by_value("slow-answer")
    assert [page.one(f"#fault-{name}").is_displayed() for name in ("ms", "retry", "status")] == [
        True,
        False,
        False,
    ]
    page.click("#fault-form button")
    page.wait(lambda: "ms is missing" in page.text("#fault-said"), "a refusal")
    page.fill("#fault-ms", "250")
    page.one("#fault-times").clear()
    page.click("#fault-form button")
    page.wait(lambda: "until disarmed" in page.text("#armed"), "a fault without an end")
    Select(page.one("#fault-kind")).select_by_value("token-expired")
    page.fill("#fault-times", "2")
    page.click("#fault-form button")
    page.wait(lambda: len(page.texts("#armed li")) == 2, "two faults")
    page.click("#armed li:first-child button")
    page.wait(lambda: len(page.texts("#armed li")) == 1, "one fault")
    [fault] = page.control("GET", "faults")["faults"]
    assert (fault["kind"], fault["times"], fault["requests_left"]) == ("token-expired", 2, 2)
    page.click("#fault-clear")
    page.wait(lambda: page.control("GET", "faults")["faults"] == [], "nothing armed")


def test_reset_asks_before(page: Browser) -> None:
    event = page.append()
    page.wait(lambda: page.texts(page.row(event["id"])), "the event")
    page.click("#reset-ask")
    page.click("#reset-dialog button[value=no]")
    page.wait(lambda: not page.one("#reset-dialog").is_displayed(), "a closed dialog")
    page.click("#reset-ask")
    assert page.texts(page.row(event["id"])), "it was not asked for yet"
    page.click("#reset-yes")
    page.wait(lambda: page.texts(page.row(event["id"])) == [], "the event to be gone")
    assert page.control("GET", "health")["resets"] == 1


def test_a_reset_by_somebody_else(page: Browser) -> None:
    event = page.append()
    page.ask("/com/events.json")
    page.wait(lambda: page.texts("#journal .row"), "the request")
    page.control("POST", "reset")
    page.wait(lambda: page.texts(page.row(event["id"])) == [], "the event to be gone")
    page.wait(lambda: page.texts("#journal .row") == [], "an empty journal")


def test_a_verdict(page: Browser) -> None:
    events = page.ask("/com/events.json", since_id=0, limit=250).json()["events"]
    ids = [event["id"] for event in events]
    page.fill("#delivered", ", ".join(map(str, ids[1:])))
    Select(page.one("#promise-delivery")).select_by_visible_text("at-least-once")
    page.click("#verdict-form button")
    page.wait(lambda: page.text("#report") != "No verdict yet.", "a verdict")
    asked = {"promise": {"delivery": "at-least-once"}, "poll_gap_s": 5}
    expected = page.control("POST", "verdict", json=asked)
    assert page.text("#report") == expected["report"]
    assert page.text("#verdict-said").startswith(f"{expected['outcome'].upper()}: ")
    assert f"{len(ids) - 1} deliveries handed over" in page.text("#verdict-said")
    assert page.one("#delivered").get_attribute("value") == ""
    page.click("#forget-delivered")
    page.wait(lambda: "starts from nothing" in page.text("#verdict-said"), "a new client")


@pytest.mark.parametrize("form", ["list", "lines", "envelope"])
def test_deliveries_as_json(page: Browser, form: str) -> None:
    events = page.ask("/com/events.json", since_id=0, limit=3).json()["events"]
    text = {
        "list": json.dumps(events),
        "lines": "\n".join(map(json.dumps, events)),
        "envelope": json.dumps({"events": events}),
    }[form]
    page.run("document.querySelector('#delivered').value = arguments[0]", text)
    page.click("#verdict-form button")
    page.wait(lambda: "3 deliveries handed over" in page.text("#verdict-said"), "three deliveries")
    answer = page.control("POST", "delivered", json={"events": events[:1]})
    assert answer == {"delivered": len(events) + 1}


def test_feeds(page: Browser) -> None:
    page.fill("#feed-id", "worker-1")
    page.fill("#feed-seed", "42")
    page.click("#feed-form button")
    page.wait(lambda: page.texts("#feed-list li"), "the feed")
    total = page.control("GET", "health")["events"]["total"]
    page.click("#feed-list a")
    page.wait(lambda: "feed worker-1" in page.text("#what"), "the page of the feed")
    assert "seed 42" in page.text("#what")
    page.fill("#append-late", "5")
    page.click("#append-form button")
    page.wait(lambda: "Appended" in page.text("#append-said"), "an event of the feed")
    assert page.control("GET", "health")["events"]["total"] == total
    page.click("#main-world")
    page.wait(lambda: page.texts("#feed-list li"), "the main world")
    page.click("#feed-list button")
    page.wait(lambda: page.texts("#feed-list li") == [], "no feed")
    assert page.control("GET", "feeds") == {"feeds": []}


# ------------------------------------------------------------------ curl


@pytest.fixture(scope="module")
def curl() -> None:
    if shutil.which("curl") is None:
        missing = "expected the program curl, with which lines of the page are tried"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{missing}; install it")


def run_curl(line: str) -> Any:
    """Run a line of the page as a shell would, and return the JSON that came, or None."""
    done = subprocess.run(
        ["sh", "-c", f"{line} --fail --max-time 10 --noproxy '*'"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{line}\nended with {done.returncode}: {done.stderr}"
    return json.loads(done.stdout) if done.stdout else None


@pytest.mark.usefixtures("curl")
@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_curl_line_works(browser: Browser, serve: Serve, dialect: str) -> None:
    browser.open(serve(dialect))
    for line in browser.texts("#curl-api code"):
        assert run_curl(line), line
    entries = browser.control("GET", "requests")["requests"]
    assert {(entry["status"], entry["problem"]) for entry in entries} == {(200, None)}
    assert [entry["number"] for entry in entries if not entry["rows"]] == [
        entry["number"] for entry in entries if "count" in entry["target"]
    ], "but for the count, each line of the page reads events"
    before = browser.control("GET", "clock")["now_ms"]
    for line in browser.texts("#curl-control code"):
        assert "--json" not in line, "curl knows it from 7.82 on, and older ones are still about"
        assert run_curl(line), line
        if "clock/advance" in line:
            assert browser.control("GET", "clock")["now_ms"] == before + 60_000


@pytest.mark.usefixtures("curl")
def test_a_copied_line_works(page: Browser) -> None:
    """Through the clipboard: what is copied, not what is shown."""
    page.click("#curl-api button")
    page.wait(lambda: page.text("#curl-said").startswith("Copied"), "the copy")
    page.one("#delivered").send_keys(Keys.CONTROL, "v")
    copied = page.one("#delivered").get_attribute("value")
    assert copied == page.texts("#curl-api code")[0]
    assert run_curl(copied) == page.ask("/com/events.json", limit=5).json()


# ------------------------------------------------------------------ trouble


def test_it_asks_for_the_token(browser: Browser, serve: Serve) -> None:
    secret = "open-sesame"
    browser.load(serve(token=secret))
    dialog = browser.one("#token-dialog")
    browser.wait(dialog.is_displayed, "the question")
    browser.fill("#token", "close-sesame")
    browser.click("#token-yes")
    browser.wait(lambda: "That was not it" in browser.text("#token-says"), "a second question")
    browser.fill("#token", secret)
    browser.click("#token-yes")
    browser.wait(lambda: browser.text("#link") == "live", "a page that is live")
    assert browser.texts("#events .row")
    lines = browser.texts("#curl-control code")
    assert all("X-Fakeserver-Token: $CONTROL_TOKEN" in line for line in lines)
    assert secret not in browser.driver.page_source
    browser.driver.refresh()
    browser.wait(lambda: browser.text("#link") == "live", "the token to be remembered")


def test_a_token_not_given(browser: Browser, serve: Serve) -> None:
    browser.load(serve(token="open-sesame"))
    browser.wait(browser.one("#token-dialog").is_displayed, "the question")
    browser.click("#token-dialog button[value=no]")
    browser.wait(lambda: browser.text("#link") == "needs the token", "the state of the page")
    browser.wait(browser.one("#token-ask").is_displayed, "a way to enter it later")
    assert browser.texts("#events .row") == []


class Gone:
    """An application that can be taken away and brought back."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.gone = False

    def __call__(self, environ: Any, start_response: Any) -> Any:
        if self.gone:
            raise ConnectionResetError("the server is gone")
        return self.app(environ, start_response)


def test_the_server_goes_and_comes_back(browser: Browser, serve: Serve) -> None:
    wrapped: list[Gone] = []

    def wrap(app: Any) -> Gone:
        wrapped.append(Gone(app))
        return wrapped[0]

    browser.open(serve(wrap=wrap))
    wrapped[0].gone = True
    browser.wait(lambda: "does not answer" in browser.text("#link"), "a word about it")
    assert browser.texts("#events .row"), "what was read stays to be read"
    browser.click('[data-advance="60"]')
    browser.wait(lambda: "does not answer" in browser.text("#clock-said"), "an honest button")
    wrapped[0].gone = False
    browser.wait(lambda: browser.text("#link") == "live", "the server to be back")


# ------------------------------------------------------------------ how it looks


def picture(png: bytes) -> tuple[int, int, set[bytes]]:
    """Width, height and the colours of every seventh pixel of a row of an 8-bit PNG, filtered."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height, depth, colour = struct.unpack(">IIBB", png[16:26])
    size = {2: 3, 6: 4}[colour]
    assert depth == 8
    data, at = b"", 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        if png[at + 4 : at + 8] == b"IDAT":
            data += png[at + 8 : at + 8 + length]
        at += length + 12
    raw = zlib.decompress(data)
    assert len(raw) == height * (1 + width * size)
    return width, height, {raw[i : i + size] for i in range(1, len(raw), 7 * size)}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1400, 1000), (400, 900)])
def test_a_picture_of_it(
    page: Browser, tmp_path: Path, scheme: str, width: int, height: int
) -> None:
    page.resize(width, height)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    page.cdp("Emulation.setEmulatedMedia", features=features)
    path = tmp_path / "page.png"
    assert page.driver.save_screenshot(str(path))
    shown_width, shown_height, colours = picture(path.read_bytes())
    assert (shown_width, shown_height) == (width, height)
    assert len(colours) > 50, "the page is blank"


LUMINANCE = """
const rgb = getComputedStyle(document.querySelector(arguments[0]))[arguments[1]].match(/[\\d.]+/g);
const linear = rgb.slice(0, 3).map((x) => x / 255).map((x) =>
  x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
"""


def test_light_and_dark(page: Browser) -> None:
    page.append(late_by_s=60)
    page.ask("/com/events.json", since_id="x")
    page.wait(lambda: page.texts("#events .hidden-now .tag"), "a hidden event")
    page.wait(lambda: page.texts("#journal .problem"), "a failed request")
    grounds = {}
    for scheme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        page.cdp("Emulation.setEmulatedMedia", features=features)
        ground = page.run(LUMINANCE, ".panel", "backgroundColor")
        for selector in (".panel", ".muted", "nav a", ".hidden-now .tag", "#journal .problem"):
            ink = page.run(LUMINANCE, selector, "color")
            contrast = (max(ink, ground) + 0.05) / (min(ink, ground) + 0.05)
            assert contrast >= 4.5, f"{selector} is hard to read in {scheme}: {contrast:.1f}"
        grounds[scheme] = ground
    assert grounds["dark"] < 0.2
    assert grounds["light"] > 0.8


@pytest.mark.parametrize("width", [400, 760, 1000, 1180, 1400])
def test_it_fits_its_window(page: Browser, width: int) -> None:
    page.append(late_by_s=60, fields={"message": "x" * 400})
    page.ask("/com/events.json", limit=3)
    page.ask("/com/events.json", since_id="y" * 400)
    Select(page.one("#fault-kind")).select_by_value("repeated-answer")
    page.click("#fault-form button")
    page.wait(lambda: page.texts("#armed li"), "an armed fault")
    page.wait(lambda: page.texts("#journal .problem"), "a long request")
    page.resize(width, 900)
    outside = page.run(
        "const limit = document.documentElement.clientWidth;"
        "return [...document.querySelectorAll('main > *, header *, .panel > *, .list .row')]"
        ".filter((e) => e.getBoundingClientRect().right > limit + 1).map((e) => e.outerHTML)"
    )
    assert outside == []
    scroll, client = page.run(
        "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert scroll <= client
    page.click("#journal li:last-child .row")
    page.wait(lambda: page.texts("#events .picked"), "marked events")
    heights = page.run(
        "return [...document.querySelectorAll('#events .row')].map((e) => e.offsetHeight)"
    )
    assert max(heights) <= 80, "an event takes one line, or two in a narrow window"


# ------------------------------------------------------------------ for everybody's hands


def test_every_field_has_a_name(page: Browser) -> None:
    nameless = page.run(
        "return [...document.querySelectorAll('input, select, textarea, button')].filter((e) =>"
        " !(e.labels?.length || e.getAttribute('aria-label') || e.textContent.trim()))"
        ".map((e) => e.outerHTML)"
    )
    assert nameless == []
    ids = page.run("return [...document.querySelectorAll('[id]')].map((e) => e.id)")
    assert sorted(ids) == sorted(set(ids))


def test_lists_by_keyboard(page: Browser) -> None:
    """A list is one stop of the Tab key, the arrows move in it, Enter opens."""
    assert page.run("return document.querySelectorAll('#events [tabindex=\"0\"]').length") == 1
    page.run("document.querySelector('#events .row').focus()")
    focused = "return document.activeElement.closest('li').dataset.id"
    ids = page.texts("#events .id")
    for key, expected in [
        (Keys.ARROW_DOWN, ids[1]),
        (Keys.END, ids[-1]),
        (Keys.ARROW_DOWN, ids[-1]),
        (Keys.HOME, ids[0]),
    ]:
        page.driver.switch_to.active_element.send_keys(key)
        assert page.run(focused) == expected
    page.driver.switch_to.active_element.send_keys(Keys.ENTER)
    assert json.loads(page.text(f"{page.row(ids[0])} pre"))["id"] == int(ids[0])
