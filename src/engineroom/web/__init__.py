"""The web face: signing in, switching among clients, settings, errors, headers, and the URLs of every room.

Owns no table. A room's pages live in the room (`pages.py`, made with `engineroom.ui.pages`); this one gathers
them, and has only those that belong to nobody else.
"""
