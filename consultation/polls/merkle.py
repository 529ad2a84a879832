"""MERKLE: the tree over the leaf hashes of a board (RFC 9162, section 2.1). Pure.

Roots, inclusion proofs and consistency proofs are made and checked here. A leaf hash is
``leaves.leaf_hash``; hashes are 32 bytes of SHA-256.
"""

import hashlib
from collections.abc import Sequence

EMPTY = hashlib.sha256(b"").digest()
"""The root of a tree without leaves."""


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(hashes: Sequence[bytes]) -> bytes:
    """The root over leaf hashes in their order: MTH of 2.1.1, level by level. A last node without
    a neighbour goes up as it is, which gives the same tree."""
    if not hashes:
        return EMPTY
    level = list(hashes)
    while len(level) > 1:
        pairs = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = [*pairs, level[-1]] if len(level) % 2 else pairs
    return level[0]


def inclusion(hashes: Sequence[bytes], index: int) -> list[bytes]:
    """PATH of 2.1.3.1: from leaf ``index`` up. IndexError outside the tree."""
    if not 0 <= index < len(hashes):
        raise IndexError("no such leaf")
    path: list[bytes] = []
    level = list(hashes)
    while len(level) > 1:
        if index ^ 1 < len(level):
            path.append(level[index ^ 1])
        pairs = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = [*pairs, level[-1]] if len(level) % 2 else pairs
        index //= 2
    return path


def consistency(hashes: Sequence[bytes], earlier: int) -> list[bytes]:
    """PROOF of 2.1.4.1: that the tree begins with its first ``earlier`` leaves. IndexError unless
    0 < ``earlier`` ≤ size."""
    if not 0 < earlier <= len(hashes):
        raise IndexError("no such earlier tree")
    return _subproof(earlier, hashes, whole=True)


def _subproof(earlier: int, hashes: Sequence[bytes], *, whole: bool) -> list[bytes]:
    size = len(hashes)
    if earlier == size:
        return [] if whole else [root(hashes)]
    split = 1 << (size - 1).bit_length() - 1
    if earlier <= split:
        return [*_subproof(earlier, hashes[:split], whole=whole), root(hashes[split:])]
    return [*_subproof(earlier - split, hashes[split:], whole=False), root(hashes[:split])]


def proves_inclusion(
    leaf: bytes, index: int, size: int, path: Sequence[bytes], expected_root: bytes
) -> bool:
    """2.1.3.2."""
    if not 0 <= index < size:
        return False
    position, last, found = index, size - 1, leaf
    for step in path:
        if last == 0:
            return False
        if position & 1 or position == last:
            found = node_hash(step, found)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            found = node_hash(found, step)
        position >>= 1
        last >>= 1
    return last == 0 and found == expected_root


def proves_consistency(
    earlier: int, earlier_root: bytes, size: int, later_root: bytes, proof: Sequence[bytes]
) -> bool:
    """2.1.4.2. Every tree begins with the empty one, which needs no proof."""
    if earlier == 0:
        return not proof and earlier_root == EMPTY
    if not 0 < earlier <= size:
        return False
    if earlier == size:
        return not proof and earlier_root == later_root
    steps = list(proof)
    if earlier & (earlier - 1) == 0:
        steps.insert(0, earlier_root)
    if not steps:
        return False
    position, last = earlier - 1, size - 1
    while position & 1:
        position >>= 1
        last >>= 1
    old = new = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            old, new = node_hash(step, old), node_hash(step, new)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            new = node_hash(new, step)
        position >>= 1
        last >>= 1
    return last == 0 and old == earlier_root and new == later_root
