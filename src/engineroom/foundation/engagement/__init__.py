"""What the firm does for a client: services with their price and promise, and the terms on which it holds
the client's data. In force from a day on; never rewritten, only followed by other terms.
"""
