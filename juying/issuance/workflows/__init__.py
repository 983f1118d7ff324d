"""Work that is bound to no card, done by workers on any number of machines; `docs/workers.md` tells how.

A job is a durable workflow of DBOS (`durable`) on the ledger's own database. It is planned first, in parts of a few
hundred records; each part is a workflow of its own that any worker takes (`worker`), and goes through a few steps
(`tasks`). What the workflows are given and give back holds ids and counts, never a name, a number or a credential:
each step reads what it needs from the ledger. Every step may be asked for again, because a worker may be killed when
the step is done and nobody knows it yet; it finds what is there and adds what is missing.
"""
