from engineroom.ledger import selectors as ledger
from engineroom.openitems import selectors as openitems
from tests.firm import Temp, run_payday, set_up


def test_a_week_of_hours_becomes_paid_people_billed_customers_and_balanced_books(client):
    temps = [Temp("T1"), Temp("T2", "Al Smith", customer="BETA")]
    set_up(client, temps)
    day = run_payday(client, temps)
    with client.acting("bookkeeper"):
        assert day.run_released and day.issued
        assert sum(b.balance for b in ledger.trial_balance()) == 0
        assert all(c.ok for c in ledger.verify())
        assert all(c.ok for c in openitems.controls())
