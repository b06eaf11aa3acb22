"""Clients that nobody here wrote, with Node or packages of their own: script/test --clients installs and runs them."""

import shutil
import tempfile
from pathlib import Path

import pytest
from django.conf import settings

from api.dialects_v2 import EVERY_SPACE
from tests.browser.site import running
from tests.support.served import fetch

HERE = Path(__file__).parent
# Where script/test installs what package-lock.json and requirements.txt name.
INSTALLED = settings.BASE_DIR / "var" / "clients"


def pytest_collection_modifyitems(items):
    """Mark everything in this folder."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.clients)


@pytest.fixture(scope="session")
def installed():
    """The folder with node_modules and the venv."""
    if not (INSTALLED / "node_modules").is_dir():
        pytest.skip("needs Node and its packages: script/test --clients")
    return INSTALLED


@pytest.fixture(scope="session")
def shop(tmp_path_factory):
    """A shop that is served."""
    with running(tmp_path_factory.mktemp("shop")) as address:
        yield address


@pytest.fixture
def folder(installed):
    """An empty folder, from which Node finds the packages."""
    made = Path(tempfile.mkdtemp(dir=installed))
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="session")
def documents(shop):
    """The document of each space as it is served, by the space's prefix."""
    urls = {
        space.prefix: f"/{space.prefix.removesuffix('auth/')}openapi.json" for space in EVERY_SPACE
    }
    return {prefix: fetch(f"{shop}{url}") for prefix, url in urls.items()}
