"""Who signed the count, what the certificate says, and its corrections."""

import json

from api.bench.forging import STRANGER, Forgery
from api.bench.mutations.mutation import Mutations
from consultation.polls import board
from consultation.polls.leaves import canonical

CERTIFICATE = Mutations()


@CERTIFICATE.noticed_by("signers")
def certify_with_one_teller(f: Forgery) -> None:
    f.certificate["signatures"].pop(0)
    f.recertify()


@CERTIFICATE.noticed_by("signers")
def certify_without_a_supervisor(f: Forgery) -> None:
    f.certificate["signatures"].pop()
    f.recertify()


@CERTIFICATE.noticed_by("signers")
def let_one_person_sign_twice(f: Forgery) -> None:
    one, two, _ = f.certificate["signatures"]
    two["signer"] = one["signer"]
    f.recertify()


@CERTIFICATE.noticed_by("signers")
def let_a_teller_supervise_too(f: Forgery) -> None:
    one, _, three = f.certificate["signatures"]
    three["signer"] = one["signer"]
    f.recertify()


@CERTIFICATE.noticed_by("signers")
def take_a_signature_under_another_result(f: Forgery) -> None:
    f.certificate["signatures"][0]["result_digest"] = "00" * 32
    f.recertify()


@CERTIFICATE.noticed_by("signers")
def let_a_clerk_sign(f: Forgery) -> None:
    f.certificate["signatures"][0]["role"] = "clerk"
    f.recertify()


@CERTIFICATE.noticed_by("certificate")
def certify_under_another_key(f: Forgery) -> None:
    f.key = STRANGER
    f.recertify()


@CERTIFICATE.noticed_by("certificate")
def change_a_name_in_the_certificate(f: Forgery) -> None:
    f.certificate["signatures"][0]["name"] = "张*"
    f.paper["content"] = canonical(f.certificate).decode()


@CERTIFICATE.noticed_by("certificate")
def take_the_certificate_of_another_poll(f: Forgery) -> None:
    f.certificate["poll"] = "00000000-0000-4000-8000-000000000000"
    f.sign_certificate()


@CERTIFICATE.noticed_by("certificate")
def certify_another_board(f: Forgery) -> None:
    f.certificate["heads"]["recorded"]["size"] -= 1
    f.sign_certificate()


@CERTIFICATE.noticed_by("signers", "counted-twice")
def publish_a_close_result_without_counting_again(f: Forgery) -> None:
    signed = f.certificate["signatures"]
    f.certificate["signatures"] = [one for one in signed if not one["recount"]]
    f.recertify()


@CERTIFICATE.noticed_by("signers", "election-counted-twice")
def publish_a_close_election_without_counting_again(f: Forgery) -> None:
    publish_a_close_result_without_counting_again(f)


@CERTIFICATE.noticed_by("signers", "corrected-early-counted-twice")
def publish_a_close_correction_with_two_tellers_alone(f: Forgery) -> None:
    publish_a_close_result_without_counting_again(f)


@CERTIFICATE.noticed_by("signers", "counted-twice")
def count_again_with_one_teller(f: Forgery) -> None:
    f.certificate["signatures"].pop()
    f.recertify()


@CERTIFICATE.noticed_by("signers", "counted-twice")
def let_the_first_tellers_count_again(f: Forgery) -> None:
    one, two, _, *again = f.certificate["signatures"]
    for mine, theirs in zip(again, (one, two), strict=True):
        mine["signer"] = theirs["signer"]
    f.recertify()


@CERTIFICATE.noticed_by("corrections", "corrected")
def hide_the_version_that_was_corrected(f: Forgery) -> None:
    f.paper["earlier"] = []


@CERTIFICATE.noticed_by("corrections", "corrected")
def change_the_version_that_was_corrected(f: Forgery) -> None:
    content = json.loads(f.paper["earlier"][0]["content"])
    content["result_digest"] = "00" * 32
    f.paper["earlier"][0]["content"] = canonical(content).decode()


@CERTIFICATE.noticed_by("corrections", "corrected")
def correct_without_a_reason(f: Forgery) -> None:
    f.certificate["reason"] = None
    f.recertify()


@CERTIFICATE.noticed_by("corrections")
def publish_a_second_version_as_the_first(f: Forgery) -> None:
    f.certificate["version"] = 2
    f.recertify()


@CERTIFICATE.noticed_by("corrections", "counted-twice")
def correct_a_version_that_nobody_signed(f: Forgery) -> None:
    """A correction is itself another count: so a first version is invented, and the second count
    is saved."""
    first = canonical({**f.certificate, "signatures": []})
    f.paper["earlier"] = [{"content": first.decode(), "signature": f.key.sign(first)}]
    signed = [one for one in f.certificate["signatures"] if not one["recount"]]
    f.certificate |= {
        "version": 2,
        "corrects": board.text_digest(first),
        "reason": "复核后更正",
        "signatures": signed,
    }
    f.recertify()


@CERTIFICATE.noticed_by("corrections", "corrected")
def correct_a_version_of_another_manifest(f: Forgery) -> None:
    first = json.loads(f.paper["earlier"][0]["content"])
    content = canonical({**first, "manifest": "00" * 32})
    f.paper["earlier"] = [{"content": content.decode(), "signature": f.key.sign(content)}]
    f.certificate["corrects"] = board.text_digest(content)
    f.recertify()
