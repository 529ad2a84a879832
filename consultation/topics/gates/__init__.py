"""The gates of a topic's transitions: pure checks over ``TopicFacts``, named in the table.

A gate refuses with ``GateNotMet(gate=…, missing=[…])``. ``needs`` says which facts each reads.
"""
