"""What a client that has an event must fetch again: by the type of the event, the operations whose
answer may be another one now. Whatever is not named is as it was.

``volatile`` values and what only time changes (a deadline that comes nearer) are not told here.
"""

from collections.abc import Mapping

TOPIC = frozenset({"get_topic", "list_topics"})
STEP = TOPIC | {"get_topic_timeline"}
POLL = frozenset({"get_poll", "list_topic_polls"})
LEDGER = frozenset({"get_reconciliation", "list_paper_forms"})
ROLL = frozenset({"list_roll", "my_eligibility", "list_roll_objections"})
NEW_POLL = ROLL | LEDGER | {"get_manifest", "get_outside_result", "my_ballot", "list_mandates"}
"""What there is of a poll from its announcement on."""
TASK = frozenset({"get_task", "list_tasks"})
MEETING = frozenset({"get_meeting", "list_meetings"})
THREAD = frozenset({"get_thread", "list_threads", "list_posts"})
DOCUMENTS = frozenset({"list_documents", "get_topic_timeline"})
AFTER_THE_VOTE = frozenset({"get_outcome", "get_adoption", "get_feedback", "get_survey"})
"""These show the state of the topic, its round or a date that hangs on them."""

CHANGES: Mapping[str, frozenset[str]] = {
    "topic.state_changed": STEP | DOCUMENTS | AFTER_THE_VOTE,
    "topic.cosigned": TOPIC,
    "topic.withdrawal_asked": TOPIC,
    "topic.taken_over": STEP,
    "topic.appeal_made": TOPIC,
    "topic.deliberation_extended": STEP | {"get_plan"},
    "topic.overdue": TOPIC,
    "document.published": DOCUMENTS,
    "transfer.changed": STEP,
    "plan.changed": frozenset({"get_plan"}),
    "thread.opened": THREAD,
    "thread.closed": THREAD,
    "post.added": THREAD | {"list_topics"},
    "post.edited": THREAD,
    "post.hidden": THREAD | {"list_topics"},
    "post.restored": THREAD | {"list_topics"},
    "photo.changed": frozenset({"list_photos"}),
    "statement.added": frozenset({"list_statements"}),
    "statement.marked": frozenset({"list_statements"}),
    "statement.moderated": frozenset({"list_statements"}),
    "meeting.convened": MEETING | {"get_minutes", "list_attendance"},
    "meeting.changed": MEETING | {"get_minutes", "list_attendance"},
    "meeting.attendance_changed": MEETING | {"list_attendance"},
    "poll.announced": POLL | TOPIC | NEW_POLL,  # on the roll, one follows the topic from now on
    "poll.opened": POLL | TOPIC,
    "poll.extended": POLL | TOPIC,
    "poll.closed": POLL | TOPIC | LEDGER,
    "poll.signed": POLL,
    "poll.recount_due": POLL,
    "poll.correction_ordered": POLL | {"get_count_correction"},
    "poll.count_corrected": POLL | DOCUMENTS | LEDGER | {"get_count_correction"},
    "poll.ballots_read": frozenset(),
    "poll.result_published": POLL | TOPIC | LEDGER,
    "poll.voided": POLL | TOPIC | LEDGER,
    "poll.opener_came": POLL,
    "poll.box_opened": POLL | LEDGER,
    "poll.box_destroyed": POLL,
    "poll.hands_counted": POLL | LEDGER,
    "poll.presence_fixed": POLL | LEDGER,
    "poll.outside_result_confirmed": POLL | {"get_outside_result"},
    "poll.paper_forms_printed": LEDGER,
    "poll.paper_forms_settled": LEDGER,
    "poll.roll_corrected": POLL | ROLL | DOCUMENTS | {"get_manifest"},
    "poll.roll_objection_made": ROLL,
    "poll.roll_ruling_overdue": frozenset({"list_roll_objections"}),
    "poll.voters_served": POLL | {"list_unserved"},
    "poll.unserved_read": frozenset(),
    "poll.addresses_read": frozenset(),
    "outcome.changed": frozenset({"get_outcome", "get_adoption"}),
    "outcome.consensus_called": frozenset({"get_outcome"}),
    "adoption.signed": frozenset({"get_adoption"}),
    "adoption.replied": frozenset({"get_adoption"}),
    "adoption.reply_extended": frozenset({"get_adoption"}) | TOPIC,
    "outcome.used_parts_declared": frozenset({"get_used_parts"}),
    "task.changed": TASK | {"list_progress", "list_spending"},
    "task.overdue": TASK,
    "task.spending_recorded": TASK | {"list_spending"},
    "document.posted": frozenset({"list_documents", "get_feedback"}),
    "dissent.counted": frozenset({"get_feedback"}),
    "survey.opened": frozenset({"get_survey"}),
    "survey.published": frozenset({"get_survey"}),
    "user.verified": frozenset({"get_me"}),
    "user.role_granted": frozenset({"get_me"}),
    "user.role_ended": frozenset({"get_me"}),
    "user.barred": frozenset(),
    "user.bar_lifted": frozenset(),
    "user.notified": frozenset({"list_my_dissent"}),
    "user.ballot_recorded": frozenset({"my_ballot", "my_eligibility"}),
    "user.mandate_changed": frozenset({"list_mandates"}),
    "user.countersign_asked": frozenset({"list_my_countersignatures"}),
    "user.part_consent_asked": frozenset({"get_used_parts"}),
    "user.part_consent_answered": frozenset({"get_used_parts"}),
    "user.countersign_answered": LEDGER,
    "user.roll_objection_answered": ROLL,
    "user.roll_place_changed": frozenset({"my_eligibility", "my_ballot", "list_mandates"}) | TOPIC,
    "user.voter_named": frozenset({"list_designations"}),
    "notice.added": frozenset({"list_my_notices", "count_unread_notices"}),
    "community.register_imported": frozenset({"read_community", "list_nodes"}),
}
