"""The gate of script/test: each must of docs/requirements.md has a test that names it and passed."""

from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader

import pytest

from storefront import BASE_DIR


@pytest.fixture(scope="module")
def conformance():
    """The script, as a module."""
    loader = SourceFileLoader("conformance", str(BASE_DIR / "script" / "conformance"))
    module = module_from_spec(spec_from_loader("conformance", loader))
    loader.exec_module(module)
    return module


def results(folder, **cases):
    """Write what pytest would, a file for each run; a case is what became of a test."""
    for number, (name, became) in enumerate(cases.items()):
        inside = f"<{became}/>" if became else ""
        test = name.removesuffix("_again")
        (folder / f"{number}.xml").write_text(
            f'<testsuites><testsuite><testcase classname="tests.a.test_b" name="{test}[x]">{inside}'
            "</testcase></testsuite></testsuites>"
        )
    return folder


def test_only_what_passed_everywhere_it_was_run_has_passed(conformance, tmp_path):
    ran = results(
        tmp_path, test_well="", test_skipped="skipped", test_failed="failure", test_error="error",
        test_once="", test_once_again="skipped", test_twice="", test_twice_again="failure",
    )  # fmt: skip

    assert conformance.passed_tests(ran) == {"tests.a.test_b.test_well", "tests.a.test_b.test_once"}


def test_a_must_needs_a_test_that_passed_or_a_reason(conformance, monkeypatch, tmp_path, capsys):
    ran = results(tmp_path, test_well="", test_failed="failure")
    named = {"A": {"tests.a.test_b.test_well"}, "B": {"tests.a.test_b.test_failed"}}
    monkeypatch.setattr(conformance, "naming_tests", lambda: {"C": set(), "D": set(), **named})
    row = {"sentence": "It is so.", "must": "M", "deviation": ""}
    rows = {"A": row, "C": row | {"deviation": "Decided otherwise."}, "D": row | {"must": ""}}

    assert not conformance.are_unproven(rows, ran)
    assert conformance.are_unproven(rows | {"B": row}, ran)
    assert "No test that names B has passed: It is so." in capsys.readouterr().err


def test_a_name_in_a_test_is_that_tests_own(conformance, monkeypatch, tmp_path):
    own, shared = (
        f"COD-{number:02}" for number in (1, 2)
    )  # spelled out they would be names here, too
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_a.py").write_text(
        f'"""About codes ({shared})."""\n\n\ndef test_b(\n    db,\n):  # {own}\n    pass\n\n\ndef test_c():\n    pass\n'
    )
    monkeypatch.setattr(conformance, "ROOT", tmp_path)

    both = {"tests.test_a.test_b", "tests.test_a.test_c"}
    assert conformance.naming_tests() == {own: {"tests.test_a.test_b"}, shared: both}


def test_a_page_that_says_something_else_is_stale(conformance, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(conformance, "PAGE", tmp_path / "requirements.md")

    assert conformance._is_stale("as it is now")
    conformance.PAGE.write_text("as it was")
    assert conformance._is_stale("as it is now")
    assert "run script/conformance" in capsys.readouterr().err
    conformance.PAGE.write_text("as it is now")
    assert not conformance._is_stale("as it is now")
