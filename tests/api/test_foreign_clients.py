"""A client that nobody here wrote sends what the documents allow and what they do not, and holds us to them."""

import jsonschema
import pytest
import schemathesis
from django.core.wsgi import get_wsgi_application
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import checks

from api.dialects_v2 import EVERY_SPACE
from api.doors.document import build
from tests.support.apps import App

# No fault of ours, and no status, media type or shape that the document does not tell; nonsense is refused.
CHECKS = (
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
    checks.negative_data_rejection,
)
FEW, MANY = 4, 50
DOCUMENTS = {space.prefix: build(space) for space in EVERY_SPACE}
OPERATIONS = {
    each.ok().label: each.ok()
    for document in DOCUMENTS.values()
    for each in schemathesis.openapi.from_dict(document).get_all_operations()
}


@pytest.fixture
def site():
    """The site as a server calls it."""
    return get_wsgi_application()


def forgotten():
    """A transaction that is to be rolled back: no example meets the limits that those before it used up."""
    atomic = transaction.atomic()
    # As the tests' own transactions, which durable ones of the flows may stand in.
    atomic._from_testcase = True
    return atomic


# No name of an attempt is nonsense to a stream: it would tell which ones there are.
CASES = [
    pytest.param(label, mode, id=f"{label}-{mode.value}")
    for label in OPERATIONS
    for mode in schemathesis.GenerationMode
    if not (label.endswith("/events/") and mode == schemathesis.GenerationMode.NEGATIVE)
]


@pytest.mark.parametrize(("label", "mode"), CASES)
def test_a_call_keeps_to_its_document_whatever_is_sent(  # promises 0.20, 2.14
    label, mode, site, owner, is_release
):
    operation = OPERATIONS[label]
    operation.app = site
    bearer = {"Authorization": f"Bearer {App(owner).tokens.access}"}

    @settings(
        max_examples=MANY if is_release else FEW,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def holds(case):
        with forgotten():
            response = case.call(headers=bearer)
            transaction.set_rollback(True)
        case.validate_response(response, checks=CHECKS)

    # The same examples each time, but for a release.
    (holds if is_release else seed(1)(holds))()


def examples(document):
    """Every example of a document: where it stands, its schema and itself."""
    for name, schema in document["components"]["schemas"].items():
        for member, told in schema.get("properties", {}).items():
            for value in told.get("examples", []):
                yield f"{name}.{member}", told, value
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for status, answer in operation["responses"].items():
                for media_type, shown in answer.get("content", {}).items():
                    for code, example in shown.get("examples", {}).items():
                        where = f"{method} {path} {status} {media_type} {code}"
                        yield where, shown["schema"], example["value"]


@pytest.mark.parametrize("prefix", DOCUMENTS)
def test_every_example_of_a_document_is_what_its_schema_allows(prefix):  # promise 2.14
    document = DOCUMENTS[prefix]
    found = list(examples(document))
    assert len(found) > 100
    problems = {}
    for where, schema, value in found:
        whole = {**schema, "components": document["components"]}
        validator = jsonschema.Draft202012Validator(
            whole, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
        )
        if error := next(validator.iter_errors(value), None):
            problems[where] = error.message
    assert not problems


@pytest.mark.parametrize("prefix", DOCUMENTS)
def test_a_document_tells_of_each_call_what_is_sent_what_is_answered_and_each_refusal(prefix):
    document = DOCUMENTS[prefix]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            told = operation["responses"]
            assert {"400", "500", "503"} <= told.keys(), path
            assert operation["summary"], path
            assert operation["description"], path
            assert all(answer["content"] for answer in told.values()), (method, path)
