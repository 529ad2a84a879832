"""Real consultations of the past, fed through the public API in the order they happened."""
