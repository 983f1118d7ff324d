"""A card in software, driven by the same profile as everything else.

`card` is the card itself (five methods, bytes in and bytes out), `image` keeps it in a file, `transport` serves it
in process, `vpcd` puts it into a reader of the machine's PC/SC service, `faults` makes it misbehave on purpose.
"""
