"""Imports every table of the domain and its guards, so that ``metadata`` is whole. Nothing else."""

from consultation import append_only, jobs, journal
from consultation.community import tables as community
from consultation.deliberation import photo_tables
from consultation.deliberation import tables as deliberation
from consultation.meetings import tables as meetings
from consultation.outcomes import part_tables
from consultation.outcomes import tables as outcomes
from consultation.oversight import tables as oversight
from consultation.polls import (
    assistance_tables,
    board_tables,
    correction_tables,
    countersign_tables,
    designation_tables,
    envelope_tables,
    extension_tables,
    hand_tables,
    mandate_tables,
    notice_tables,
    objection_tables,
    outside_tables,
    paper_tables,
    presence_tables,
    sheet_tables,
)
from consultation.polls import tables as polls
from consultation.topics import tables as topics

AREAS = (community, topics, deliberation, meetings, polls, outcomes, oversight, jobs, journal)
POLLS = (
    assistance_tables,
    board_tables,
    correction_tables,
    countersign_tables,
    designation_tables,
    envelope_tables,
    extension_tables,
    hand_tables,
    mandate_tables,
    notice_tables,
    objection_tables,
    outside_tables,
    paper_tables,
    presence_tables,
    sheet_tables,
)
PARTS = part_tables
PHOTOS = photo_tables
GUARDS = append_only
