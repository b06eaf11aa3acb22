"""What characters are, where Unicode's properties decide: the dashes, what nobody sees, what turns the text around."""

import unicodedata
from bisect import bisect_right
from itertools import groupby

# Default_Ignorable_Code_Point, which the unicodedata module does not have: first and last of each range
# (https://www.unicode.org/Public/14.0.0/ucd/DerivedCoreProperties.txt, the version of Python 3.11; the same in 16.0.0).
DEFAULT_IGNORABLE = (
    (0x00AD, 0x00AD), (0x034F, 0x034F), (0x061C, 0x061C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F),
    (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
)  # fmt: skip
FIRSTS = [first for first, _last in DEFAULT_IGNORABLE]
# Property Dash (https://www.unicode.org/Public/14.0.0/ucd/PropList.txt) beyond the general category Pd; and the long
# vowel sign, which Japanese keyboards write for a dash between digits.
OTHER_DASHES = frozenset("\u2053\u207b\u208b\u2212\u30fc")
# A pattern of Braille without a dot: a symbol by its category, and nothing to see.
BLANK = "\u2800"
# What opens a run of embedded or isolated text, and what closes it (UAX 9).
EMBEDDINGS, ISOLATES = frozenset("\u202a\u202b\u202d\u202e"), frozenset("\u2066\u2067\u2068")
END_EMBEDDING, FIRST_STRONG_ISOLATE, END_ISOLATE = "\u202c", "\u2068", "\u2069"
# Classes of letters, digits and controls that move what stands beside them.
TURNING = frozenset("R AL AN LRE RLE LRO RLO PDF LRI RLI FSI PDI".split())
# Marks on one letter: the languages of the world take four, and a spelling out of scholars' letters some more.
MOST_MARKS = 8


def is_invisible(letter: str) -> bool:
    """Whether nobody sees `letter`: it is default-ignorable, or only shapes its neighbours."""
    if letter.isascii():
        return False
    at = bisect_right(FIRSTS, ord(letter)) - 1
    ignorable = at >= 0 and ord(letter) <= DEFAULT_IGNORABLE[at][1]
    return ignorable or unicodedata.category(letter) == "Cf"


def without_invisible(text: str) -> str:
    """Drop what nobody sees."""
    return text if text.isascii() else "".join(each for each in text if not is_invisible(each))


def trimmed(text: str) -> str:
    """Drop white space, and what nobody sees, from both ends and nowhere else."""
    start, end = 0, len(text)
    while start < end and _is_empty(text[start]):
        start += 1
    while end > start and _is_empty(text[end - 1]):
        end -= 1
    return text[start:end]


def plain_number(text: str) -> str:
    """Read digits and dashes of any script as ASCII, without what nobody sees."""
    if text.isascii():
        return text
    return "".join(map(_plain, without_invisible(text)))


def has_visible(text: str) -> bool:
    """Whether there is a letter, digit, sign or symbol that somebody sees."""
    return any(map(_is_visible, text))


def is_noncharacter(letter: str) -> bool:
    """Whether `letter` is one of the 66 code points that are no characters and never will be."""
    code = ord(letter)
    return 0xFDD0 <= code <= 0xFDEF or code & 0xFFFE == 0xFFFE  # noqa: PLR2004


def has_tall_stack(text: str) -> bool:
    """Whether a letter has more than MOST_MARKS marks above and below it, which run into the lines around."""
    marks = (
        unicodedata.category(each) in ("Mn", "Me") for each in unicodedata.normalize("NFD", text)
    )
    return any(is_mark and sum(1 for _each in run) > MOST_MARKS for is_mark, run in groupby(marks))


def is_balanced(text: str) -> bool:
    """Whether every control of the direction of text is closed in it, and none is closed that it did not open."""
    opened: list[str] = []
    for each in text:
        if each in EMBEDDINGS:
            opened.append(END_EMBEDDING)
        elif each in ISOLATES:
            opened.append(END_ISOLATE)
        elif each in (END_EMBEDDING, END_ISOLATE) and (not opened or opened.pop() != each):
            return False
    return not opened


def isolated(text: str) -> str:
    """The text in isolates if any of it runs from right to left: what stands beside it keeps its place (UAX 9)."""
    if text.isascii() or all(unicodedata.bidirectional(each) not in TURNING for each in text):
        return text
    return f"{FIRST_STRONG_ISOLATE}{text}{END_ISOLATE}"


def opaque(password: str) -> str:
    """The one spelling of a password: NFC, with ASCII spaces (OpaqueString of RFC 8265, as NIST 800-63B advises).

    So that it opens on every keyboard: whether "é" comes as one character or two is the machine's choice.
    """
    if password.isascii():
        return password
    spaced = "".join(" " if unicodedata.category(each) == "Zs" else each for each in password)
    return unicodedata.normalize("NFC", spaced)


def _is_visible(letter: str) -> bool:
    category = unicodedata.category(letter)
    # What is not assigned yet may be a letter of a Unicode that is younger than Python's.
    may_be_seen = category[0] in "LNPS" or (category == "Cn" and not is_noncharacter(letter))
    return may_be_seen and letter != BLANK and not is_invisible(letter)


def _is_empty(letter: str) -> bool:
    return letter.isspace() or is_invisible(letter)


def _plain(letter: str) -> str:
    if unicodedata.category(letter) == "Pd" or letter in OTHER_DASHES:
        return "-"
    value = unicodedata.decimal(letter, None)
    return letter if value is None else str(value)
