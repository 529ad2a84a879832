"""``/v1/live``: one WebSocket per phone, over which everything it shows stays fresh.

The client says hello with its token and its place in each stream. It gets a welcome, what it
missed, ``live``, and from then on every event as it happens. Commands go over HTTP only.

``wire.py`` is RFC 6455 on a connection, ``socket.py`` what one phone says and hears, ``house.py``
all sockets of the process, ``rights.py`` the end of rights on open sockets.
"""
