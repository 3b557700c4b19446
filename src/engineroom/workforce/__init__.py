"""Staff on many clients: teams and whom they serve, who is away and who stands in, how much is on whom, and
how somebody leaves. Owns teams, absences and off-boardings; who may do what on a client stays a grant."""
