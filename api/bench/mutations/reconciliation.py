"""How the ballots add up: channels, forms, sheets, mandates and help."""

from api.bench.forging import Forgery, NotHere, at
from api.bench.mutations.mutation import Mutations

RECONCILIATION = Mutations()


@RECONCILIATION.noticed_by("reconciliation")
def change_the_report(f: Forgery) -> None:
    f.report["channels"][0]["cast"] += 1


@RECONCILIATION.noticed_by("reconciliation")
def move_a_ballot_to_another_channel_in_the_report(f: Forgery) -> None:
    one, two = at(f.report["channels"], 0), at(f.report["channels"], 1)
    for line, more in ((one, 1), (two, -1)):
        line["cast"] += more
        line["counted"] += more
    f.recertify()


@RECONCILIATION.noticed_by("reconciliation")
def certify_what_does_not_reconcile(f: Forgery) -> None:
    f.report["differences"] = [{"code": "turnout", "expected": 1, "found": 2}]
    f.recertify()


@RECONCILIATION.noticed_by("reconciliation")
def lose_a_paper_form_and_certify(f: Forgery) -> None:
    f.report["paper"]["printed"] += 1
    f.report["paper"]["unaccounted"] += 1
    f.recertify()


@RECONCILIATION.noticed_by("reconciliation")
def hide_a_revoked_mandate_and_certify(f: Forgery) -> None:
    if not f.report["proxies"]["revoked"]:
        raise NotHere
    f.report["proxies"]["revoked"] -= 1
    f.recertify()


@RECONCILIATION.noticed_by("reconciliation")
def certify_mandates_of_more_principals_than_the_rule_knows(f: Forgery) -> None:
    f.manifest["preset"]["content"]["proxies"]["max_principals"] = 0
    f.remake()


@RECONCILIATION.noticed_by("reconciliation")
def certify_help_that_nobody_confirmed(f: Forgery) -> None:
    f.report["countersigned"]["confirmed"] -= 1
    f.recertify()


@RECONCILIATION.noticed_by("reconciliation")
def leave_out_who_helped_and_certify(f: Forgery) -> None:
    line = f.report["countersigned"]
    line.update(entries=line["entries"] - 1, confirmed=line["confirmed"] - 1)
    f.recertify()


@RECONCILIATION.noticed_by("reconciliation", "sealed-paper")
def enter_a_sheet_too_many_and_certify(f: Forgery) -> None:
    f.report["sheets"]["entered"] += 1
    f.recertify()


@RECONCILIATION.noticed_by("reconciliation", "sealed-paper")
def forget_an_envelope_with_its_sheet_and_certify(f: Forgery) -> None:
    f.report["sheets"]["envelopes"] -= 1
    f.report["sheets"]["entered"] -= 1
    f.recertify()


@RECONCILIATION.noticed_by("reconciliation", "sealed-paper")
def say_that_a_sheet_came_from_a_phone_and_certify(f: Forgery) -> None:
    phone, paper = at(f.report["channels"], 0), at(f.report["channels"], 1)
    for line, more in ((phone, 1), (paper, -1)):
        line["cast"] += more
        line["counted"] += more
    f.recertify()


@RECONCILIATION.noticed_by("reconciliation")
def take_back_more_forms_than_were_issued_and_certify(f: Forgery) -> None:
    f.report["paper"]["issued"] = f.report["paper"]["returned"] - 1
    f.recertify()


@RECONCILIATION.noticed_by("reconciliation", "meeting-hands")
def report_fewer_hands_and_certify(f: Forgery) -> None:
    f.report["by_hand"] += 1
    f.recertify()


@RECONCILIATION.noticed_by("reconciliation")
def lose_fewer_forms_than_none_and_certify(f: Forgery) -> None:
    f.report["paper"]["missing"] -= 3
    f.report["paper"]["unused"] += 3
    f.recertify()


@RECONCILIATION.noticed_by("reconciliation", "sealed-revotes")
def set_fewer_ballots_aside_than_none_and_certify(f: Forgery) -> None:
    line = at(f.report["channels"], 0)
    line["set_aside"] -= 1
    line["cast"] -= 1
    f.recertify()


@RECONCILIATION.noticed_by("reconciliation", "sealed")
def report_a_channel_in_two_lines_and_certify(f: Forgery) -> None:
    line = at(f.report["channels"], 0)
    if line["counted"] < 2:
        raise NotHere
    part = {**line, "cast": 1, "counted": 1}
    line["cast"] -= 1
    line["counted"] -= 1
    f.report["channels"].append(part)
    f.recertify()


@RECONCILIATION.noticed_by("reconciliation")
def bring_more_forms_to_doors_than_were_issued_and_certify(f: Forgery) -> None:
    f.report["paper"]["issued_at_door"] = f.report["paper"]["issued"] + 1
    f.recertify()
