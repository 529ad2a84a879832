"""The surface, and the only place that wires things together."""
