"""Generated and published clients sign somebody up, and a linter of documents has nothing to say."""

import re
import shutil
import subprocess

import pytest
from django.conf import settings

from api.dialects_v2 import EVERY_SPACE
from api.papers.integration import SPACE
from api.papers.page import SHOP
from tests.clients.conftest import HERE

PAPER = (settings.BASE_DIR / "docs" / "FRONTEND_INTEGRATION.md").read_text()
# What the paper leaves to the page around it.
PAGE = """
const phone = "+1312555" + String(1000 + Math.floor(Math.random() * 9000));
async function askForCode(to%(text)s)%(promise)s {
  const headers = { Accept: "application/json" };
  const answer = await fetch(`%(shop)s/mailbox/?to=${encodeURIComponent(to)}`, { headers });
  return (await answer.json()).messages[0].text.match(/\\b\\d{6}\\b/)[0];
}
"""
TYPED = {"text": ": string", "promise": ": Promise<string>"}
PLAIN = {"text": "", "promise": ""}
TSC = "--strict --target es2022 --module esnext --moduleResolution bundler --skipLibCheck".split()
each_space = pytest.mark.parametrize("space", EVERY_SPACE, ids=lambda space: space.prefix)


def run(*words, cwd):
    """What a program says that ends well."""
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, (done.stdout[-3000:], done.stderr[-3000:])
    return done.stdout


def example(section, language, shop, page):
    """The code of a section of the paper, from its first line to its last, in the page it is written for."""
    part = next(
        each
        for each in re.split("^## ", PAPER, flags=re.MULTILINE)
        if each.startswith(f"{section}\n")
    )
    blocks = re.findall(rf"^```{language}\n(.*?)^```", part, re.MULTILINE | re.DOTALL)
    assert blocks
    return PAGE % {"shop": shop, **page} + "\n".join(blocks).replace(SHOP, shop)


@pytest.mark.parametrize("section", ["fetch", "axios"])
def test_an_example_of_the_paper_signs_up_and_in(section, shop, folder):  # promise 2.14
    (folder / "example.mjs").write_text(example(section, "js", shop, PLAIN))

    said = run("node", "example.mjs", cwd=folder)

    assert said.count("name: 'Ana Lopez'") == {"fetch": 2, "axios": 1}[section]


def test_the_typescript_of_the_paper_fits_the_document_and_signs_up(shop, folder, documents):
    programs = folder.parent / "node_modules" / ".bin"
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "openapi.json").write_text(documents[SPACE.prefix])
    (folder / "example.ts").write_text(example("TypeScript", "ts", shop, TYPED))

    run(programs / "openapi-typescript", "openapi.json", "-o", "schema.d.ts", cwd=folder)
    run(programs / "tsc", *TSC, "example.ts", cwd=folder)

    assert run("node", "example.js", cwd=folder).strip() == "Ana Lopez"


@each_space
def test_spectral_has_nothing_to_say(space, documents, folder):
    (folder / "openapi.json").write_text(documents[space.prefix])
    spectral = folder.parent / "node_modules" / ".bin" / "spectral"

    rules = ("--ruleset", HERE / "spectral.yaml", "--fail-severity", "warn")
    said = run(spectral, "lint", "openapi.json", *rules, cwd=folder)

    assert "No results" in said


@each_space
def test_a_client_of_python_can_be_generated(space, documents, folder):
    (folder / "openapi.json").write_text(documents[space.prefix])
    generate(folder)

    python = folder.parent / "venv" / "bin" / "python"
    run(python, "-W", "error", "-m", "compileall", "-q", "shop", cwd=folder)


@pytest.mark.parametrize(
    ("prefix", "tag"), [("api/v1/auth/", "authentication"), ("api/v2/auth/", "authentication_v2")]
)
def test_a_generated_client_of_python_signs_up(shop, documents, folder, prefix, tag):
    (folder / "openapi.json").write_text(documents[prefix])
    generate(folder)
    # A program finds what lies beside it.
    shutil.copy(HERE / "sign_up.py", folder)

    python = folder.parent / "venv" / "bin" / "python"
    said = run(python, "sign_up.py", shop, "shop", tag, cwd=folder)

    assert said.count(".") == 2


def generate(folder):
    """Make a client of the document in the folder; a warning is a fault."""
    program = folder.parent / "venv" / "bin" / "openapi-python-client"
    words = ("generate", "--path", "openapi.json", "--meta", "none", "--output-path", "shop")
    run(program, *words, "--fail-on-warning", cwd=folder)
