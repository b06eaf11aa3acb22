"""What every test may ask for. Few things: people and their postbox."""

import shutil

import pytest
from django.conf import settings

from tests.support.people import FACES, Postbox, Shopper


@pytest.fixture(autouse=True)
def _empty_mailbox():
    shutil.rmtree(settings.MAILBOX_DIR, ignore_errors=True)


@pytest.fixture
def postbox(db):
    """Everything that was sent."""
    return Postbox()


@pytest.fixture
def ana(db):
    """A shopper with a plain browser."""
    return Shopper()


@pytest.fixture
def bea(db):
    """Another shopper, elsewhere."""
    return Shopper(ip="198.51.100.20")


@pytest.fixture(params=FACES)
def anyone(request, db):
    """A shopper with each of the three faces in turn."""
    return Shopper(request.param)
