"""A page on the bare layout, beside the guide: a form, a message and a table outside any panel."""

from types import SimpleNamespace

from django import forms
from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.urls import path

from engineroom.ui import urls

SOURCE = """{% extends "ui/bare.html" %}{% load ui %}
{% block title %}Sign in{% endblock %}{% block heading %}Sign in{% endblock %}
{% block content %}<form method="post">{% fields form %}
{% buttons %}<button class="go">Sign in</button>{% endbuttons %}</form>
{% table "People" %}<thead><tr><th scope="col">Who</th></tr></thead>
<tbody><tr><td><a class="row" href="#main">Asha Rao</a></td></tr></tbody>{% endtable %}
{% endblock %}"""


class SignIn(forms.Form):
    email = forms.EmailField(widget=forms.EmailInput(attrs={"autocomplete": "username"}))
    remember = forms.BooleanField(required=False, label="Keep me signed in")


def bare(request: HttpRequest) -> HttpResponse:
    message = SimpleNamespace(level_tag="error", message="Signed out elsewhere")
    page = engines["django"].from_string(SOURCE)
    return HttpResponse(page.render({"form": SignIn(), "messages": [message]}, request))


urlpatterns = [*urls.urlpatterns, path("bare", bare)]
