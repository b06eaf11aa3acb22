"""Calls to the world outside go where they may, encrypted, and end soon; nothing that listens inside is ever called."""

import os
import pickle
import socket
import threading
import time
from contextlib import closing

import pytest

from messaging.providers import transport
from tests.support.provider_server import Answer, ProviderServer, certificate


@pytest.fixture(autouse=True)
def _fresh():
    """Every test begins without open connections."""
    transport._local.__dict__.clear()


@pytest.fixture
def server():
    """A provider on this machine."""
    with closing(ProviderServer()) as server:
        yield server


@pytest.fixture
def at_home(settings):
    """Providers may be on this machine."""
    settings.PROVIDER_NETWORKS = ["127.0.0.0/8"]


@pytest.fixture
def hurry(monkeypatch):
    """The same rules, but a test need not wait five seconds."""
    monkeypatch.setattr(transport, "TOTAL_SECONDS", 1)
    monkeypatch.setattr(transport, "CONNECT_SECONDS", 0.5)


@pytest.fixture
def trusted(monkeypatch):
    """Makes a root of a certificate, as an operator could."""

    def trust(path):
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
        transport.tls_context.cache_clear()

    yield trust
    transport.tls_context.cache_clear()


@pytest.fixture
def names(monkeypatch):
    """A name service of ours: host name -> the answers to each question in turn."""
    book, asked = {}, []
    real = socket.getaddrinfo

    def look_up(host, port, *args, **kwargs):
        asked.append(host)
        answers = book.get(host, [host])
        return real(answers.pop(0) if len(answers) > 1 else answers[0], port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    book["asked"] = asked
    return book


def ask(url, method="POST", **kwargs):
    """Make one call; returns the answer or the fault."""
    try:
        return transport.session().request(method, url, **kwargs)
    except transport.Unreachable as problem:
        return str(problem)


# Where


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "localhost", "127.1", "2130706433", "0x7f.0.0.1", "0.0.0.0", "[::1]", "[::]",  # noqa: S104
        "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
    ],
)  # fmt: skip
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_this_machine_is_not_called(server, scheme, host):  # ADM-07
    assert ask(f"{scheme}://{host}:{server.port}/") == transport.NOT_PUBLIC
    assert server.connections == 0


# An address of each network in IANA's two registries of special purposes, of what is deprecated and of what was never
# given out; with the IPv6 spellings under which an IPv4 address may hide.
NOT_PUBLIC = """
0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 127.0.0.1 169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.9 192.0.2.1
192.31.196.1 192.52.193.1 192.88.99.1 192.168.1.1 192.175.48.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1
224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
:: ::1 ::7f00:1 ::808:808 ::ffff:10.0.0.1 ::ffff:169.254.169.254 64:ff9b::a00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::808:808
100::1 100:0:0:1::1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:1::1 2001:2::1 2001:3::1 2001:4:112::1 2001:20::1
2001:30::1 2001:db8::1 2002:808:808::1 2002:a00:1::1 2620:4f:8000::1 3fff::1 4000::1 5f00::1 8000::1 fc00::1 fd00::1
fe00::1 fe80::1 fec0::1 feff::1 ff02::1 ff0e::1
""".split()
PUBLIC = """
1.1.1.1 8.8.4.4 100.63.255.255 100.128.0.1 172.15.0.1 172.32.0.1 192.0.1.1 192.167.0.1 198.17.0.1 198.20.0.1
223.255.255.1 2001:200::1 2606:4700::1111 2a00:1450::1 3ffe::1 ::ffff:8.8.4.4 64:ff9b::808:404
""".split()


def _url(address, scheme="https"):
    return f"{scheme}://[{address}]/" if ":" in address else f"{scheme}://{address}/"


@pytest.fixture
def dialled(monkeypatch):
    """Who would be called; nobody is."""
    calls = []

    def dial(family, address):
        calls.append(address[0])
        raise TimeoutError

    monkeypatch.setattr(transport, "_dial", dial)
    return calls


@pytest.mark.sample(80)
@pytest.mark.parametrize("networks", [[], ["127.0.0.0/16", "10.1.0.0/16"]], ids=["none", "some"])
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_what_is_not_public_is_not_called_unless_the_operator_says_so(
    settings, dialled, address, scheme, networks
):  # ADM-07
    settings.PROVIDER_NETWORKS = networks
    allowed = networks and address == "127.0.0.1"

    told = ask(_url(address, scheme))

    assert told == ("timed out" if allowed else transport.NOT_PUBLIC)
    assert bool(dialled) is bool(allowed)
    assert "PROVIDER_NETWORKS" in transport.NOT_PUBLIC


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_public_is_called_and_never_in_the_clear(dialled, address):  # ADM-07
    assert ask(_url(address)) == "timed out"
    assert ask(_url(address, "http")) == "no encryption"
    assert len(dialled) == 1


@pytest.mark.parametrize(
    ("network", "inside", "outside"),
    [
        ("10.1.2.0/24", "10.1.2.255", "10.1.3.0"),
        ("10.1.2.3/32", "10.1.2.3", "10.1.2.4"),
        ("fd00:1::/32", "fd00:1:ffff::1", "fd00:2::1"),
        ("10.1.2.0/24", "::ffff:10.1.2.9", "::ffff:10.1.3.9"),
    ],
)
def test_a_network_of_the_shop_s_own_is_open_as_far_as_it_goes(
    settings, dialled, network, inside, outside
):  # ADM-07
    settings.PROVIDER_NETWORKS = [network]

    assert ask(_url(inside)) == ask(_url(inside, "http")) == "timed out"
    assert ask(_url(outside)) == transport.NOT_PUBLIC


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "file://localhost/etc/passwd", "ftp://example.com/", "gopher://x/",
        "unix:///run/docker.sock", "//example.com/", "example.com", "", "https://", "https:///x",
    ],
)  # fmt: skip
def test_only_https_is_spoken(url):  # ADM-07
    assert ask(url) == "address not allowed"


@pytest.mark.parametrize(
    "url", ["https://[::1", "https://x:99999/", "https://\x00/", "https://a..b/"]
)
def test_nonsense_is_a_fault_and_not_a_crash(url):  # ADM-07
    assert isinstance(ask(url), str)


def test_a_name_of_this_machine_is_no_way_in(server, names):  # ADM-07
    names["provider.example"] = ["127.0.0.1"]

    assert ask(f"https://provider.example:{server.port}/") == transport.NOT_PUBLIC
    assert server.connections == 0


def test_a_name_that_changes_its_meaning_is_dialled_as_it_was_looked_at(
    names, monkeypatch
):  # ADM-07
    names["provider.example"], dialled = ["8.8.4.4", "127.0.0.1"], []

    def dial(family, address):
        dialled.append(address[0])
        raise TimeoutError

    monkeypatch.setattr(transport, "_dial", dial)

    assert ask("https://provider.example/") == "timed out"
    assert (names["asked"], dialled) == (["provider.example"], ["8.8.4.4"])


def test_a_name_nobody_knows_is_told(names):  # OUT-05
    names["provider.example"] = ["no-such-host.invalid"]

    assert ask("https://provider.example/") == "unknown host"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_nobody_sends_us_elsewhere(server, at_home, status):  # ADM-07
    server.behave = lambda request: Answer(status, "", {"Location": f"{server.url}/inside"})

    assert ask(server.url).status_code == status
    assert len(server.requests) == 1


@pytest.mark.parametrize("place", ["http://[::1", "//", "\xff", "file:///etc/passwd"])
def test_nonsense_in_a_redirect_harms_nobody(server, at_home, place):  # ADM-07
    server.behave = lambda request: Answer(302, "", {"Location": place})

    assert ask(server.url).status_code == 302


def test_the_environment_does_not_lead_us_astray(server, at_home, monkeypatch, tmp_path):  # ADM-07
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login a password stolen\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"]:
        monkeypatch.setenv(name, "http://10.0.0.1:1")

    assert ask(server.url).status_code == 404
    assert server.requests[0].headers["Authorization"] is None


def test_nothing_is_remembered_from_one_call_to_the_next_but_the_connection(server, at_home):
    server.behave = lambda request: Answer(200, "", {"Set-Cookie": "a=b"})

    ask(server.url)
    ask(server.url)

    assert server.connections == 1
    assert server.requests[1].headers["Cookie"] is None


# To whom


@pytest.mark.parametrize(
    ("hosts", "days", "known"),
    [
        (["127.0.0.1"], 1, False),
        (["provider.example"], 1, True),
        (["127.0.0.1"], -1, True),
    ],
    ids=["self-signed", "another's", "expired"],
)
def test_a_certificate_must_be_right(at_home, trusted, hosts, days, known):  # ADM-07
    path = certificate(*hosts, days=days)
    if known:
        trusted(path)

    with closing(ProviderServer(path)) as server:
        assert ask(server.url, verify=False) == "certificate not trusted"

    assert server.requests == []


def test_one_handshake_serves_many_calls(at_home, trusted):  # ADM-07
    path = certificate("127.0.0.1")
    trusted(path)

    with closing(ProviderServer(path)) as server:
        answers = [ask(server.url).status_code for _ in range(3)]

    assert (answers, server.connections) == ([404] * 3, 1)


def test_a_server_that_speaks_no_tls_is_told_nothing(server, at_home):  # ADM-07
    assert ask(f"https://127.0.0.1:{server.port}/") == "no encryption"
    assert server.requests == []


# How long


@pytest.mark.parametrize("action", ["hang", "drip", "drip head"])
def test_a_slow_answer_is_not_waited_for(server, at_home, hurry, action):  # OUT-05, ADM-07
    server.behave = lambda request: action
    start = time.monotonic()

    assert ask(server.url) == "timed out"
    assert 0.9 < time.monotonic() - start < 1.5


def test_five_seconds_are_the_most(server, at_home):  # OUT-05
    server.behave = lambda request: "drip"
    start = time.monotonic()

    assert ask(server.url) == "timed out"
    assert 4.9 < time.monotonic() - start < 5.5


def test_a_server_that_listens_and_says_nothing_gets_no_handshake(at_home, hurry):  # OUT-05
    with socket.create_server(("127.0.0.1", 0)) as mute:
        start = time.monotonic()

        assert ask(f"https://127.0.0.1:{mute.getsockname()[1]}/") == "timed out"

    assert time.monotonic() - start < 1.2


def test_a_server_that_does_not_pick_up_is_left_after_two_seconds(at_home):  # OUT-05
    with socket.create_server(("127.0.0.1", 0), backlog=0) as busy:
        waiting = [_call_without_waiting(busy.getsockname()) for _ in range(3)]
        start = time.monotonic()

        assert ask(f"http://127.0.0.1:{busy.getsockname()[1]}/") == "timed out"

    assert 1.9 < time.monotonic() - start < 2.6
    for call in waiting:
        call.close()


def _call_without_waiting(address):
    call = socket.socket()
    call.setblocking(False)
    call.connect_ex(address)
    return call


def test_a_name_service_that_sleeps_is_not_waited_for(monkeypatch, hurry):  # OUT-05
    wake = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: wake.wait(10) and [])
    start = time.monotonic()

    assert ask("https://provider.example/") == "timed out"
    assert time.monotonic() - start < 1
    wake.set()


def test_of_an_endless_answer_the_beginning_is_read(server, at_home):  # OUT-05
    server.behave = lambda request: "endless"

    assert len(ask(server.url).content) == transport.MAX_BYTES


def test_a_call_after_a_fault_gets_a_line_of_its_own(server, at_home, hurry):  # OUT-05
    for action in ["reset", "hang", "drip", "endless"]:
        server.behave = lambda request, action=action: action
        ask(server.url)
        server.behave = lambda request: None

        assert ask(server.url).status_code == 404


def test_a_line_that_was_silent_for_long_is_not_used(server, at_home, monkeypatch):  # OUT-05
    ask(server.url)
    monkeypatch.setattr(transport, "IDLE_SECONDS", 0)
    ask(server.url)

    assert server.connections == 2


@pytest.mark.parametrize("state", ["reset", "closed"])
def test_a_lost_connection_is_a_fault_and_not_a_second_try(server, at_home, state):  # OUT-03
    ask(server.url)
    if state == "closed":
        server.close()
    server.behave = lambda request: "reset"

    assert isinstance(ask(server.url), str)
    assert len(server.requests) <= 2


def test_a_forked_process_opens_lines_of_its_own(server, at_home):  # OUT-05
    ask(server.url)
    near, far = os.pipe()
    child = os.fork()
    if not child:
        os.write(far, pickle.dumps(transport._local.session is None))
        os._exit(0)
    os.waitpid(child, 0)

    assert pickle.loads(os.read(near, 100))  # noqa: S301  from our own child
    assert transport._local.session


def test_every_thread_has_a_line_of_its_own(server, at_home):  # OUT-05
    callers = [threading.Thread(target=ask, args=(server.url,)) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()

    assert len(server.requests) == server.connections == 4


def test_faults_never_quote(server, at_home, hurry):  # OUT-07, LOG-03
    for action in ["reset", "hang"]:
        server.behave = lambda request, action=action: action
        fault = ask(f"{server.url}/a-secret-path", data="a secret text")
        assert "secret" not in fault
        assert "127.0.0.1" not in fault
