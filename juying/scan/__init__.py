"""Codes out of camera frames, pictures, PDF files and scanners that type like a keyboard."""
