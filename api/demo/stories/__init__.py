"""The thirteen topics of the demo, one file each; the two duplicates live beside what they merge into."""
