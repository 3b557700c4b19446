"""The living guide's address."""

from django.urls import path

from engineroom.ui.guide import style_guide

urlpatterns = [path("style", style_guide, name="style")]
