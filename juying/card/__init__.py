"""Talking to a card: commands, status words, transports, the channel, readers, traces, and a card in software."""
