"""Customers' orders: how far each is burnt down, when it will be used up, and what it did not reach."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path, reverse

from engineroom.timesheets import orders
from engineroom.ui.charts import Point, line_chart
from engineroom.ui.display import format_count, format_day, format_money
from engineroom.ui.pages import Done, NavigationEntry, PageRequest, action, page

NAVIGATION = [
    NavigationEntry("Orders", "timesheets:orders", "timesheets.read", order=223, under="timesheets:list")
]


@page("timesheets.read")
def burn_downs(request: PageRequest, client: str) -> HttpResponse:
    """Every order: used, committed, left, and when it ends at this pace."""
    return render(request, "timesheets/orders.html", {"rows": orders.orders()})


@page("timesheets.read")
def burn_down(request: PageRequest, client: str, purchase_order_id: UUID) -> HttpResponse:
    """One order, week by week."""
    assert request.client is not None
    found = orders.burn(purchase_order_id)
    by_money = found.row.limit_minor is not None or found.row.limit_minutes is None
    left = (found.row.limit_minor if by_money else found.row.limit_minutes) or 0
    points = [Point("begins", left)] if found.weeks else []
    for week_ending, minutes, minor in found.weeks:
        left -= minor if by_money else minutes
        points.append(Point(format_day(week_ending), left))
    title = "Left of its money, week by week" if by_money else "Minutes left, week by week"
    if by_money and found.row.limit_minor is None:
        points, title = [Point(p.label, -p.value) for p in points], "Billed under it, week by week"
    currency = request.client.currency if by_money else None
    context = {
        "order": found,
        "chart": line_chart(points, currency, title=title, floor_at_zero=True) if points else None,
        "may": request.may("timesheets.prepare"),
    }
    return render(request, "timesheets/order.html", context)


@action("timesheets.prepare")
def cover_held(request: PageRequest, client: str, purchase_order_id: UUID) -> Done:
    """Bill under this order what the orders before it did not reach."""
    assert request.client is not None
    done = orders.cover_held(purchase_order_id, key=request.key)  # type: ignore[call-arg]
    left = f"; {format_count(done.left, 'charge')} stay held" if done.left else ""
    amount = format_money(done.amount, request.client.currency)
    return Done(
        f"{format_count(done.charges, 'charge')}, {amount}, may be billed under this order{left}.",
        to=reverse("timesheets:order", args=[client, purchase_order_id]),
    )


urlpatterns = [
    path("c/<str:client>/orders", burn_downs, name="orders"),
    path("c/<str:client>/orders/<uuid:purchase_order_id>", burn_down, name="order"),
    path("c/<str:client>/orders/<uuid:purchase_order_id>/cover", cover_held, name="order_cover"),
]
