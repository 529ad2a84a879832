"""What was announced: question, items, rule, keys and the digests of the roll."""

from api.bench.forging import STRANGER, Forgery, at
from api.bench.mutations.mutation import Mutations
from consultation.polls import board
from consultation.polls.keys import LocalBoardKey
from consultation.polls.leaves import canonical

MANIFEST = Mutations()


@MANIFEST.noticed_by("manifest")
def change_the_wording(f: Forgery) -> None:
    f.manifest["question"] += ",并由物业公司使用"


@MANIFEST.noticed_by("manifest")
def name_a_format_of_ones_own(f: Forgery) -> None:
    f.manifest["format"] = "minyi-poll-0"
    f.remake()


@MANIFEST.noticed_by("notice", "sealed-revotes")
def go_back_to_the_first_format_and_remake_everything(f: Forgery) -> None:
    f.manifest["format"] = "minyi-poll-1"
    f.ballots.remove(at(f.ballots, 0))
    f.remake()
    f.report.pop("envelopes", None)
    f.recertify()


@MANIFEST.noticed_by("notice")
def change_the_wording_and_its_digest(f: Forgery) -> None:
    f.manifest["question"] += ",并由物业公司使用"
    f.rehash()


@MANIFEST.noticed_by("notice")
def change_the_wording_and_remake_everything(f: Forgery) -> None:
    f.manifest["question"] += ",并由物业公司使用"
    f.remake()


@MANIFEST.noticed_by("manifest")
def change_an_item(f: Forgery) -> None:
    f.manifest["items"][0]["text"] = "加装两部电梯"


@MANIFEST.noticed_by("manifest")
def lower_a_threshold(f: Forgery) -> None:
    f.manifest["preset"]["content"]["approval"][0]["numerator"] = 0


@MANIFEST.noticed_by("notice", "owners-special")
def lower_a_threshold_and_remake_everything(f: Forgery) -> None:
    for threshold in f.manifest["preset"]["content"]["approval"]:
        threshold.update(numerator=1, denominator=3)
    f.remake()


@MANIFEST.noticed_by("manifest")
def name_another_edition_of_the_rule(f: Forgery) -> None:
    f.manifest["preset"]["key"] = "owners_all_channels@2021-01-01"


@MANIFEST.noticed_by("manifest", "sealed")
def call_a_sealed_poll_anonymous(f: Forgery) -> None:
    f.manifest["mode_label"]["zh-CN"] = "匿名表决:任何人都不能知道谁选了什么。"


@MANIFEST.noticed_by("manifest", "sealed")
def call_a_sealed_poll_secret_and_remake_everything(f: Forgery) -> None:
    f.manifest["mode_label"]["en"] = "Secret: nobody can know who chose what."
    f.remake()


@MANIFEST.noticed_by("manifest")
def give_a_named_poll_a_box_key(f: Forgery) -> None:
    f.manifest["box_key"] = "ab" * 32
    f.remake()


@MANIFEST.noticed_by("heads")
def swap_the_board_key(f: Forgery) -> None:
    f.manifest["board_key"] = STRANGER.public


@MANIFEST.noticed_by("notice")
def swap_the_board_key_and_sign_everything_again(f: Forgery) -> None:
    f.key = STRANGER
    f.remake()


@MANIFEST.noticed_by("heads")
def move_the_close(f: Forgery) -> None:
    f.manifest["closes_at"] = "2026-06-17T15:00:00Z"


@MANIFEST.noticed_by("manifest")
def move_the_day_on_which_voters_are_of_age(f: Forgery) -> None:
    f.manifest["reference_day"] = "2026-01-01"
    f.remake()


@MANIFEST.noticed_by("roll")
def swap_the_root_of_the_roll(f: Forgery) -> None:
    f.manifest["roll"]["root"] = "00" * 32


@MANIFEST.noticed_by("result-digest")
def swap_the_digest_of_the_roll(f: Forgery) -> None:
    f.manifest["roll"]["digest"] = "00" * 32


@MANIFEST.noticed_by("manifest", "budget")
def raise_the_ceiling(f: Forgery) -> None:
    f.manifest["budget_fen"] += 100_000_000


@MANIFEST.noticed_by("manifest", "owners")
def let_a_motion_be_answered_twice_over_and_remake_everything(f: Forgery) -> None:
    f.manifest["items"][0]["most"] = 2
    f.remake()


@MANIFEST.noticed_by("manifest", "single-choice")
def put_an_option_twice(f: Forgery) -> None:
    options = f.manifest["items"][0]["options"]
    options[1]["code"] = options[0]["code"]
    _retext(f)


@MANIFEST.noticed_by("manifest", "election")
def elect_for_no_seat(f: Forgery) -> None:
    f.manifest["items"][0]["seats"] = 0
    _retext(f)


@MANIFEST.noticed_by("manifest", "owners")
def bind_and_ask_for_no_approval(f: Forgery) -> None:
    f.manifest["preset"]["content"]["approval"] = []
    _retext(f)


@MANIFEST.noticed_by("manifest", "owners")
def ask_for_a_share_of_nothing(f: Forgery) -> None:
    f.manifest["preset"]["content"]["turnout"][0]["numerator"] = 0
    _retext(f)


@MANIFEST.noticed_by("manifest", "owners")
def ask_for_a_bound_of_what_is_not_counted(f: Forgery) -> None:
    f.manifest["preset"]["content"]["measures"] = ["heads"]
    _retext(f)


@MANIFEST.noticed_by("manifest", "deemed")
def count_the_silence_of_residents(f: Forgery) -> None:
    f.manifest["preset"]["content"]["layer"] = "assembly"
    _retext(f)


@MANIFEST.noticed_by("manifest", "election")
def count_silence_in_an_election(f: Forgery) -> None:
    f.manifest["preset"]["content"]["silent"] = "deemed_majority"
    _retext(f)


class _Anybody(LocalBoardKey):
    """The neutral point of the curve as a public key: it needs no private one."""

    def __init__(self) -> None:
        self.public = "01" + "00" * 31

    def sign(self, message: bytes) -> str:
        return self.public + "00" * 32


@MANIFEST.noticed_by("manifest", "owners")
def sign_under_a_key_that_everybody_has_and_remake_everything(f: Forgery) -> None:
    f.key = _Anybody()
    f.remake()


def _retext(f: Forgery) -> None:
    """The hash of a text that the program itself would not announce."""
    m = f.manifest
    text = {name: m[name] for name in ("question", "items", "budget_fen")}
    m["text_hash"] = board.text_digest(canonical({**text, "preset": m["preset"]["content"]}))


@MANIFEST.noticed_by("manifest", "sealed")
def seal_to_no_key_and_remake_everything(f: Forgery) -> None:
    f.manifest["box_key"] = "00"
    f.remake()
