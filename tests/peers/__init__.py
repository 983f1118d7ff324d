"""Systems that terminals talk to, played by processes of their own: as they should be, and with every bad habit."""
