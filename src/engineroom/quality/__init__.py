"""What was promised and how it was kept: promises to a client in the client's own hours, the board of what
is due, and the scorecard that the client sees. Owns promises and hours; what happened stands in the cases'
events, and every figure here is counted from them anew, so that none can go stale."""
