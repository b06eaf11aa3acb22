"""Django's hooks do on our pages what Django's documentation says: a mixin that overrides one sees it happen."""

import json

import pytest
from django.contrib import admin
from django.urls import path

from accounts.views.account import AccountView, NamesView
from accounts.views.login import LoginView
from accounts.views.recovery import NewPasswordView
from accounts.views.registration import IdentifyView, VerifyView
from backoffice.own_account import PasswordChangeView, PasswordCodeView
from storefront import urls
from tests.support.pages import Page
from tests.support.people import (
    ACCOUNT,
    FACES,
    LOGIN,
    PASSWORD,
    REGISTER,
    VERIFY,
    Postbox,
    Shopper,
    make_shopper,
    wrong,
)
from tests.support.staff import SECRET, Member, code_of, make_staff, sign_in_staff, type_code

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

NAMES, RESET_NEW = "/account/names/", "/password-reset/new/"
CHANGE, CODE = "/admin/password_change/", "/admin/password_change/code/"
HEADING, ELSEWHERE = "A heading of somebody else", "/elsewhere/"


class Rendered:
    """Overrides what every page has."""

    def get_context_data(self, **kwargs):
        context = super().get_context_data(**kwargs)
        context["heading"] = context["title"] = HEADING
        return context

    def render_to_response(self, context, **response_kwargs):
        response = super().render_to_response(context, **response_kwargs)
        response.headers["X-Rendered"] = f"with {context['heading']}"
        return response


class Overridden(Rendered):
    """Overrides what every form has, too."""

    def form_valid(self, form):
        response = super().form_valid(form)
        response.headers["X-Form"] = "valid"
        return response

    def form_invalid(self, form):
        response = super().form_invalid(form)
        response.headers["X-Refused"] = str(response.status_code)
        return response

    def get_success_url(self):
        led.append(super().get_success_url())
        return ELSEWHERE


led: list[str] = []


def overridden(view, mixin=Overridden, **initkwargs):
    return type(view.__name__, (mixin, view), {}).as_view(**initkwargs)


def of_staff(view):
    return admin.site.admin_view(overridden(view, site=admin.site))


urlpatterns = [
    path("register/", overridden(IdentifyView)),
    path("register/verify/", overridden(VerifyView)),
    path("login/", overridden(LoginView)),
    path("password-reset/new/", overridden(NewPasswordView)),
    path("account/", overridden(AccountView, Rendered)),
    path("account/names/", overridden(NamesView)),
    path("admin/password_change/", of_staff(PasswordChangeView)),
    path("admin/password_change/code/", of_staff(PasswordCodeView)),
    *urls.urlpatterns,
]
handler404 = urls.handler404


@pytest.fixture(autouse=True)
def _nobody_was_led():
    led.clear()


@pytest.fixture(params=FACES)
def somebody(request):
    """A browser of each face."""
    return Shopper(request.param)


@pytest.fixture
def ana(somebody):
    """A shopper with a finished profile, signed in."""
    return make_shopper(somebody)


@pytest.fixture
def member(client):
    """The browser of a member of staff who is signed in."""
    make_staff()
    member = Member()
    sign_in_staff(member.client)
    return member


def heading(answer):
    """The heading as a person or a program reads it."""
    if answer.headers["Content-Type"] == "application/json":
        return json.loads(answer.content)["message"]
    return Page(answer).text("h1")


def leads_elsewhere(somebody, answer):
    """Whether an answer leads to where the mixin says; JSON clients are led nowhere."""
    if somebody.face == "json":
        return answer.status_code == 200 and json.loads(answer.content)["success"]
    return answer.to == ELSEWHERE


@pytest.mark.parametrize("url", [REGISTER, LOGIN])
def test_a_form_has_the_context_and_the_answer_of_the_mixin(somebody, url):
    answer = somebody.get(url)

    assert heading(answer) == HEADING
    assert answer.headers["X-Rendered"] == f"with {HEADING}"


def test_a_page_has_the_context_and_the_answer_of_the_mixin(ana):
    answer = ana.get(ACCOUNT)

    assert answer.headers["X-Rendered"] == f"with {HEADING}"
    assert ana.face == "json" or heading(answer) == HEADING


@pytest.mark.parametrize("url", [REGISTER, LOGIN])
def test_a_form_that_is_refused_by_its_shape_comes_to_form_invalid(somebody, url):
    answer = somebody.post(url)

    status = 400 if somebody.face == "json" else 422
    assert (answer.status_code, answer.headers["X-Refused"]) == (status, str(status))
    assert answer.headers["X-Rendered"] == f"with {HEADING}"


def test_a_form_that_a_flow_refuses_comes_to_form_invalid(somebody):
    answer = somebody.post(LOGIN, identifier="nobody@example.com", password=PASSWORD)

    status = 400 if somebody.face == "json" else 422
    assert (answer.status_code, answer.headers["X-Refused"]) == (status, str(status))
    assert answer.headers["X-Form"] == "valid"


def test_a_code_that_is_refused_comes_to_form_invalid(somebody):
    somebody.identify("ana@example.com")

    answer = somebody.verify(wrong(Postbox().code("ana@example.com")))

    assert answer.headers["X-Refused"] == str(answer.status_code)
    assert answer.headers["X-Rendered"] == f"with {HEADING}"


def test_what_is_accepted_comes_to_form_valid_and_leads_where_the_mixin_says(somebody):
    begun = somebody.identify("ana@example.com")
    verified = somebody.verify(Postbox().code("ana@example.com"))

    for answer in (begun, verified):
        assert leads_elsewhere(somebody, answer)
        assert answer.headers["X-Form"] == "valid"
    assert [url.partition("?")[0] for url in led] == [VERIFY, "/register/complete/"]


def test_a_change_of_the_account_leads_where_the_mixin_says(ana):
    led.clear()

    answer = ana.post(NAMES, name="Ana Maria", username="")

    assert leads_elsewhere(ana, answer)
    assert led == [ACCOUNT]


def test_a_new_password_by_link_leads_where_the_mixin_says(ana):
    link = Shopper(ip="198.51.100.77")
    link.post("/password-reset/", identifier="ana@example.com")
    ana.open(Postbox().link("ana@example.com"))
    led.clear()

    answer = ana.post(
        RESET_NEW,
        password="another horse battery",
        **(
            {"token": Postbox().link("ana@example.com").partition("token=")[2]}
            if ana.face == "json"
            else {}
        ),
    )

    assert leads_elsewhere(ana, answer)
    assert led == [LOGIN]


def test_the_pages_of_staff_are_the_same_views(member):
    refused = member.client.post(CHANGE, {"current": "a guess at it", "password": PASSWORD})
    begun = member.client.post(CHANGE, {"current": SECRET, "password": PASSWORD})
    shown = member.client.get(CODE)
    wrongly = type_code(member.client, wrong(code_of()), CODE)
    changed = type_code(member.client, code_of(), CODE)

    for answer in (refused, wrongly):
        assert (answer.status_code, answer.headers["X-Refused"]) == (422, "422")
    for answer in (refused, shown, wrongly):
        assert answer.headers["X-Rendered"] == f"with {HEADING}"
        assert HEADING in answer.content.decode()
    for answer in (begun, changed):
        assert answer.headers["X-Form"] == "valid"
        assert answer.headers["Location"] == ELSEWHERE
    assert [url.partition("?")[0] for url in led] == [CODE, "/admin/"]
