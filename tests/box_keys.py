"""Box keys in memory, for tests only: a process that ends takes the keys along."""

from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from consultation.box_keys import BoxKeyLost, public_key


class MemoryBoxKeys:
    """``opened`` lists the polls whose private key was asked for."""

    def __init__(self) -> None:
        self.keys: dict[UUID, bytes] = {}
        self.opened: list[UUID] = []

    async def create(self, poll_id: UUID) -> bytes:
        fresh = X25519PrivateKey.generate().private_bytes_raw()
        return public_key(self.keys.setdefault(poll_id, fresh))

    async def open(self, poll_id: UUID) -> bytes:
        self.opened.append(poll_id)
        if poll_id not in self.keys:
            raise BoxKeyLost(poll_id)
        return self.keys[poll_id]

    async def destroy(self, poll_id: UUID) -> None:
        self.keys.pop(poll_id, None)
