"""Scanning: frames, pictures, PDF pages, scanners that type."""
