"""The thirteen topics of the demo, one file each; a duplicate lives beside what it went into."""
