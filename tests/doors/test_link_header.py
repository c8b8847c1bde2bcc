"""The ``link`` header: whole addresses, as the client asked, wherever the fake is mounted."""

import io

import pytest
from msgspec.structs import replace
from werkzeug.test import Client, EnvironBuilder

from fakeserver.app import FakeServer
from fakeserver.dialects.base import TOKEN
from fakeserver.doors import requests_session
from fakeserver.generate import generate_scenario

HEADERS = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def server() -> FakeServer:
    scenario = next(world for example in range(100) if len((world := drawn(example)).events) > 4)
    server = FakeServer(scenario)
    server.world.advance_to(scenario.calm_at)
    return server


def drawn(example: int):
    return generate_scenario(dialect="haravan", profile="shopify-cursor", example=example)


@pytest.mark.parametrize(
    ("path", "where", "address"),
    [
        ("/com/events.json", {}, "http://localhost/com/events.json"),
        ("/admin/events.json", {"base_url": "http://shop.test:8080"},
         "http://shop.test:8080/admin/events.json"),
        ("/com/events.json", {"base_url": "https://[::1]:1/_fakeserver/feeds/a%20b/"},
         "https://[::1]:1/_fakeserver/feeds/a%20b/com/events.json"),
    ],
)  # fmt: skip
def test_it_holds_the_address_that_was_asked_for(server, path, where, address):
    response = Client(server).get(path, query_string="limit=2", headers=HEADERS, **where)
    link = response.headers["link"]
    assert link.startswith(f"<{address}?limit=2&page_info=")
    assert link.endswith('>; rel="next"')


def test_its_name_is_in_small_letters(server):
    environ = EnvironBuilder(
        path="/com/events.json", query_string="limit=2", headers=HEADERS
    ).get_environ()
    seen: list[str] = []
    list(server(environ, lambda _status, headers: seen.extend(name for name, _ in headers)))
    assert "link" in seen
    assert "Link" not in seen


def test_one_page_has_none(server):
    response = Client(server).get("/com/events.json?since_id=99999999999", headers=HEADERS)
    assert response.status_code == 200
    assert "link" not in response.headers


def test_requests_follows_it_to_the_end(server):
    with requests_session(server) as session:
        url, ids = server.url("/com/events.json?limit=2"), []
        while url:
            response = session.get(url)
            ids += [event["id"] for event in response.json()["events"]]
            url = response.links.get("next", {}).get("url")
    assert ids == sorted(event.id for event in server.scenario.events)


@pytest.mark.parametrize("host", ["a b", 'x"><y', "é.test", ""])
def test_a_strange_host_breaks_nothing(server, host):
    environ = EnvironBuilder(
        path="/com/events.json", query_string="limit=2", headers=HEADERS
    ).get_environ()
    environ["HTTP_HOST"] = host
    statuses: list[str] = []
    list(server(environ, lambda status, _headers: statuses.append(status)))
    assert statuses == ["200 OK"]
    assert server.failure is None


@pytest.mark.parametrize(
    ("given", "status"),
    [({}, 200), ({"CONTENT_LENGTH": "0"}, 200), ({"CONTENT_LENGTH": "2"}, 400)],
)
def test_a_body_is_noticed_where_the_api_minds(given, status):
    scenario = generate_scenario(dialect="saleschannel", example=1)
    server = FakeServer(replace(scenario, settings={"request_body": "reject"}))
    environ = EnvironBuilder(
        path="/saleschannel-services/v1/events", headers=HEADERS
    ).get_environ() | {"wsgi.input": io.BytesIO(b"{}"), **given}
    statuses: list[str] = []
    list(server(environ, lambda got, _headers: statuses.append(got[:3])))
    assert statuses == [str(status)]
