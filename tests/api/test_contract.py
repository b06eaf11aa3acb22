"""The contract of /api/v1/auth/ and /api/auth/, row by row (tests/support/contract.py), as design 000 lists it."""

import pytest

from tests.support.contract import ROWS, walk
from tests.support.programs import Program

pytestmark = [pytest.mark.django_db, pytest.mark.database]


# promise 0.1, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.10, 0.20, 1.1, 1.4, 1.6, 1.7, 1.9, 1.10, 2.1, 2.2, 2.3, 2.4, 2.5
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_row_of_the_contract_holds(row):
    walk(row, Program())
