"""The ``juying`` command."""
