"""docs/SECURITY_CHECKLIST.md: of each line what holds it."""

import csv
from dataclasses import dataclass

from django.conf import settings

from api.papers.page import fill, table

CONTRACT = "tests/api/test_contract.py::test_a_row_of_the_contract_holds"


@dataclass(frozen=True)
class Line:
    """What is to be true, the requirements that say so, and the tests that hold it."""

    what: str
    requirements: tuple[str, ...]
    tests: tuple[str, ...]


# The ten lines of design 000, and the rows of the contract that are them.
OF_THE_DESIGN = {
    "Register with an email address: 201": "an address",
    "Register with a mobile number: 201": "a number",
    "Both at once: 400": "both",
    "Neither of them: 400": "neither",
    "An address that is taken: 400": "an address that is taken",
    "Two passwords that differ: 400": "two passwords",
    "The right code: 200 and tokens": "the right code",
    "A wrong code: 400, in words for people": "a code that is wrong",
    "A code that is too old: 400, in words for people": "a code that is too old",
    "Send again: 200": "again",
}


def _line(what: str, requirements: str, *tests: str) -> Line:
    return Line(what, tuple(filter(None, requirements.split(", "))), tests)


API, ACCOUNTS = "tests/api/", "tests/accounts/"
LINES = [
    # Codes
    _line(
        "A code is in no table and no log, and is compared in constant time",
        "COD-02, COD-03, COD-12",
        f"{ACCOUNTS}test_codes.py::test_an_attempt_keeps_its_seed_and_never_its_code",
        f"{ACCOUNTS}test_codes.py::test_no_secret_is_compared_in_a_way_that_leaks_time",
    ),
    _line(
        "Of any number of guesses at once exactly five are looked at, and a right code works once",
        "COD-05, COD-06",
        f"{ACCOUNTS}test_races.py::test_of_a_hundred_guesses_at_once_five_are_looked_at",
        f"{ACCOUNTS}test_races.py::test_fifty_right_codes_at_once_make_one_user",
    ),
    _line(
        "Nothing exists before an address is verified, and what a stranger typed never reaches its owner",
        "REG-01, REG-02, REG-08",
        f"{ACCOUNTS}test_prehijacking.py::test_classic_merge",
        f"{API}test_doors.py::test_a_browser_that_opens_the_link_of_a_program_finds_the_page_with_the_button",
    ),
    # Strangers
    _line(
        "A stranger cannot tell who has an account: the same bytes, statements and hashes",
        "ENU-01, ENU-02, ENU-03, ENU-06",
        f"{API}test_sameness.py::test_a_stranger_cannot_tell_who_has_an_account",
        f"{API}test_sameness.py::test_where_it_is_private_nobody_learns_who_has_registered",
    ),
    _line(
        "Limits are exact under parallel requests, and the same for names that nobody has",
        "LIM-05, LIM-07, LIM-09, ENU-05",
        f"{ACCOUNTS}test_races.py::test_a_limit_lets_exactly_as_many_in_as_it_says",
        f"{API}test_sameness.py::test_the_password_s_way_closes_for_names_of_nobody_s_like_for_any_other",
    ),
    _line(
        "Five wrong passwords close the password's way for half an hour; no stranger locks a known device out",
        "LIM-01, LIM-04",
        f"{API}test_sessions.py::test_strangers_do_not_lock_out_an_app_that_the_account_trusts",
    ),
    # Input
    _line(
        "Whatever a field holds, nothing is a fault of ours, and a body that is too large is refused unread",
        "IDN-08, IDN-09",
        f"{API}test_doors.py::test_whatever_a_field_holds_nothing_is_a_fault_of_ours",
        f"{API}test_doors.py::test_a_body_that_nobody_can_read_is_told_so",
        f"{API}test_foreign_clients.py::test_a_call_keeps_to_its_document_whatever_is_sent",
    ),
    _line(
        "Passwords that attackers try first are refused, and a password is stored as Argon2id alone",
        "PWD-01, PWD-03, PWD-05",
        f"{ACCOUNTS}test_password_rules.py::test_the_list_is_long_enough_and_nothing_in_it_too_short",
    ),
    # Tokens
    _line(
        "An access token is verified by algorithm, key, type, issuer, audience and time (RFC 8725, RFC 9068)",
        "",
        f"{API}test_tokens.py::test_an_access_token_with_another_header_is_refused",
        f"{API}test_tokens.py::test_an_access_token_with_another_claim_is_refused",
        f"{API}test_tokens.py::test_the_public_key_signs_nothing",
        f"{API}test_tokens.py::test_a_refresh_token_is_no_access_token_nor_the_other_way_round",
    ),
    _line(
        "A refresh token works once; a copy that is used ends the sign-in, and its owner is told (RFC 9700 4.14.2)",
        "",
        f"{API}test_sessions.py::test_an_old_token_ends_the_family_and_its_owner_hears_of_it",
        f"{API}test_refresh_races.py::test_fifty_refreshes_with_one_token_get_one_answer",
    ),
    _line(
        "No token is stored, and none stands in a log",
        "SES-05, LOG-03",
        f"{API}test_sessions.py::test_nothing_that_opens_anything_is_stored",
        f"{API}test_tokens.py::test_no_line_of_the_log_has_a_token_in_it",
    ),
    _line(
        "Signing out, a new password, “this was not me”, staff and deletion end apps at once",
        "SES-05, SES-06, REC-06",
        f"{API}test_endings.py::test_what_ends_browsers_ends_apps",
        f"{API}test_sessions.py::test_an_app_that_signs_out_is_signed_out_everywhere",
    ),
    _line(
        "Keys turn in two steps, and no token dies",
        "KEY-01",
        f"{API}test_tokens.py::test_a_new_key_is_brought_in_by_two_restarts_and_no_token_dies",
    ),
    _line(
        "Staff get no tokens",
        "ADM-04",
        f"{API}test_sessions.py::test_staff_get_no_tokens",
    ),
    # The net
    _line(
        "No cookie opens anything under /api/ and none is set; a token opens no page",
        "WEB-01",
        f"{API}test_doors.py::test_a_cookie_opens_nothing_and_needs_no_token_of_a_form",
        f"{API}test_sessions.py::test_no_cookie_opens_the_session_of_an_app",
    ),
    _line(
        "Answers stay out of caches",
        "SES-08",
        f"{API}test_doors.py::test_every_answer_stays_out_of_caches_and_sets_no_cookie",
    ),
    _line(
        "Pages of other origins may ask only when they are named, and bring no cookie",
        "",
        f"{API}test_doors.py::test_pages_of_other_origins_may_ask_and_bring_no_cookie",
    ),
    _line(
        "A fault of ours tells nothing of the inside",
        "LOG-05",
        f"{API}test_doors.py::test_a_fault_of_ours_is_told_in_the_words_of_the_design",
    ),
    _line(
        "A site with weak keys or numbers does not start",
        "COD-03",
        "tests/project/test_checks.py::test_an_unsafe_site_does_not_start_and_says_why",
    ),
]


def make() -> str:
    """The page."""
    sentences = _sentences()
    design = [[what, f"“{row}”"] for what, row in OF_THE_DESIGN.items()]
    security = [
        [
            line.what,
            ", ".join(line.requirements),
            ", ".join(
                f"`{name.partition('::')[2]}` in `{name.partition('::')[0]}`" for name in line.tests
            ),
        ]
        for line in LINES
    ]
    named = sorted({name for line in LINES for name in line.requirements})
    return fill(
        "security_checklist.md",
        design=table(["line", "row of the contract"], design),
        security=table(["line", "requirement", "test"], security),
        requirements=table(
            ["requirement", "what it says"], [[f"{name}", sentences[name]] for name in named]
        ),
    )


def _sentences() -> dict[str, str]:
    """What each requirement says."""
    with (settings.BASE_DIR / "docs" / "requirements.csv").open() as rows:
        return {row[0]: row[1].replace("*", "") for row in csv.reader(rows)}
