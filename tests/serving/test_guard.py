"""Who may steer: not the pages of strangers, and with a token nobody without it."""

import pytest

from fakeserver.app import ORIGIN
from fakeserver.doors import call
from fakeserver.serving.endpoints import OPEN, ROUTES
from tests.serving.asking import CONTROL, Reply, a_site, ask, faked, refused

TOKEN = "correct horse".replace(" ", "-battery-")  # long enough, and nobody's


def from_host(site, host: str | None, **headers: str) -> Reply:
    """Ask for the clock (any endpoint would do) with a ``Host`` of one's own."""
    sent = {"Host": host} if host is not None else {}
    got = call(site, "GET", f"{ORIGIN}{CONTROL}/clock", {**sent, **headers})
    return Reply(got.status, dict(got.headers), got.body)


GOOD_HOSTS = (
    "127.0.0.1",
    "127.0.0.1:8766",
    "localhost:41503",
    "LOCALHOST",
    "localhost.",
    "[::1]:80",
    "[::1]",
)
BAD_HOSTS = (
    "evil.example",
    "evil.example:8766",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "evil.example:127.0.0.1",
    "evil@localhost",
    "localhost:80@evil.example",
    "localhost/",
    "0.0.0.0:8766",
    "192.168.1.7",
    "::1",
    "[::2]",
    "localhost:x",
    "localhost:",
    "",
    " ",
    "localhost, evil.example",
)


@pytest.mark.parametrize("host", GOOD_HOSTS)
def test_innocent_host(host):
    assert from_host(a_site(), host).status == 200


@pytest.mark.parametrize("host", BAD_HOSTS)
def test_culprit_host(host):
    reply = from_host(a_site(), host)
    assert (reply.status, reply.json["code"]) == (403, "foreign-host")


@pytest.mark.parametrize("name", ["fake.internal", "192.168.1.7", "::2", "[::2]", "Fake.Internal."])
def test_a_host_can_be_allowed(name):
    site = a_site(hosts=[name])
    shown = "[::2]" if "::2" in name else name
    assert from_host(site, shown).status == from_host(site, f"{shown}:8766").status == 200
    assert from_host(site, "evil.example").status == 403


@pytest.mark.parametrize("name", ["", "a b", "fake:8766", "http://fake", "a/b", "a\nb"])
def test_what_is_no_host_can_not_be_allowed(name):
    with pytest.raises(ValueError, match="allow host"):
        a_site(hosts=[name])


@pytest.mark.parametrize("host", ["127.0.0.1:8766", "localhost", "[::1]:80"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_innocent_origin(host, scheme):
    assert from_host(a_site(), host, Origin=f"{scheme}://{host}").status == 200


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "",
        "http://localhost:3000",
        "http://localhost.evil.example:8766",
        "http://evil.example@localhost:8766",
        "ftp://localhost:8766",
        "localhost:8766",
        "http://localhost:8766/",
    ],
)
def test_culprit_origin(origin):
    reply = from_host(a_site(), "localhost:8766", Origin=origin)
    assert (reply.status, reply.json["code"]) == (403, "foreign-origin")


def test_the_page_of_another_local_program_can_not_steer():
    site = a_site()
    for verb, path, _ in ROUTES:
        target = f"{CONTROL}{path or '/'}".replace("<name>", "control").replace("<feed_id>", "x")
        headers = {"Origin": "http://localhost:3000"}
        reply = ask(site, verb, target, {}, headers=headers)
        assert (reply.status, reply.json["code"]) == (403, "foreign-origin"), path


def test_a_client_of_http_1_0_needs_no_host():
    environ: dict = {}

    def remember(env, start_response):
        del env["HTTP_HOST"]
        environ.update(env)
        return a_site()(env, start_response)

    assert call(remember, "GET", f"{ORIGIN}{CONTROL}/health", {}).status == 200
    assert "HTTP_HOST" not in environ


def test_the_faked_api_is_for_everybody():
    site = a_site(backlog=2, token=TOKEN)
    headers = {"Authorization": "Bearer fakeserver-token", "Host": "x.example", "Origin": "null"}
    reply = ask(site, "GET", "/com/events.json", headers=headers)
    assert reply.status == 200


class TestToken:
    def test_every_endpoint_but_two_asks_for_it(self):
        site = a_site(token=TOKEN)
        for verb, path, endpoint in ROUTES:
            target = f"{CONTROL}{path or '/'}".replace("<name>", "control").replace(
                "<feed_id>", "x"
            )
            reply = ask(site, verb, target) if endpoint not in OPEN or path else None
            if endpoint in OPEN:
                assert reply is None or reply.status == 200
            else:
                assert reply.status == 401, path
                assert reply.headers["WWW-Authenticate"].startswith("Bearer")

    @pytest.mark.parametrize(
        "headers",
        [
            {"Authorization": f"Bearer {TOKEN}"},
            {"Authorization": f"bearer  {TOKEN} "},
            {"X-Fakeserver-Token": TOKEN},
            {"X-Fakeserver-Token": TOKEN, "Authorization": "Bearer fakeserver-token"},
        ],
    )
    def test_innocent(self, headers):
        assert ask(a_site(token=TOKEN), "GET", f"{CONTROL}/clock", headers=headers).status == 200

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"Authorization": TOKEN},
            {"Authorization": f"Basic {TOKEN}"},
            {"Authorization": "Bearer "},
            {"Authorization": f"Bearer {TOKEN}x"},
            {"Authorization": f"Bearer {TOKEN[:-1]}"},
            {"X-Fakeserver-Token": "\xff"},
            {"X-Fakeserver-Token": TOKEN.upper()},
        ],
    )
    def test_culprit(self, headers):
        site = a_site(token=TOKEN)
        problem = refused(site, "GET", "clock", headers=headers)
        assert (problem["status"], problem["code"]) == (401, "no-token")

    def test_is_never_printed(self, capsys):
        site = a_site(token=TOKEN)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        for verb, path, _ in ROUTES:
            if path and "shutdown" not in path:
                target = f"{CONTROL}{path}".replace("<name>", "control").replace("<feed_id>", "x")
                assert TOKEN.encode() not in ask(site, verb, target, headers=headers).body
                assert TOKEN.encode() not in ask(site, verb, target).body
        assert TOKEN not in "".join(capsys.readouterr())

    def test_feeds_ask_for_it_too(self):
        site = a_site(token=TOKEN, backlog=2)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        assert ask(site, "POST", f"{CONTROL}/feeds", {"id": "f"}, headers=headers).status == 201
        assert refused(site, "GET", f"feeds/f{CONTROL}/clock")["status"] == 401
        assert len(faked(site, "/com/events.json", prefix=f"{CONTROL}/feeds/f")["events"]) == 2

    @pytest.mark.parametrize(
        "token", ["", "short", "with space inside", "naïve-token", "tab\ttab-x"]
    )
    def test_what_is_no_token(self, token):
        with pytest.raises(ValueError, match="token: expected") as caught:
            a_site(token=token)
        assert not token or token not in str(caught.value)
