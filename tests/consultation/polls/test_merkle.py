"""The tree of RFC 9162: every proof of every tree up to 130 leaves, and random larger ones."""

import hashlib
import random

import pytest

from consultation.polls import merkle

LEAVES = [hashlib.sha256(b"\x00" + n.to_bytes(4, "big")).digest() for n in range(4000)]


def defined_root(hashes: list[bytes]) -> bytes:
    """MTH exactly as 2.1.1 writes it down."""
    if len(hashes) < 2:
        return hashes[0] if hashes else hashlib.sha256(b"").digest()
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    left, right = defined_root(hashes[:split]), defined_root(hashes[split:])
    return hashlib.sha256(b"\x01" + left + right).digest()


def altered(path: list[bytes], luck: random.Random) -> list[list[bytes]]:
    """The path with a bit flipped, a step missing and a step too many."""
    if not path:
        return [[LEAVES[0]]]
    where = luck.randrange(len(path))
    flipped = bytes([path[where][0] ^ 1]) + path[where][1:]
    return [
        [*path[:where], flipped, *path[where + 1 :]],
        path[:where] + path[where + 1 :],
        [*path, path[where]],
    ]


def test_roots_are_as_the_definition_says() -> None:
    for size in range(131):
        assert merkle.root(LEAVES[:size]) == defined_root(LEAVES[:size])


def test_a_root_known_from_elsewhere() -> None:
    """The tree of seven inputs that RFC 6962 implementations share as a test vector."""
    inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"]
    hashes = [hashlib.sha256(b"\x00" + bytes.fromhex(one)).digest() for one in inputs]
    assert (
        merkle.root(hashes).hex()
        == "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"
    )


def check_inclusion(size: int, index: int, luck: random.Random) -> None:
    tree, top = LEAVES[:size], merkle.root(LEAVES[:size])
    path = merkle.inclusion(tree, index)
    assert merkle.proves_inclusion(LEAVES[index], index, size, path, top)
    for wrong in altered(path, luck):
        assert not merkle.proves_inclusion(LEAVES[index], index, size, wrong, top)
    assert not merkle.proves_inclusion(LEAVES[index + 1], index, size, path, top)
    assert not merkle.proves_inclusion(LEAVES[index], size, size, path, top)
    if size > 1:
        assert not merkle.proves_inclusion(LEAVES[index], (index + 1) % size, size, path, top)


def check_consistency(earlier: int, size: int, luck: random.Random) -> None:
    old, new = merkle.root(LEAVES[:earlier]), merkle.root(LEAVES[:size])
    proof = merkle.consistency(LEAVES[:size], earlier)
    assert merkle.proves_consistency(earlier, old, size, new, proof)
    for wrong in altered(proof, luck):
        assert not merkle.proves_consistency(earlier, old, size, new, wrong)
    assert not merkle.proves_consistency(earlier, LEAVES[-1], size, new, proof)
    assert not merkle.proves_consistency(earlier, old, size, LEAVES[-1], proof)
    assert not merkle.proves_consistency(size + 1, old, size, new, proof)


def test_every_proof_of_every_tree_to_130_leaves_and_none_that_was_altered() -> None:
    luck = random.Random(9162)
    for size in range(1, 131):
        for index in range(size):
            check_inclusion(size, index, luck)
        for earlier in range(1, size + 1):
            check_consistency(earlier, size, luck)


@pytest.mark.parametrize("seed", range(20))
def test_random_larger_trees(seed: int) -> None:
    luck = random.Random(seed)
    size = luck.randrange(131, 3999)
    check_inclusion(size, luck.randrange(size), luck)
    check_consistency(luck.randrange(1, size + 1), size, luck)


def test_the_empty_tree_is_the_beginning_of_every_tree() -> None:
    top = merkle.root(LEAVES[:5])
    assert merkle.proves_consistency(0, merkle.EMPTY, 5, top, [])
    assert not merkle.proves_consistency(0, top, 5, top, [])
    assert not merkle.proves_consistency(0, merkle.EMPTY, 5, top, [top])


def test_there_are_no_proofs_outside_a_tree() -> None:
    for index in (-1, 3):
        with pytest.raises(IndexError):
            merkle.inclusion(LEAVES[:3], index)
    for earlier in (0, 4):
        with pytest.raises(IndexError):
            merkle.consistency(LEAVES[:3], earlier)
