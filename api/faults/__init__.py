"""``minyi faults``: what happens to ballots when things go wrong, on the application as shipped.

Real servers, real HTTP, real disks: many casts of one voter at once, casts across the close,
servers killed under load, the power cut. Each says what it did and how many ballots were lost,
counted twice or accepted and not counted; the only good number is none.
"""
