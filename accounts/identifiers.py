"""What a person types to say who they are, turned into the one canonical Identifier."""

import re
import unicodedata
from dataclasses import dataclass
from os.path import commonprefix
from urllib.parse import unquote

import idna
import phonenumbers
from django.conf import settings
from django.utils.crypto import salted_hmac
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from email_validator import EmailNotValidError, validate_email

from accounts import characters, conf

EMAIL, PHONE, USERNAME = "email", "phone", "username"

# Phones on which one person reads a text we can afford (IDN-05); numbers in some countries cannot be told apart.
MOBILE = {
    phonenumbers.PhoneNumberType.MOBILE,
    phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE,
}
NOT_MOBILE = {
    phonenumbers.PhoneNumberType.PREMIUM_RATE: _(
        "We do not text premium-rate numbers. Enter a mobile number."
    ),
    phonenumbers.PhoneNumberType.FIXED_LINE: _(
        "That is a landline, which cannot receive texts. Enter a mobile number."
    ),
}
MAIL_DOMAINS = (
    "gmail.com googlemail.com outlook.com hotmail.com live.com msn.com yahoo.com ymail.com icloud.com me.com "
    "mac.com aol.com proton.me protonmail.com gmx.com gmx.de gmx.net web.de mail.com fastmail.com zoho.com "
    "hotmail.co.uk hotmail.fr yahoo.co.uk yahoo.co.in yahoo.fr outlook.fr orange.fr free.fr laposte.net "
    "t-online.de libero.it comcast.net verizon.net btinternet.com naver.com qq.com 163.com yandex.com"
).split()
# One letter from those, and mail services of their own.
REAL_DOMAINS = frozenset("email.com my.com".split())
# Names shorter than this are one letter from others that exist, all of them.
SHORTEST_NAME = 5
# Two names of one mail service, for counting.
SAME_DOMAINS = {"googlemail.com": "gmail.com"}
MAILTO = "mailto:"
ARGENTINA, MEXICO = 54, 52
# ASCII, 64 at most (RFC 5321 4.5.3.1.1), no leading dash: some mail programs read it as an option.
LOCAL_PART = re.compile(r"[!-,.-~][!-~]{0,63}")
USERNAME_SHAPE = re.compile(r"[a-z0-9][a-z0-9._-]{2,31}")
# As they are compared: without dots, dashes and underscores.
RESERVED_USERNAMES = frozenset(
    "about abuse account accounts admin administrator api billing contact help home info login logout mailbox "
    "mail mailerdaemon me moderator noreply null official owner postmaster register root sales security shop "
    "signup staff store storefront support system team undefined user username webmaster www".split()
)


class InvalidIdentifier(ValueError):
    """What was typed is no identifier; the text says what to type instead."""

    code = "unreadable"


class NotTexted(InvalidIdentifier):
    """A number that exists and is not for texts of ours: its kind or its country (IDN-05)."""

    code = "not_texted"

    def __init__(self, text: str | Promise, number: "Identifier") -> None:
        super().__init__(text)
        self.number = number


@dataclass(frozen=True, slots=True)
class Identifier:
    """An email address or mobile number that cannot be wrong any more; at sign-in also a username.

    `key` is what is compared, counted and kept unique; `address` is where messages go.
    """

    kind: str
    key: str
    address: str

    @property
    def mailbox(self) -> str:
        """The key for counting messages: tags and dots in an email reach the same person."""
        if self.kind == PHONE:
            return self.key
        local, _at, domain = self.key.partition("@")
        return f"{local.partition('+')[0].replace('.', '')}@{SAME_DOMAINS.get(domain, domain)}"

    @property
    def masked(self) -> str:
        """The address as shown anywhere but in the browser that typed it."""
        if self.kind == PHONE:
            return f"{self.address[:3]}•••{self.address[-2:]}"
        local, _at, domain = self.address.partition("@")
        return f"{local[0]}•••@{domain}"

    @property
    def country(self) -> str:
        """The country of a number, as two letters; "" for numbers of no country, and for everything else."""
        if self.kind != PHONE:
            return ""
        try:
            region = phonenumbers.region_code_for_number(phonenumbers.parse(self.key)) or ""
        except phonenumbers.NumberParseException:
            # A row that somebody tampered with: what it leads to is still written down.
            return ""
        return region if region.isalpha() else ""

    @property
    def prefix(self) -> str:
        """The first eight digits of a mobile number: what adjacent numbers have in common (ABU-02)."""
        return self.key[:9]

    @classmethod
    def username(cls, name: str) -> "Identifier":
        """A name to sign in with; no message goes there."""
        return cls(kind=USERNAME, key=name, address="")


def parse(text: str) -> Identifier:
    """Read an email address or mobile number. Raises InvalidIdentifier."""
    return parse_email(text) if "@" in text or "\uff20" in text else parse_phone(text)


def parse_email(text: str) -> Identifier:
    """Read an email address: trimmed, ASCII, the domain as A-labels (IDN-01, IDN-03, IDN-10).

    Raises InvalidIdentifier.
    """
    local, _at, domain = _pasted_address(text).replace("\uff20", "@").rpartition("@")
    local = characters.without_invisible(local)
    try:
        domain = _a_labels(domain)
        if not LOCAL_PART.fullmatch(local) or "=?" in local:
            raise InvalidIdentifier
        validate_email(
            # For what it asks of any name: it refuses joiners in domains where IDNA allows them.
            f"{local}@{domain.replace('xn--', 'xn-')}",
            check_deliverability=False,
            allow_smtputf8=False,
            allow_quoted_local=False,
            allow_domain_literal=False,
        )
        address = f"{local}@{domain}"
        if len(address) > conf.EMAIL_MAX:
            raise InvalidIdentifier
    except (EmailNotValidError, UnicodeError, InvalidIdentifier):
        raise InvalidIdentifier(
            _("Enter an email address in the correct format, like name@example.com")
        ) from None
    # One documented fold: every mailbox of note ignores case, so ours does too.
    return Identifier(kind=EMAIL, key=address.lower(), address=address)


def parse_phone(text: str) -> Identifier:
    """Read a mobile number into E.164, digits of any script (IDN-04, IDN-05, ux 15, 22). Raises InvalidIdentifier."""
    number = _dialled(text)
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    found = Identifier(kind=PHONE, key=e164, address=e164)
    kind, country = phonenumbers.number_type(number), found.country
    if _lacks_the_nine(number):
        hint = _(
            "Only numbers of Argentina with a 9 after +54 receive texts. Enter yours like +54 9 11 2345 6789."
        )
        raise NotTexted(hint, found)
    if kind not in MOBILE or not country:
        other = _("That number cannot receive our texts. Enter a mobile number.")
        raise NotTexted(NOT_MOBILE.get(kind, other), found)
    if conf.PHONE_COUNTRIES and country not in conf.PHONE_COUNTRIES:
        other = _("We do not send texts to that country yet. Use your email address.")
        raise NotTexted(other, found)
    return found


def normalize_username(text: str) -> str:
    """The one canonical spelling of a username, reserved ones included (IDN-06). Raises InvalidIdentifier."""
    name = unicodedata.normalize("NFKC", text).casefold()
    if not USERNAME_SHAPE.fullmatch(name):
        raise InvalidIdentifier(
            _(
                "A username has 3 to 32 characters: letters a to z, digits, dots, dashes, underscores"
            )
        )
    return name


def parse_username(text: str) -> str:
    """Read the username that a shopper chose, in its canonical spelling (IDN-06). Raises InvalidIdentifier."""
    name = normalize_username(text)
    bare = re.sub(r"[._-]", "", name)
    if bare.isdecimal():
        raise InvalidIdentifier(
            _("A username needs at least one letter, so that it cannot be mistaken for a number")
        )
    if bare in RESERVED_USERNAMES:
        raise InvalidIdentifier(_("That username is reserved. Choose another one."))
    return name


def parse_sign_in_name(text: str) -> Identifier:
    """Read what somebody types to sign in: of one kind only, by its looks (IDN-07). Never raises.

    What cannot be read is a username that nobody has: it costs and answers the same (ENU-01).
    """
    try:
        return parse(text)
    except InvalidIdentifier:
        name = unicodedata.normalize("NFKC", _visible(text)).casefold()
        # What looks like an address or a number is never looked up as a username.
        return Identifier.username(
            f"?{name}" if re.search(r"@|^[+(\d]?[\d\s().\-/]*$", name) else name
        )


def suggest_address(text: str) -> str:
    """Guess the address that a mistyped one was meant to be, or "" (ux 19)."""
    local, at, domain = _visible(text).rpartition("@")
    domain = domain.lower()
    if not at or domain in MAIL_DOMAINS or domain in REAL_DOMAINS:
        return ""
    meant = next((known for known in MAIL_DOMAINS if _is_slip(domain, known)), "")
    return f"{local}@{meant}" if meant else ""


def fingerprint(text: str) -> str:
    """A keyed hash of an identifier, for rows that must recognise it but not hold it (ENU-05)."""
    return _keyed(text, settings.FINGERPRINT_KEYS[0])


def fingerprints(text: str) -> list[str]:
    """The same under each of FINGERPRINT_KEYS, to find rows by that were written under an older one (KEY-01)."""
    return [_keyed(text, key) for key in settings.FINGERPRINT_KEYS]


def _keyed(text: str, key: bytes) -> str:
    return salted_hmac("accounts.identifiers", text, secret=key, algorithm="sha256").hexdigest()[
        :40
    ]


def _is_slip(typed: str, meant: str) -> bool:
    """Whether one slip of the keys makes `typed` of `meant`, and `typed` is not as likely a domain of its own."""
    name, _dot, ending = typed.partition(".")
    meant_name, _dot, meant_ending = meant.partition(".")
    if name == meant_name and _is_of_a_country(ending) and _is_of_a_country(meant_ending):
        # The same service in another country.
        return False
    if name != meant_name and len(meant_name) < SHORTEST_NAME:
        return False
    return _is_one_slip(typed, meant)


def _is_of_a_country(ending: str) -> bool:
    country = ending.rpartition(".")[2].upper()
    return country in phonenumbers.SUPPORTED_REGIONS or country in ("UK", "EU")


def _is_one_slip(typed: str, meant: str) -> bool:
    """Whether one letter was added, left out, mistaken, or swapped with its neighbour."""
    start = len(commonprefix([typed, meant]))
    one, other = typed[start:], meant[start:]
    swapped = one[:2] == other[1::-1] and one[2:] == other[2:]
    return swapped or one[1:] == other[1:] or one[1:] == other or one == other[1:]


def _pasted_address(text: str) -> str:
    """The address in what was pasted: a link, in angle brackets, or with the sign that came after it."""
    text = characters.trimmed(text).rstrip(",;.")
    if text.startswith("<") and text.endswith(">"):
        text = text[1:-1]
    if text[: len(MAILTO)].lower() == MAILTO:
        text = unquote(text[len(MAILTO) :].partition("?")[0])
    return characters.trimmed(text)


def _a_labels(domain: str) -> str:
    """The domain as the network knows it; UTS 46 alone says what is the same (IDN-10). Raises IDNAError."""
    ascii_domain = idna.encode(domain, uts46=True).decode()
    labels = idna.decode(ascii_domain).split(".")
    if any(unicodedata.bidirectional(each) in ("R", "AL", "AN") for each in "".join(labels)):
        # Next to a label from right to left no other may move, which the library asks of each alone (RFC 5893 1.4).
        for label in labels:
            idna.check_bidi(label, check_ltr=True)
    return ascii_domain


def _dialled(text: str) -> phonenumbers.PhoneNumber:
    digits = characters.plain_number(unicodedata.normalize("NFKC", _visible(text)))
    digits = re.sub(r"^(tel|sms):", "", digits.strip(), flags=re.IGNORECASE)
    digits = re.sub(r"^00", "+", digits.strip().rstrip(",;."))
    # Letters would be read as an extension or a context: one mailbox with ten thousand spellings.
    if not re.fullmatch(r"\(?\+?[\d\s()\[\].\-~/]{5,40}", digits) or not any(
        map(str.isdigit, digits)
    ):
        raise InvalidIdentifier(
            _("Enter an email address or a mobile number, like name@example.com or +44 7400 123456")
        )
    if "+" not in digits and not conf.PHONE_REGION:
        raise InvalidIdentifier(
            _("Start the mobile number with + and the country code, like +44 7400 123456")
        )
    try:
        number = _in_todays_form(phonenumbers.parse(digits, conf.PHONE_REGION or None))
    except phonenumbers.NumberParseException:
        number = phonenumbers.PhoneNumber()
    if not phonenumbers.is_valid_number(number):
        raise InvalidIdentifier(_("That mobile number does not exist. Check it and try again."))
    return number


def _in_todays_form(number: phonenumbers.PhoneNumber) -> phonenumbers.PhoneNumber:
    """A mobile number of Mexico without the 1 that stood before its ten digits until 2020; any other as it is."""
    former = re.fullmatch(r"1(\d{10})", str(number.national_number))
    if number.country_code != MEXICO or not former:
        return number
    return phonenumbers.PhoneNumber(country_code=MEXICO, national_number=int(former[1]))


def _lacks_the_nine(number: phonenumbers.PhoneNumber) -> bool:
    """Whether a number of Argentina would be a mobile one with the 9 that those have after the country code."""
    mobile = phonenumbers.PhoneNumber(
        country_code=number.country_code, national_number=int(f"9{number.national_number}")
    )
    return number.country_code == ARGENTINA and phonenumbers.number_type(mobile) in MOBILE


def _visible(text: str) -> str:
    """Drop what nobody sees: white space around, and invisible characters wherever they are (ux 20)."""
    return characters.without_invisible(text).strip()
