"""What HMRC expects of an employer each month, and by when, as the calendar shows it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from uuid import UUID

from django.db import connection

from engineroom.foundation import deadlines
from engineroom.foundation.deadlines import Deadline
from engineroom.kernel.calendar import calendar
from engineroom.kernel.periods import gb_tax_month_end
from engineroom.payroll import selectors
from engineroom.payroll.great_britain_postings import PAYMENT_DAY

BY_POST_DAY = 19
"""An Employer Payment Summary, and payment by post, reach HMRC by the 19th; electronic payment by the 22nd
after the tax month that ends on the 5th (SI 2003/2682 reg. 69: 14 and 17 days)."""

SUMMARY = "HMRC: a payment summary by the 19th, and payment by post (gov.uk/running-payroll/paying-hmrc)"
PAYMENT = "HMRC: by the 22nd, or the banking day before (SI 2003/2682 reg. 69; gov.uk/pay-paye-tax)"

REACH = timedelta(days=50)
"""A tax month begins so long before the day on which it is paid for, at most."""

UNPAID = """
SELECT DISTINCT o.client_id, o.due FROM openitems_openitem o
LEFT JOIN LATERAL (
  SELECT sum(l.amount) AS used FROM openitems_allocation l
  WHERE l.client_id = o.client_id AND (l.item_a_id = o.id OR l.item_b_id = o.id)) u ON true
WHERE o.client_id = ANY(%s) AND o.kind = 'hmrc' AND o.due BETWEEN %s AND %s
  AND abs(o.amount) <> coalesce(u.used, 0)
"""


@deadlines.register("payroll.read")
def _of_tax_months(clients: Sequence[UUID], first: date, last: date) -> list[Deadline]:
    rows = selectors.paid_between(clients, first - REACH, last)
    paid = [row for row in rows if row.jurisdiction == "gb" and row.state.code != "given-up"]
    months = sorted({(row.client_id, gb_tax_month_end(row.pay_date)) for row in paid})
    waiting = {(r.client_id, gb_tax_month_end(r.pay_date)) for r in paid if not r.is_released}
    with connection.cursor() as cursor:
        cursor.execute(UNPAID, [list(clients), first - REACH, last])
        owed = set(cursor.fetchall())
    return [
        deadline
        for client, month_end in months
        for deadline in _of_month(client, month_end, owed, (client, month_end) in waiting)
    ]


def _of_month(client: UUID, month_end: date, owed: set[tuple[UUID, date]], is_open: bool) -> list[Deadline]:
    page: tuple[str, tuple[object, ...]] = ("openitems:items", ())
    month = f"tax month to {month_end.day} {month_end:%b}"
    due = calendar("ENG").on_or_before(month_end.replace(day=PAYMENT_DAY))
    summary = month_end.replace(day=BY_POST_DAY)
    is_paid = not is_open and (client, due) not in owed
    return [
        Deadline(
            client, summary, "HMRC", f"Payment summary, {month}", page, False, SUMMARY, is_tracked=False
        ),
        Deadline(client, due, "HMRC", f"PAYE and NIC, {month}", page, is_paid, PAYMENT),
    ]
