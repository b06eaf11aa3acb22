"""/api/v2/auth/: the same contract at the door for new apps, in threads and on the event loop."""

import pytest

from tests.support.contract import ROWS, walk
from tests.support.programs import V2, Program

# What is told to whoever names no attempt, which nobody may here.
NAMELESS = {"step 2, twice", "in with a wrong old code", "in with a code alone"}
V2_ROWS = [row for row in ROWS if row.name not in NAMELESS]


# promise 0.1, 0.20
@pytest.mark.django_db
@pytest.mark.database
@pytest.mark.parametrize("row", V2_ROWS, ids=str)
def test_a_row_of_the_contract_holds_in_a_thread(row):
    walk(row, Program(spaces=V2), names_attempt=True)


# promise 0.1, 0.16, 0.20
@pytest.mark.parametrize("row", V2_ROWS, ids=str)
def test_a_row_of_the_contract_holds_on_the_loop_and_takes_no_thread(row, native, hops):
    walk(row, native, names_attempt=True)

    assert hops == []
