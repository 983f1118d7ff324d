"""``python -m juying.cli`` is the ``juying`` command."""

from juying.cli import main

main()
