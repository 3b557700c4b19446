"""Whether a yes is the firm's or the client's shows on every face, though a client's contact sees no other users."""

from django.db import migrations

from engineroom.foundation.tenancy.operations import GuardFunction

USER_IS_CLIENTS = """
BEGIN
  RETURN EXISTS (SELECT FROM foundation_user u WHERE u.id = of_user AND u.kind = 'client');
END
"""


class Migration(migrations.Migration):
    dependencies = [("payroll", "0003_jurisdiction")]

    operations = [
        GuardFunction(
            "user_is_clients(of_user uuid)", "boolean", USER_IS_CLIENTS, callable_by_app=True, reads_only=True
        ),
    ]
