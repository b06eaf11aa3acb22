"""What a password must look like besides Django's own validators."""

import hashlib
import re
import threading
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import requests
from django.conf import settings
from django.contrib.auth.password_validation import CommonPasswordValidator
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from urllib3.exceptions import HTTPError

from accounts import audit
from accounts.errors import PasswordBreached
from accounts.sessions.client import ClientInfo

CLASSES = {
    "upper": (str.isupper, _("a capital letter")),
    "lower": (str.islower, _("a small letter")),
    "digit": (str.isdigit, _("a digit")),
    "special": (lambda letter: not letter.isalnum(), _("a special character")),
}

# Made by script/blocklist, which says how.
COMMON = Path(__file__).with_name("common_passwords.txt")
CORE = 12  # the shortest of COMMON; an ordinary word with something around it is not refused for the word
# What is left of a password without its guessable part must be as long as the shortest password NIST allows.
ENOUGH = 8
# Rows and columns of keyboards, and what everybody knows by heart.
TRACKS = (
    "1234567890 abcdefghijklmnopqrstuvwxyz 1234567890qwertyuiopasdfghjklzxcvbnm qwertzuiopasdfghjklyxcvbnm "
    "azertyuiopqsdfghjklmwxcvbn qazwsxedcrfvtgbyhnujmikolp 1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p "
    "1q2w3e4r5t6y7u8i9o0p !@#$%^&*()_+ йцукенгшщзхъфывапролджэячсмитьбю"
).split()
# Each goes round in a circle, forward and backward.
RUNS = " ".join(track * 2 + " " + (track * 2)[::-1] for track in TRACKS)

# The whole page must be there within two seconds (PWD-03), and a hash takes its share of them.
BREACH_SECONDS = 1.5
BREACH_BYTES = 1 << 20
# A server that drips its headers keeps a thread for as long as it likes; it gets no more of them than these.
BREACH_THREADS = threading.BoundedSemaphore(8)
BREACH_LINE = re.compile(r"([0-9A-F]{35}):(\d+)", re.IGNORECASE)


class CompositionValidator:
    """Ask for kinds of characters. Off unless PASSWORD_COMPOSITION names some (PWD-02)."""

    def __init__(self, classes=()):
        self.classes = [CLASSES[name] for name in classes]

    def validate(self, password, user=None):
        """Raise ValidationError that names what is missing."""
        missing = [words for test, words in self.classes if not any(map(test, password))]
        if missing:
            raise ValidationError(
                _("Add to the password: %(missing)s") % {"missing": ", ".join(map(str, missing))},
                code="password_composition",
            )

    def get_help_text(self):
        if not self.classes:
            return ""
        return _("It must contain: %(classes)s.") % {
            "classes": ", ".join(str(words) for _test, words in self.classes)
        }


class BlocklistValidator:
    """Refuse what attackers try first: a listed password, alone or dressed up, and what needs no list (PWD-03).

    The list is ours and Django's, whose CommonPasswordValidator is not needed beside this.
    """

    def validate(self, password, user=None):
        """Raise ValidationError for a password that is listed, or made of runs or one short repeat."""
        text = password.casefold()
        if _is_listed(text) or _is_repeat(text) or _is_made_of_runs(text):
            raise ValidationError(
                _(
                    "That password is too common: it is on lists that attackers try first. "
                    "Choose another one."
                ),
                code="password_common",
            )

    def get_help_text(self):
        """Say nothing: nobody chooses better for having read it."""
        return ""


class ContextValidator:
    """Refuse what is made of our name, our address and the shopper's own details (PWD-04)."""

    def validate(self, password, user=None):
        """Take every such word away, the longest first; raise ValidationError if too little remains."""
        rest = password.casefold()
        for word in sorted(_site_words() | _own_words(user), key=lambda word: (-len(word), word)):
            rest = rest.replace(word, "")
        if len(rest) < ENOUGH:
            raise ValidationError(
                _(
                    "That password is mostly your own details or the name of this site. "
                    "Choose one that says nothing about either."
                ),
                code="password_context",
            )

    def get_help_text(self):
        """Say nothing: nobody chooses better for having read it."""
        return ""


class BreachedValidator:
    """Ask a server of breached passwords, by five characters of a hash. Off without its address (PWD-03).

    The server speaks the range interface of Have I Been Pwned. If it does not answer, the password is accepted
    and an event is recorded: a stranger's outage must not close our door.
    """

    def __init__(self, url=""):
        self.url = url

    def validate(self, password, user=None):
        """Raise ValidationError if the server knows `password`."""
        if not self.url:
            return
        digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()
        known = self.look_up(self.url + digest[:5])
        if known is None:
            audit.record("breach_check_failed", client=ClientInfo())
        elif digest[5:] in known:
            raise ValidationError(str(PasswordBreached.message), code="password_breached")

    def look_up(self, url):
        """The ends of the hashes that the server knows at `url`, or None when it does not answer in time."""
        return _ask_in_time(url)

    def get_help_text(self):
        """Say nothing: nobody can know it before."""
        return ""


@cache
def _listed() -> frozenset[str]:
    ours = COMMON.read_text(encoding="utf-8").split("\n")
    return frozenset(ours) | CommonPasswordValidator().passwords


def _is_listed(text: str) -> bool:
    cores = (core for core in _cores(text) if len(core) >= CORE)
    return text in _listed() or any(core in _listed() for core in cores)


def _cores(text: str) -> Iterator[str]:
    """Leave out fewer than ENOUGH of the digits and signs at both ends, in every way."""
    head, tail = (
        next((at for at, letter in enumerate(way) if letter.isalpha()), len(text))
        for way in (text, text[::-1])
    )
    for start in range(min(head + 1, ENOUGH)):
        for end in range(min(tail + 1, ENOUGH - start)):
            yield text[start : len(text) - end]


def _is_repeat(text: str) -> bool:
    # Beyond ASCII four characters say more than four keys: three emoji, again and again, are on nobody's list.
    longest = 4 if text.isascii() else 1
    return any(text == (text[:size] * len(text))[: len(text)] for size in range(1, longest + 1))


def _is_made_of_runs(text: str) -> bool:
    """Whether `text` falls into runs along TRACKS, or of one character, of three characters on average."""
    runs, run = 0, ""
    for letter in text:
        longer = run + letter
        if run and (longer in RUNS or longer == letter * len(longer)):
            run = longer
        else:
            run = letter
            runs += 1
    return runs * 3 <= len(text)


def _site_words() -> set[str]:
    return _words("storefront", settings.SITE_NAME, urlsplit(settings.SITE_URL).hostname or "")


def _own_words(user: object) -> set[str]:
    names = ("username", "name", "email")
    texts = [str(getattr(user, name, None) or "") for name in names]
    digits = re.sub(r"\D", "", str(getattr(user, "phone", None) or ""))
    return _words(*texts, texts[-1].partition("@")[0], digits, digits[-8:])


def _words(*texts: str) -> set[str]:
    """Each text whole, its runs of letters and digits, of letters, and of digits; none shorter than three."""
    found = {text.casefold() for text in texts}
    for text in list(found):
        found.update(re.findall(r"[^\W_]+", text), re.findall(r"[^\W\d_]+|\d+", text))
    return {word for word in found if len(word) >= 3}  # noqa: PLR2004


def _ask_in_time(url: str) -> set[str] | None:
    """Fetch the hashes from `url`, in a thread: no time-out of a socket bounds a look-up of names or a slow drip."""
    if not BREACH_THREADS.acquire(blocking=False):
        return None
    known: list[set[str]] = []
    thread = threading.Thread(target=_ask, args=(url, known), daemon=True)
    thread.start()
    thread.join(BREACH_SECONDS)
    return known[0] if known else None


def _ask(url: str, known: list[set[str]]) -> None:
    try:
        known.append(_hashes(_fetched(url)))
    except (OSError, ValueError, HTTPError):  # requests' own are OSErrors
        return  # the caller finds nothing, and says so
    finally:
        BREACH_THREADS.release()


def _fetched(url: str) -> str:
    # Padding hides from the network how many hashes came back; identity, that nothing swells when unpacked.
    headers = {"Add-Padding": "true", "Accept-Encoding": "identity"}
    until = time.monotonic() + BREACH_SECONDS
    with requests.get(
        url, headers=headers, timeout=BREACH_SECONDS, allow_redirects=False, stream=True
    ) as response:
        if response.status_code != requests.codes.ok:
            raise ValueError("no answer")
        body = b""
        while part := response.raw.read1(1 << 16):
            body += part
            if len(body) > BREACH_BYTES or time.monotonic() > until:
                raise ValueError("too much, or too slow")
    return body.decode("ascii")


def _hashes(body: str) -> set[str]:
    """Read "SUFFIX:COUNT" lines; those counted 0 are padding. Raises ValueError for any other answer."""
    lines = [BREACH_LINE.fullmatch(line) for line in body.split()]
    if not lines or None in lines:
        raise ValueError("no list of hashes")
    return {line[1].upper() for line in lines if line and int(line[2])}
