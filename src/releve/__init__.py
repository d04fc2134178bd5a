"""Relève: hospital continuity. Hold, return, tell. The house is described in docs/ARCHITECTURE.md."""

__version__ = "0.1.0"
