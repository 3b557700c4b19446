"""Shared templates: what many clients have alike, said once, with a client's own exceptions.

It owns templates with their frozen versions (the firm's), which client follows which version, what a client
has otherwise and why, and what became of each client in an action over many. What a template may say the
rooms register (`foundation/templated.py`); it is written through their own commands.
"""
