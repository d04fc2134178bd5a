"""Bytes and text ⇄ values, one folder a language. No socket, no clock, no SQL."""
