"""The papers of the API: fresh, and every line in them that a reader would paste does what it says."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from django.conf import settings

from api import papers
from api.dialects_v2 import EVERY_SPACE
from api.doors.document import build
from api.papers.checklist import LINES, OF_THE_DESIGN
from api.papers.page import SHOP
from tests.browser.site import running
from tests.support.contract import ROWS

DOCS = settings.BASE_DIR / "docs"
SHELL = re.compile(r"^```bash\n(.*?)^```", re.MULTILINE | re.DOTALL)
# Whatever is refused stops the reader; and each call is written down.
STRICT = """\
set -euo pipefail
curl() {
    local word method=GET url=
    for word in "$@"; do
        case "$word" in
            http*) url=$word ;;
            -d) [ "$method" != GET ] || method=POST ;;
            PATCH | DELETE) method=$word ;;
        esac
    done
    echo "$method $url" >> "$CALLED"
    command curl --fail-with-body "$@"
}
"""


def test_the_papers_of_the_api_are_fresh():  # promise 2.14
    assert not papers.find_stale(DOCS), "run: manage.py api_docs"


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A shop that is served, with room for many sign-ups."""
    with running(tmp_path_factory.mktemp("shop")) as address:
        yield address


def blocks(paper, heading=""):
    """What a paper shows of the shell under the headings that begin so, from the first to the last."""
    parts = re.split(r"^## ", (DOCS / paper).read_text(), flags=re.MULTILINE)
    return [block for part in parts if part.startswith(heading) for block in SHELL.findall(part)]


def run(shop, folder, lines):
    """Paste the lines into a fresh shell, in a folder of its own; gives what was called."""
    called = Path(folder) / "called"
    called.touch()
    script = STRICT + "\n".join(lines).replace(SHOP, shop)
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "CALLED": str(called)}
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, (done.stdout[-2000:], done.stderr[-2000:])
    return {
        tuple(line.replace(shop, "").partition("?")[0].split())
        for line in called.read_text().splitlines()
    }


@pytest.mark.parametrize("space", EVERY_SPACE, ids=lambda space: space.prefix)
def test_every_example_of_a_space_can_be_pasted_into_a_fresh_shell(  # promise 2.14
    shop, tmp_path, space
):
    first = blocks("API_AUTH.md", "Two minutes")
    examples = blocks("API_AUTH.md", f"/{space.prefix}\n")
    assert len(first) == 1

    called = run(shop, tmp_path, [*first, *examples])

    documented = {
        (method.upper(), path)
        for path, operations in build(space)["paths"].items()
        for method in operations
    }
    assert not {call for call in documented if not _is_among(call, called)}


def _is_among(documented, called):
    """Whether a call was made, whatever stood for the names in its address."""
    method, path = documented
    pattern = re.compile(re.sub(r"{\w+}", "[^/]+", path))
    return any(method == asked and pattern.fullmatch(url) for asked, url in called)


def test_the_shell_of_the_other_paper_can_be_pasted_too(shop, tmp_path):  # promise 2.14
    first = blocks("API_AUTH.md", "Two minutes")
    (examples,) = blocks("FRONTEND_INTEGRATION.md", "cURL")

    called = run(shop, tmp_path, [*first, examples])

    assert {path.rstrip("/").rpartition("/")[2] for _method, path in called} >= {
        *("phone", "verify-otp", "complete", "me", "refresh", "logout")
    }


def test_the_lines_of_the_design_are_rows_of_the_contract():  # promises 0.20, 2.14
    assert {*OF_THE_DESIGN.values()} <= {row.name for row in ROWS if row.space == "v1"}


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.what)
def test_what_holds_a_line_of_the_checklist_is_there(line):  # promise 2.14
    requirements = (DOCS / "requirements.csv").read_text()
    assert line.tests
    for name in line.tests:
        path, _colons, test = name.partition("::")
        assert f"def {test}(" in (settings.BASE_DIR / path).read_text(), name
    for name in line.requirements:
        assert f"\n{name}," in requirements, name
