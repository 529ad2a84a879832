"""The voter's own electronic casts, many in one durable transaction (ADR 0025).

``judging`` says what becomes of a cast, ``steps`` is the transaction, ``ledgers`` what a row holds
by mode of the poll, ``postgres`` and ``sqlite`` the SQL. ``commands/casting.cast_ballot`` is the
same rule for one cast by itself; a test holds the two equal.
"""
