"""The parts of the seeded world. Each has a ``sow``: it puts rows in and says where they are found,
by the names of path parameters."""

SECRET = "机密"
"""Stands in every text that strangers must not read."""
