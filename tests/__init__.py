import pytest

# Before any of them is imported: what they assert is explained like what tests assert.
pytest.register_assert_rewrite("tests.support")
