"""The papers: every command in them can be run, every path in them is there, and the list of requirements is fresh."""

import os
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from accounts import conf
from messaging.providers import BACKENDS

ROOT = Path(__file__).resolve().parents[2]
PAPERS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "DECISIONS.md")),
    *(path for path in sorted((ROOT / "docs").glob("*.md")) if path.name != "requirements.md"),
]
# Programs of the machine that a reader needs besides ours.
PROGRAMS = {"curl"}
# What a run makes, and what readers call their own files.
MADE = ("var/", ".venv/", "production.env")
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
PATH = re.compile(r"[\w.-]+(/[\w.-]+)*/?")
VARIABLE = re.compile(r"[A-Z][A-Z_]{4,}")
ROOMS = {path.name for path in ROOT.iterdir() if path.is_dir()}
SUFFIXES = {".py", ".md", ".toml", ".txt", ".css", ".csv", ".env", ".yaml"}


def commands(text):
    """Every command a paper tells to run, as words, without the variables before it."""
    lines = [line for block in BLOCK.findall(text) for line in block.splitlines()]
    spans = [
        span for span in CODE.findall(text) if span.removeprefix("ENV_FILE=").startswith("script/")
    ]
    for line in [*lines, *spans]:
        words = shlex.split(line)
        while "=" in words[0]:
            words.pop(0)
        yield words


ALL_COMMANDS = sorted({tuple(words) for paper in PAPERS for words in commands(paper.read_text())})


def test_the_papers_have_commands():
    said = {" ".join(words) for words in ALL_COMMANDS}
    assert {"script/server", "script/test", "script/stack 8000"} <= said


@pytest.mark.parametrize("words", ALL_COMMANDS, ids=" ".join)
def test_a_command_of_the_papers_is_there_and_takes_these_words(words):
    program, *arguments = words
    if program in PROGRAMS:
        return
    if program == ".venv/bin/python":
        assert (ROOT / arguments[1].replace(".", "/")).with_suffix(".py").is_file()
        return
    script = ROOT / program
    assert os.access(script, os.X_OK), f"{program} cannot be run"
    if program == "script/manage":
        _parse(*arguments)
    elif program == "script/test":
        _collects(script, arguments)
    elif program == "script/seed":
        _parse("seed", *arguments)
    else:
        missing = [
            word for word in arguments if word.startswith("-") and word not in script.read_text()
        ]
        assert not missing


def _parse(*arguments):
    """Read the words as manage.py would, and go no further."""
    if not arguments:
        return
    name, *rest = arguments
    app = get_commands()[name]
    parser = load_command_class(app, name).create_parser("manage.py", name)
    parser.parse_args(rest)


def _collects(script, arguments):
    """A flag of script/test itself, else paths that are there and flags that pytest knows."""
    own = [word for word in arguments if f"    {word}) " in script.read_text()]
    for word in arguments:
        if word.startswith("-") and word not in own:
            assert re.search(rf"(?<!\S){re.escape(word)}\b", _flags_of_pytest()), word
        if word.startswith("tests/"):
            assert (ROOT / word).exists(), word


@cache
def _flags_of_pytest():
    """What pytest and its plugins say of themselves, those of tests/scale included."""
    command = [sys.executable, "-m", "pytest", "tests/scale", "--help", "-p", "no:cacheprovider"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    "words", [words for words in ALL_COMMANDS if words[0].startswith("script/")], ids=" ".join
)
def test_a_script_of_the_papers_can_be_read_by_its_shell(words):
    script = ROOT / words[0]
    if "bash" in script.open().readline():
        subprocess.run(["bash", "-n", script], check=True)
    else:
        compile(script.read_text(), str(script), "exec")


def paths(paper):
    """What a paper names that looks like a path, and where it would be."""
    text = paper.read_text()
    for target in LINK.findall(text):
        if "://" not in target and not target.startswith("#"):
            yield target, paper.parent / target.partition("#")[0]
    for span in CODE.findall(text):
        for word in span.split():
            named = word.rstrip(",;:")
            if PATH.fullmatch(named) and _is_path(named):
                yield named, ROOT / named


def _is_path(named):
    if named.startswith(MADE):
        return False
    return named.split("/")[0] in ROOMS if "/" in named else Path(named).suffix in SUFFIXES


@pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: paper.name)
def test_every_path_in_the_papers_is_there(paper):
    missing = [named for named, path in paths(paper) if not path.exists()]
    assert not missing


@pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: paper.name)
def test_every_variable_in_the_papers_is_in_the_example(paper):
    example = (ROOT / ".env.example").read_text()
    not_of_the_site = {"ENV_FILE"}
    named = {span for span in CODE.findall(paper.read_text()) if VARIABLE.fullmatch(span)}
    assert not {
        name
        for name in named - not_of_the_site
        if not re.search(rf"^(?:# )?{name}=", example, re.MULTILINE)
    }


def test_the_readme_is_one_screen():
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len(lines) <= 70


def test_the_papers_name_every_provider():
    operations = (ROOT / "docs" / "operations.md").read_text().replace(" ", "").lower()
    assert not {name for name in BACKENDS if name.replace("_", "") not in operations}


def test_the_papers_tell_the_numbers_of_the_shop():
    operations = (ROOT / "docs" / "operations.md").read_text()
    assert f"{conf.EVENTS_KEPT.days} days" in operations
    assert f"{conf.CHALLENGES_KEPT.days} days" in operations
    assert f"{conf.DELETION_GRACE.days} days" in operations


def test_the_list_of_requirements_is_fresh_and_knows_every_name():
    found = subprocess.run(
        [sys.executable, ROOT / "script" / "conformance", "--check"], capture_output=True, text=True
    )
    assert found.returncode == 0, found.stderr
