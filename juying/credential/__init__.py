"""The electronic permit: `claims`, `issue`, `trust` and `verify`."""
