"""Rows that are only ever added are guarded by the database itself, not by our good manners.

The triggers are made with the tables (``create_all``); migrations run the same ``protect`` and
``unprotect`` statements. So are ballots from places that are not on their roll. Whoever owns the
database can remove a trigger: then the chain of digests in the journal shows what was done (``minyi
verify-journal``).
"""

from collections.abc import Sequence

from sqlalchemy import Connection, MetaData, event

from consultation.database import metadata

APPEND_ONLY: Sequence[str] = (
    "document",
    "topic_transition",
    "post_version",
    "outcome",
    "adoption_reply",
    "adoption_signature",
    "progress_report",
    "spending",
    "board_posting",
    "survey_answer",
    "count_signature",
    "roll_entry",
    "ballot",
    "poll_manifest",
    "board_leaf",
    "tree_head",
    "poll_certificate",
    "participation",
    "opened_ballot",
    "box_opener",
    "ballot_assistance",
    "paper_block",
    "paper_issue",
    "paper_entry",
    "paper_scan",
    "paper_fate",
    "sheet_entry",
    "mandate",
    "mandate_withdrawal",
    "hand_count",
    "count_correction",
    "poll_annulment",
    "annulment_confirmation",
    "poll_presence",
    "roll_ruling",
    "voter_designation",
    "outside_result",
    "outside_confirmation",
    "voter_notice",
    "voter_notice_retraction",
    "poll_extension",
    "countersign_request",
    "countersignature",
    "used_parts",
    "part_consent",
)
JOURNAL = "journal_entry"
POLL = "poll"
GUARDED: Sequence[str] = (*APPEND_ONLY, JOURNAL, POLL)
_CONTENT = (
    "id, community_id, topic_id, series_id, version, correction_reason, kind, round, title, body, "
    "content_hash, author_id, org_id, created_at"
)
_TERMS = (
    "question, items, budget_fen, preset, mode, text_hash, roll_version, roll_digest, "
    "manifest_hash, eligible_heads, eligible_area_dm2, opens_at"
)
ON_ROLL: Sequence[str] = ("ballot", "envelope")
"""Places on a roll stay, so that it is enough to look once, when the ballot comes in. A foreign key
would lock the place: it made the write of a ballot nearly twice as dear."""
ALL: Sequence[str] = (*GUARDED, "envelope")
_OFF_ROLL = (
    "NOT EXISTS (SELECT 1 FROM roll_entry e "
    "WHERE e.id = {row}.roll_entry_id AND e.poll_id = {row}.poll_id)"
)
_FACTS = "id, event_id, stream, type, at, community_id, actor_id, actor_role, actor_org_id, data"


_BEGUN = "OLD.state NOT IN ('draft', 'announced')"


def _guards() -> list[tuple[str, str, str, str]]:
    """Trigger name, table, what it refuses, and when. A journal entry's facts never change; its
    number and digest are set once, by the relay. A document may be published later than it was
    filed, and what is published stays so. What a poll is about does not change once it is open."""
    guards = [
        (f"{table}_no_{deed.lower()}", table, deed, "")
        for table in APPEND_ONLY
        for deed in ("UPDATE", "DELETE")
        if (table, deed) != ("document", "UPDATE")
    ]
    return [
        *guards,
        ("document_no_update", "document", f"UPDATE OF {_CONTENT}", ""),
        ("document_no_unpublish", "document", "UPDATE OF public", "WHEN (OLD.public)"),
        (f"{JOURNAL}_no_update", JOURNAL, f"UPDATE OF {_FACTS}", ""),
        (f"{JOURNAL}_no_renumber", JOURNAL, "UPDATE OF seq, digest", "WHEN (OLD.seq IS NOT NULL)"),
        (f"{JOURNAL}_no_delete", JOURNAL, "DELETE", ""),
        (f"{POLL}_no_rewrite", POLL, f"UPDATE OF {_TERMS}", f"WHEN ({_BEGUN})"),
        (f"{POLL}_no_other_candidates", POLL, "UPDATE OF candidates", f"WHEN ({_BEGUN})"),
        (f"{POLL}_no_delete", POLL, "DELETE", f"WHEN ({_BEGUN})"),
    ]


def protect(dialect: str, tables: Sequence[str] = ALL) -> list[str]:
    """Statements that guard these tables, to be run one by one. ``dialect`` is ``sqlite`` or
    ``postgresql``. Running them again changes nothing."""
    guards = [guard for guard in _guards() if guard[1] in tables]
    on_roll = [table for table in ON_ROLL if table in tables]
    if dialect == "sqlite":
        off = _OFF_ROLL.format(row="NEW")
        return [
            *(
                f"CREATE TRIGGER IF NOT EXISTS {name} BEFORE {deed} ON {table} FOR EACH ROW {when} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
                for name, table, deed, when in guards
            ),
            *(
                f"CREATE TRIGGER IF NOT EXISTS {table}_on_roll BEFORE INSERT ON {table} "
                f"FOR EACH ROW WHEN {off} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is not of the roll'); END"
                for table in on_roll
            ),
        ]
    function = (
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME "
        "USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    off_roll = (
        "CREATE OR REPLACE FUNCTION refuse_off_roll() RETURNS trigger LANGUAGE plpgsql AS $$ "  # noqa: S608  our names
        f"BEGIN IF EXISTS (SELECT 1 FROM arrived a WHERE {_OFF_ROLL.format(row='a')}) THEN "
        "RAISE EXCEPTION '% is not of the roll', TG_TABLE_NAME "
        "USING ERRCODE = 'foreign_key_violation'; END IF; RETURN NULL; END $$"
    )
    return [
        function,
        off_roll,
        *(
            f"CREATE OR REPLACE TRIGGER {name} BEFORE {deed} ON {table} FOR EACH ROW {when} "
            "EXECUTE FUNCTION refuse_change()"
            for name, table, deed, when in guards
        ),
        *(
            f"CREATE OR REPLACE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
            for table in tables
            if table in GUARDED
        ),
        *(
            f"CREATE OR REPLACE TRIGGER {table}_on_roll AFTER INSERT ON {table} "
            "REFERENCING NEW TABLE AS arrived FOR EACH STATEMENT EXECUTE FUNCTION refuse_off_roll()"
            for table in on_roll
        ),
    ]


def unprotect(dialect: str, tables: Sequence[str] = ALL) -> list[str]:
    """Statements that take the guards away again, for a migration that must rewrite rows."""
    guards = [(name, table) for name, table, _, _ in _guards() if table in tables]
    guards += [(f"{table}_on_roll", table) for table in ON_ROLL if table in tables]
    if dialect == "sqlite":
        return [f"DROP TRIGGER IF EXISTS {name}" for name, _ in guards]
    guards += [(f"{table}_no_truncate", table) for table in tables if table in GUARDED]
    drops = [f"DROP TRIGGER IF EXISTS {name} ON {table}" for name, table in guards]
    if set(tables) >= set(ALL):
        drops += [
            "DROP FUNCTION IF EXISTS refuse_change()",
            "DROP FUNCTION IF EXISTS refuse_off_roll()",
        ]
    return drops


@event.listens_for(metadata, "after_create")
def _with_the_tables(target: MetaData, connection: Connection, **details: object) -> None:
    for statement in protect(connection.dialect.name):
        connection.exec_driver_sql(statement)
