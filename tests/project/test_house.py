"""The house itself: what is built is fresh, what is promised of the pages holds for all of them."""

import re
import subprocess
from pathlib import Path

from django.apps import apps
from django.db import models

from storefront import BASE_DIR

OURS = (
    "accounts",
    "api",
    "asyncdb",
    "backoffice",
    "demo",
    "jobs",
    "messaging",
    "ratelimits",
    "storefront",
)
SOURCES = [
    *(path for app in OURS for path in (BASE_DIR / app).rglob("*.py")),
]
TEMPLATES = list((BASE_DIR / "templates").rglob("*.html"))
# Mail programs know no stylesheet of ours: the frame of all emails brings one style block.
EMAIL_FRAME = BASE_DIR / "templates" / "messaging" / "_email.html"
INLINE = re.compile(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|hx-on|\bjs:|javascript:")


def test_the_stylesheet_is_built_from_what_is_there():
    built = subprocess.run(
        [BASE_DIR / "script" / "css", "--check"], capture_output=True, text=True, check=False
    )

    assert built.returncode == 0, built.stdout + built.stderr


def test_no_template_brings_script_or_style_of_its_own():  # ux 74, WEB-06
    guilty = {
        path.name: INLINE.findall(path.read_text()) for path in TEMPLATES if path != EMAIL_FRAME
    }

    assert not any(guilty.values()), guilty


def test_no_template_asks_for_anything_by_itself_but_one_line():  # WEB-07, WEB-09, ux 74
    asks = re.compile(r"hx-(?:get|delete|vals)")

    found = {path.name: asks.findall(path.read_text()) for path in TEMPLATES}

    # What became of the message.
    assert {name: each for name, each in found.items() if each} == {"_delivery.html": ["hx-get"]}


def test_the_frame_of_emails_brings_one_style_block_and_nothing_else():  # ux 79, WEB-06
    assert INLINE.findall(EMAIL_FRAME.read_text()) == ["<style"]


def test_the_styles_read_from_either_side():  # ux 78
    sided = re.compile(
        r"\b(?:margin|padding|border|inset)-(?:left|right)\b|\bfloat:|text-align:\s*(?:left|right)"
    )

    assert not sided.findall(Path(BASE_DIR / "assets" / "app.css").read_text())


READS = re.compile(r"""(?:\benv\.\w+|\b_seconds|os\.environ\.get)\(\s*["']([A-Z][A-Z_]+)["']""")
# For tests, for one machine, or told to Django by whoever runs it or is it; nobody sets them for a shop.
NOT_FOR_SHOPS = {"ALLOW_WEAK_CODES", "CONN_MAX_AGE", "ENV_FILE", "IS_WEB", "MAILBOX"}


def test_every_variable_is_in_the_example_and_no_other():  # promises 1.25, 2.12
    read = {name for path in SOURCES for name in READS.findall(path.read_text())}
    named = set(re.findall(r"(?m)^(?:# )?([A-Z_]+)=", (BASE_DIR / ".env.example").read_text()))

    # The Procfile reads it.
    assert named - {"WORKER_CONCURRENCY"} == read - NOT_FOR_SHOPS


def test_no_test_module_imports_from_another():
    imports = re.compile(r"(?m)^\s*from tests[.\w]*\.test_\w+ import|^\s*import tests[.\w]*\.test_")
    tests = (BASE_DIR / "tests").rglob("*.py")

    assert not [path.name for path in tests if imports.search(path.read_text())]


def test_nothing_of_ours_hops_between_threads_and_loops():  # promise 0.16
    assert not [path for path in SOURCES if "sync_to_async" in path.read_text()]


def test_words_that_are_sent_stand_in_files_and_in_no_table():  # ADM-08
    texts = {
        f"{model._meta.model_name}.{field.name}"
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, models.TextField)
    }

    assert texts == {
        "bucket.hits",
        "logentry.change_message",
        "logentry.object_id",
        "session.session_data",
    }
