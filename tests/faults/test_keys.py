"""Every key is replaced while people sign up, sign in and forget passwords, and none of them notices."""

import itertools
import re
import secrets
import signal
import threading
import time
from collections import Counter

import pytest
import requests
from cryptography.fernet import Fernet

from api.tokens import new_key
from tests.faults.parts import CODE, HOST, Shopper, free_port, wait_for

PASSWORD = "correct horse battery"
LISTS = ["CODE_KEYS", "FINGERPRINT_KEYS", "TOKEN_KEYS", "VAULT_KEYS"]
# So long two processes differ in what they know, in each step.
MIXED_SECONDS = 1.5
PREFIX = "+44740013"


def new_keys():
    """A key of each kind that nothing was made with."""
    return {
        "SECRET_KEY": secrets.token_urlsafe(50),
        "CODE_KEYS": secrets.token_hex(32),
        "FINGERPRINT_KEYS": secrets.token_hex(32),
        "TOKEN_KEYS": new_key(),
        "VAULT_KEYS": Fernet.generate_key().decode(),
    }


def steps(old, new):
    """What each process is told, one step after the other (docs/operations.md)."""
    return [
        {**{name: f"{old[name]},{new[name]}" for name in LISTS},
         "SECRET_KEY": old["SECRET_KEY"], "SECRET_KEY_FALLBACKS": new["SECRET_KEY"]},
        {**{name: f"{new[name]},{old[name]}" for name in LISTS},
         "SECRET_KEY": new["SECRET_KEY"], "SECRET_KEY_FALLBACKS": old["SECRET_KEY"]},
    ]  # fmt: skip


class Fleet:
    """Two webs behind a balancer that asks them in turn, and a worker."""

    def __init__(self, start):
        self.start, self.webs, self.turn = start, [], itertools.count()
        self.worker = None

    def launch(self, keys):
        """Start two webs and a worker that know `keys`; returns them when they are ready."""
        webs = [self._web(keys) for _ in range(2)]
        worker = self.start(
            "keys-worker", "celery", "-A", "storefront", "worker", "--loglevel", "info",
            "--concurrency", "2", "--without-gossip", "--without-mingle", env=keys,
        )  # fmt: skip
        worker.wait_until_it_says(" ready.")
        for _process, address in webs:
            wait_for(lambda address=address: is_ready(address), 60)
        return webs, worker

    def replace(self, keys):
        """Restart one after the other: the first web, then the second, then the worker."""
        webs, worker = self.launch(keys)
        for number, web in enumerate(webs):
            if self.webs[number:]:
                self._retire(number, web)
            else:
                self.webs.append(web)
            time.sleep(MIXED_SECONDS)
        self.worker, old = worker, self.worker
        if old:
            # Nobody sweeps here: a message in the hands of a child that dies would wait for its lease.
            old.retire()

    @property
    def address(self):
        """Who answers next."""
        return self.webs[next(self.turn) % 2][1]

    def _web(self, keys):
        port = free_port()
        own = {"PORT": str(port), "WEB_CONCURRENCY": "1", "WEB_THREADS": "4", **keys}
        process = self.start(f"keys-{port}", "python", "-m", "storefront.serve", env=own)
        return process, f"http://127.0.0.1:{port}"

    def _retire(self, number, web):
        process, _address = self.webs[number]
        self.webs[number] = web
        # Whoever was sent there a moment ago arrives.
        time.sleep(0.5)
        process.stop(signal.SIGTERM)


def is_ready(address):
    try:
        return Shopper(address).get("/readyz").status_code == 200
    except OSError:
        return False


class Visitor(Shopper):
    """A browser whose requests go to one web, then to the other."""

    def __init__(self, fleet):
        super().__init__(fleet.address)
        self.fleet = fleet

    def _ask(self, *arguments, **kwargs):
        self.url = self.fleet.address
        return super()._ask(*arguments, **kwargs)

    def signs_up(self, identifier, find_code):
        self.get("/register/")
        self.post("/register/", identifier=identifier)
        self.finish(wait_for(find_code, 30))

    def signs_in(self, identifier, password=PASSWORD):
        self.get("/login/")
        return self.post("/login/", identifier=identifier, password=password).status_code

    def signs_out(self):
        self.get("/")
        return self.post("/logout/").status_code


class App:
    """An app whose calls go to one web, then to the other; it begins signed out."""

    def __init__(self, fleet):
        self.fleet, self.person, self.tokens = fleet, Shopper(fleet.address), {}

    def signs_up(self, code_to):
        password = {"password": PASSWORD, "password_confirm": PASSWORD}
        begun = self.post("v1/auth/register/", email=self.person.email, **password)
        otp = wait_for(lambda: code_to(self.person), 30)
        self.tokens = self.post("v1/auth/verify-otp/", user_id=begun["user_id"], otp=otp)

    def refreshes(self):
        """Ask twice, as whoever lost the first answer does, and go on with the second."""
        before = self.tokens["refresh"]
        for _turn in range(2):
            self.tokens = self.post("auth/token/refresh/", refresh=before)

    def knows_me(self):
        """Whether either web knows whose access token it is."""
        bearer = {"Authorization": f"Bearer {self.tokens['access']}"}
        told = [self._ask("GET", "auth/me/", headers=bearer).json() for _web in self.fleet.webs]
        return [each.get("email") == self.person.email for each in told] == [True, True]

    def post(self, path, **fields):
        answer = self._ask("POST", path, json=fields)
        assert answer.status_code in (200, 201), f"{path} {answer.status_code} {answer.text[:300]}"
        return answer.json()

    def _ask(self, method, path, headers=(), **kwargs):
        proxied = {"Host": HOST, "X-Forwarded-Proto": "https", "X-Forwarded-For": self.person.ip}
        url = f"{self.fleet.address}/api/{path}"
        headers = {**proxied, **dict(headers)}
        return requests.request(method, url, headers=headers, timeout=30, **kwargs)


class Journeys:
    """What people do who never heard of keys, again and again; each must come to its end."""

    def __init__(self, fleet, post_office, texts):
        self.fleet, self.post_office, self.texts = fleet, post_office, texts
        self.ended, self.failed, self.numbers = Counter(), [], itertools.count()
        self.stop = threading.Event()

    def by_email(self):
        """Sign up, out and in."""
        ana = Visitor(self.fleet)
        ana.signs_up(ana.email, lambda: self.code_to(ana))
        assert ana.signs_out() == 303
        assert ana.signs_in(ana.email) == 303
        assert "log-out" in ana.get("/").text

    def by_phone(self):
        """Sign up through a provider whose credentials are sealed."""
        number = f"{PREFIX}{next(self.numbers):04d}"[:13]
        bea = Visitor(self.fleet)
        bea.signs_up(number, lambda: self._text(number))

    def by_link(self):
        """Forget a password, and follow the link to a new one."""
        cat = Visitor(self.fleet)
        cat.signs_up(cat.email, lambda: self.code_to(cat))
        assert cat.signs_out() == 303
        cat.get("/password-reset/")
        assert cat.post("/password-reset/", identifier=cat.email).status_code == 303
        link = wait_for(lambda: self._link(cat), 30)
        moved = cat.get(link).headers["Location"]
        assert cat.get(moved).status_code == 200
        name = moved.partition("link=")[2]
        new = "another horse battery"
        assert cat.post("/password-reset/new/", link=name, password=new).status_code == 303
        assert cat.signs_in(cat.email, new) == 303

    def by_app(self):
        """Sign up in an app, and refresh."""
        dan = App(self.fleet)
        dan.signs_up(self.code_to)
        for _time in range(3):
            dan.refreshes()
            assert dan.knows_me()

    def run(self, journey):
        while not self.stop.is_set():
            try:
                journey()
                self.ended[journey.__name__] += 1
            except (AssertionError, OSError, KeyError, AttributeError) as problem:
                self.failed.append((journey.__name__, repr(problem)[:400]))

    def code_to(self, person):
        """The code in the first letter to somebody, once it is there."""
        letters = self.post_office.to(person.email)
        return letters[0].code if letters else None

    def _link(self, person):
        texts = [letter.text for letter in self.post_office.to(person.email)]
        found = re.search(r"https://\S+?(/password-reset/new/\?token=[\w-]+)", " ".join(texts))
        return found and found[1]

    def _text(self, number):
        texts = [message.text for message in self.texts.messages if message.to == number]
        return CODE.search(texts[0])[0] if texts else None


@pytest.fixture
def fleet(start):
    fleet = Fleet(start)
    yield fleet
    for process, _address in fleet.webs:
        process.kill()
    if fleet.worker:
        fleet.worker.kill()


# Passwords are typed and people sign out.
@pytest.mark.leaves_out("I3", "I8")
def test_every_key_turns_in_two_steps_while_people_are_there(  # KEY-01
    fleet,
    environment,
    provider,
    use,
    post_office,
    record_property,
):
    texts = provider()
    use(texts, "texts")
    old = {name: environment[name] for name in new_keys()}
    fleet.replace(old)
    owner, people = Visitor(fleet), Journeys(fleet, post_office, texts)
    owner.signs_up(owner.email, lambda: people.code_to(owner))
    app = App(fleet)
    app.signs_up(people.code_to)
    for number in range(5):
        Visitor(fleet).signs_in(owner.email, f"a wrong password {number}")

    def what_is_known():
        """The account is locked for strangers, its owner's browser is known to it, and an app is still signed in."""
        was_known = app.knows_me()
        app.refreshes()
        stranger = [Visitor(fleet).signs_in(owner.email) for _web in fleet.webs]
        signed_in = was_known and app.knows_me()
        return stranger, owner.signs_out(), owner.signs_in(owner.email), signed_in

    known = [what_is_known()]
    threads = [
        threading.Thread(target=people.run, args=(journey,))
        for journey in (people.by_email, people.by_phone, people.by_link, people.by_app)
    ]
    for thread in threads:
        thread.start()
    for step in steps(old, new_keys()):
        fleet.replace(step)
        known.append(what_is_known())
    people.stop.set()
    for thread in threads:
        thread.join(60)

    record_property("journeys", (dict(people.ended), people.failed))
    assert not people.failed
    assert set(people.ended) == {"by_email", "by_phone", "by_link", "by_app"}
    assert known == [([429, 429], 303, 303, True)] * 3
