"""The API mounted alone, as the product mounts it."""

from django.urls import include, path

urlpatterns = [path("api/", include("engineroom.api.urls"))]
