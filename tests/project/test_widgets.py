"""Inputs are written without a template; nobody can tell."""

import pytest
from django import forms
from django.forms.renderers import DjangoTemplates

from storefront.widgets import Renderer
from tests.support.pages import Page

ODD = "<b>&\"'>é"


class Answer:
    """Enough of a response for a page to be read."""

    def __init__(self, html):
        self.content = html.encode()


@pytest.mark.parametrize(
    "widget", [forms.TextInput, forms.HiddenInput, forms.PasswordInput, forms.EmailInput]
)
@pytest.mark.parametrize("value", [None, "", "plain", ODD, 7])
def test_an_input_is_what_django_would_write(widget, value):  # WEB-08
    attrs = {"id": "id_x", "class": ODD, "autofocus": True, "disabled": False, "size": 3}

    ours, theirs = [
        Page(Answer(widget(attrs).render("x", value, renderer=renderer)))
        for renderer in (Renderer(), DjangoTemplates())
    ]

    assert ours.elements == theirs.elements


def test_other_widgets_are_left_to_their_templates(settings):
    assert "<select" in forms.Select(choices=[("a", "A")]).render("x", "a", renderer=Renderer())
    assert settings.FORM_RENDERER == "storefront.widgets.Renderer"
