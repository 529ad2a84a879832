"""``minyi bench``: what the program costs, as ratios measured in one interleaved run.

Every bench puts the application as shipped beside a baseline that stands in this package, on the
same machine and in turns, so that a slow machine slows both. It prints one object (``report.py``)
and fails when a goal is missed.
"""
