"""The client package of the API that Haravan's descends from, unmodified, against a served fake.

It asks as its own service wants it (versions in the path, its own token header) and walks by the
addresses in the ``link`` header.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from fakeserver.dialects.base import TOKEN
from tests.serving.test_serve import Served, serving

shopify = pytest.importorskip("shopify", reason="the package ShopifyAPI is in the group 'test'")

BACKLOG, PAGE = 120, 50


@pytest.fixture
def served() -> Iterator[Served]:
    options = ("--profile", "shopify-cursor", "--clock", "simulated", "--late-by-max", "0s")
    with serving("--dialect", "haravan", *options, "--backlog", str(BACKLOG)) as served:
        yield served


@pytest.fixture
def activated(served: Served, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A session of the package. It puts its own domain behind the first word of an address."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name, value in {
        "protocol": "http",
        "myshopify_domain": "0.0.1",
        "port": urlsplit(served.url).port,
    }.items():
        monkeypatch.setattr(shopify.Session, name, value)
    session = shopify.Session("127.0.0.1", "2024-01", TOKEN)
    assert session.site == f"{served.url}/admin/api/2024-01"
    shopify.ShopifyResource.activate_session(session)
    yield
    shopify.ShopifyResource.clear_session()


def walked(page: Any) -> list[int]:
    """Follow the links to the end, as the package's users do."""
    ids = [event.id for event in page]
    while page.has_next_page():
        page = page.next_page()
        ids += [event.id for event in page]
    return ids


@pytest.mark.usefixtures("activated")
def test_it_walks_the_whole_log(served):
    truth = served.get("/_fakeserver/truth", limit=1000).json()["events"]
    ids = walked(shopify.Event.find(limit=PAGE))
    assert ids == [row["id"] for row in truth]
    asked = served.get("/_fakeserver/requests").json()["requests"]
    assert [row["rows"] for row in asked] == [PAGE, PAGE, BACKLOG - 2 * PAGE]
    assert shopify.Event.count() == BACKLOG


@pytest.mark.usefixtures("activated")
def test_it_turns_back():
    first = shopify.Event.find(limit=PAGE)
    back = first.next_page().previous_page(no_cache=True)
    assert [event.id for event in back] == [event.id for event in first]
