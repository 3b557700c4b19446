"""What the bank returned and is owed again: approved by one person, paid by another, a payee at a time."""

from __future__ import annotations

from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone

from engineroom.settlement import again
from engineroom.ui.fields import DayField
from engineroom.ui.pages import Done, PageRequest, action, filled_in, form_of, page


class PayAgainForm(forms.Form):
    pay_date = DayField(label="Pay date", help_text="The day on which it is to arrive.")


@page("settlement.read", reads="payment")
def returned(request: PageRequest, client: str) -> HttpResponse:
    """Payments that came back and are still owed: why, whether the account is another now, what is next."""
    found = again.returned_payments()
    request.reading(what="payments that came back", rows=len(found))
    may_release = request.may("settlement.release")
    today = timezone.now().date()
    context = {
        "rows": [
            (
                row,
                form_of(request, PayAgainForm(initial={"pay_date": today}, auto_id=f"{row.payment_id}-%s"))
                if may_release and row.is_approved
                else None,
            )
            for row in found
        ],
        "may_approve": request.may("settlement.approve"),
        "hides_pay": "pay" in request.masked,
    }
    return render(request, "settlement/returned.html", context)


@action("settlement.approve")
def approve_again(request: PageRequest, client: str, payment_id: UUID) -> Done:
    """Exactly the account and the amount that were looked at."""
    done = again.approve_paying_again(
        payment_id,
        content_hash=request.POST.get("content_hash", ""),
        same_account=request.POST.get("same_account") == "on",
        key=request.key,  # type: ignore[call-arg]
    )
    reference = again.returned_payment(done.payment_id).reference
    return Done(
        f"{reference} may be paid again. Another person releases it.",
        to=reverse("settlement:returned", args=[client]),
    )


@action("settlement.release")
def pay_again(request: PageRequest, client: str, payment_id: UUID) -> Done:
    """The file that pays this one payee."""
    asked = filled_in(PayAgainForm(request.POST))
    done = again.pay_again(payment_id, pay_date=asked["pay_date"], key=request.key)  # type: ignore[call-arg]
    return Done(
        f"Payment file {done.file_name} is written: submit it by {done.submit_by}.",
        to=reverse("settlement:batch", args=[client, done.number]),
    )


urlpatterns = [
    path("c/<str:client>/payments/returned", returned, name="returned"),
    path("c/<str:client>/payments/returned/<uuid:payment_id>/approve", approve_again, name="again_approve"),
    path("c/<str:client>/payments/returned/<uuid:payment_id>/pay", pay_again, name="again_pay"),
]
