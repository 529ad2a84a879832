"""The leaves of the board and the heads that are signed over them."""

from api.bench.forging import STRANGER, Forgery, at
from api.bench.mutations.ballots import turn
from api.bench.mutations.mutation import Mutations

BOARD = Mutations()


@BOARD.noticed_by("board")
def drop_a_leaf(f: Forgery) -> None:
    f.board.pop()


@BOARD.noticed_by("board")
def add_a_leaf(f: Forgery) -> None:
    f.board.append({"tree": "recorded", "idx": len(f.board), "leaf": "0d" * 32})


@BOARD.noticed_by("board")
def exchange_two_leaves(f: Forgery) -> None:
    one, two = at(f.board, 0), at(f.board, 1)
    one["leaf"], two["leaf"] = two["leaf"], one["leaf"]


@BOARD.noticed_by("board")
def put_a_leaf_twice_and_sign_again(f: Forgery) -> None:
    f.board[-1]["leaf"] = f.board[0]["leaf"]
    f.sign_heads()
    f.recertify()


@BOARD.noticed_by("board")
def number_the_leaves_anew(f: Forgery) -> None:
    f.board[0]["idx"] = 1


@BOARD.noticed_by("batches", "large")
def show_the_order_of_arrival_and_sign_again(f: Forgery) -> None:
    for row, leaf in zip(f.board, [row["leaf"] for row in reversed(f.board)], strict=True):
        row["leaf"] = leaf
    f.sign_heads()
    f.recertify()


@BOARD.noticed_by("batches", "large")
def publish_every_ballot_at_once_and_sign_again(f: Forgery) -> None:
    first = f.heads[0]
    f.heads = [
        {**first, "number": size, "size": size, "at": f.heads[-1]["at"]}
        for size in range(1, len(f.board) + 1)
    ]
    f.sign_heads()
    f.recertify()


@BOARD.noticed_by("heads")
def forge_a_head(f: Forgery) -> None:
    f.heads[-1]["signature"] = STRANGER.sign(b"a head")


@BOARD.noticed_by("heads")
def sign_all_heads_with_another_key(f: Forgery) -> None:
    f.key = STRANGER
    f.sign_heads()


@BOARD.noticed_by("heads")
def change_a_root(f: Forgery) -> None:
    f.heads[-1]["root"] = "00" * 32


@BOARD.noticed_by("heads", "large")
def drop_a_head(f: Forgery) -> None:
    f.heads.remove(at(f.heads, 1))


@BOARD.noticed_by("board", "large")
def end_with_an_old_head(f: Forgery) -> None:
    f.heads.pop()


@BOARD.noticed_by("certificate", "large")
def end_with_an_old_head_and_board(f: Forgery) -> None:
    f.heads.pop()
    f.board = f.board[: f.heads[-1]["size"]]


@BOARD.noticed_by("heads", "large")
def shrink_the_tree_and_sign_again(f: Forgery) -> None:
    f.heads[1]["size"] = f.heads[0]["size"] - 1
    f.sign_heads()
    f.recertify()


@BOARD.noticed_by("heads", "large")
def unlink_a_head_and_sign_again(f: Forgery) -> None:
    f.heads[1]["prev"] = None
    f.sign_head(f.heads[1])


@BOARD.noticed_by("heads")
def take_a_head_of_another_poll(f: Forgery) -> None:
    here, f.manifest["poll"] = f.manifest["poll"], "00000000-0000-4000-8000-000000000000"
    f.sign_head(f.heads[-1])
    f.manifest["poll"] = here


@BOARD.noticed_by("batches")
def tell_the_minute_and_sign_again(f: Forgery) -> None:
    f.heads[-1]["at"] = f.heads[-1]["at"].replace(":00:00Z", ":07:00Z")
    f.sign_heads()
    f.recertify()


@BOARD.noticed_by("heads", "large")
def put_heads_in_another_order(f: Forgery) -> None:
    f.heads.reverse()


@BOARD.noticed_by("previous-heads", "large")
def show_another_board_than_before(f: Forgery) -> None:
    turn(f.cast(0))
    turn(f.cast(3))
    f.remake()
