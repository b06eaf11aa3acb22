"""What a release says of packages with known vulnerabilities: nothing that nobody looked up is called well."""

import json
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader

import pytest

from storefront import BASE_DIR

WELL = {"name": "django", "version": "5.2.19", "vulns": []}
BAD = {"name": "celery", "version": "1.0", "vulns": [{"id": "PYSEC-1"}, {"id": "PYSEC-2"}]}
UNKNOWN = {"name": "redis", "skip_reason": "not found"}


@pytest.fixture(scope="module")
def audit():
    """The script, as a module."""
    loader = SourceFileLoader("audit", str(BASE_DIR / "script" / "audit"))
    module = module_from_spec(spec_from_loader("audit", loader))
    loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("packages", "code", "said"),
    [
        ([WELL], 0, "1 packages, no known vulnerability."),
        ([WELL, BAD], 1, "celery 1.0: PYSEC-1, PYSEC-2"),
        ([WELL, UNKNOWN], 0, "Nothing is known of: redis"),
        ([UNKNOWN], 0, "Skipped: no index of vulnerabilities could be asked (it knows no package"),
        (None, 0, "Skipped: no index of vulnerabilities could be asked (no route)."),
    ],
    ids=["well", "bad", "partly unknown", "unknown", "no answer"],
)
def test_the_audit_says_what_is_known(audit, capsys, packages, code, said):
    answer = "" if packages is None else json.dumps({"dependencies": packages})

    assert audit.tell(answer, "WARNING: hashes\nno route\n") == code
    told = capsys.readouterr()
    assert said in told.out + told.err
