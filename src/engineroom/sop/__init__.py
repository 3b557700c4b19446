"""Procedures and the work they ask for: what is to be done, by whom, with which evidence, and what was done.

A procedure is a document people can read; it becomes a graph of steps, and a published version of it is
frozen by its hash. A case is one run of one version for one client, a task one step of it for one person.
Owns procedures, cases, tasks, their evidence, events and timers. Commands of other rooms are found by their
names.
"""
