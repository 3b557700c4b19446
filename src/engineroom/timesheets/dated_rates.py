"""The rates of assignments by day, in SQL: what reads a rate reads it here."""

# Every rate of an assignment, by day: its own up to the day on which it begins to follow an agreement, from
# then on what its agreement's cards of the role say. No two rows of an assignment share a day.
RATES_NOW = """(
  SELECT o.client_id, o.assignment_id, o.starts, least(o.ends, own.follows_from - 1) AS ends, o.pay_rate,
    o.bill_rate, o.overtime_ppm, o.weekend_ppm, o.weekly_threshold_minutes, NULL::uuid AS card_id
  FROM timesheets_assignmentrate o
  JOIN timesheets_assignment own ON own.client_id = o.client_id AND own.id = o.assignment_id
  WHERE own.follows_from IS NULL OR o.starts < own.follows_from
  UNION ALL
  SELECT f.client_id, f.id, greatest(k.starts, f.follows_from), least(k.ends, f.ends), said.pay_rate,
    said.bill_rate, said.overtime_ppm, said.weekend_ppm, said.weekly_threshold_minutes, k.id
  FROM timesheets_assignment f
  JOIN timesheets_ratecard k ON k.client_id = f.client_id AND k.agreement_id = f.agreement_id
    AND k.role = f.role AND coalesce(k.ends, 'infinity') >= f.follows_from
  JOIN timesheets_rateterms said ON said.client_id = k.client_id AND said.card_id = k.id
    AND NOT EXISTS (SELECT FROM timesheets_rateterms later WHERE later.client_id = said.client_id
      AND later.card_id = said.card_id AND later.revision > said.revision)
)"""
