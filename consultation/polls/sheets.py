"""SHEETS: the paper of a confidential poll, when nobody knows any more whose it is. No I/O.

A voter hands a sheet in as postal voters do: unmarked, in a plain inner envelope, and that in an
outer one which has the number of the form that was issued to them. Until the close the outer
envelope is the voter's ballot and lies under their name, like a sealed one from the phone. After
the close the outer envelopes that still stand are opened in public, the inner ones mixed, and the
sheets numbered from 1 as they come out; two people enter each under that number, which leads to no
voter. An empty envelope, and one with several sheets, is one sheet that cannot be read.
"""

from consultation.refusals import Invalid, NotFound, NotNow


class FormStaysShut(Invalid):
    """In a confidential poll nothing is entered under the number of a form: it leads to a voter."""

    code = "paper-form-stays-shut"


class SheetNotThere(NotFound):
    """There are as many sheets as envelopes on paper that stand."""

    code = "paper-sheet-not-there"


class SheetsNotEntered(NotNow):
    """The box is opened once two people have entered every sheet alike."""

    code = "paper-sheets-not-entered"


def check_number(sheet: int, *, envelopes: int) -> None:
    if not 1 <= sheet <= envelopes:
        raise SheetNotThere(sheets=envelopes)


def check_entered(entered: int, *, envelopes: int) -> None:
    if entered != envelopes:
        raise SheetsNotEntered(entered=entered, sheets=envelopes)
