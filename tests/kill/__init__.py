"""Stations that are killed, as a power cut kills them: nothing is lost, doubled or half written."""
