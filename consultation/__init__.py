"""The domain: what a community decides and how. Knows no web framework and no recipient."""
