"""Rows that are only ever added are guarded by the database itself, not by our good manners.

The triggers are made with the tables (``create_all``); migrations run the same ``protect`` and
``unprotect`` statements. Whoever owns the database can remove a trigger: then the chain of digests
in the journal shows what was done (``minyi verify-journal``).
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
    "paper_fate",
    "sheet_entry",
    "mandate",
    "mandate_withdrawal",
    "hand_count",
    "roll_ruling",
    "voter_designation",
    "outside_result",
    "outside_confirmation",
    "voter_notice",
    "poll_extension",
    "countersign_request",
    "countersignature",
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


def protect(dialect: str, tables: Sequence[str] = GUARDED) -> list[str]:
    """Statements that guard these tables, to be run one by one. ``dialect`` is ``sqlite`` or
    ``postgresql``. Running them again changes nothing."""
    guards = [guard for guard in _guards() if guard[1] in tables]
    if dialect == "sqlite":
        return [
            f"CREATE TRIGGER IF NOT EXISTS {name} BEFORE {deed} ON {table} FOR EACH ROW {when} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            for name, table, deed, when in guards
        ]
    function = (
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME "
        "USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    return [
        function,
        *(
            f"CREATE OR REPLACE TRIGGER {name} BEFORE {deed} ON {table} FOR EACH ROW {when} "
            "EXECUTE FUNCTION refuse_change()"
            for name, table, deed, when in guards
        ),
        *(
            f"CREATE OR REPLACE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
            for table in tables
        ),
    ]


def unprotect(dialect: str, tables: Sequence[str] = GUARDED) -> list[str]:
    """Statements that take the guards away again, for a migration that must rewrite rows."""
    guards = [(name, table) for name, table, _, _ in _guards() if table in tables]
    if dialect == "sqlite":
        return [f"DROP TRIGGER IF EXISTS {name}" for name, _ in guards]
    guards += [(f"{table}_no_truncate", table) for table in tables]
    drops = [f"DROP TRIGGER IF EXISTS {name} ON {table}" for name, table in guards]
    if set(tables) >= set(GUARDED):
        drops.append("DROP FUNCTION IF EXISTS refuse_change()")
    return drops


@event.listens_for(metadata, "after_create")
def _with_the_tables(target: MetaData, connection: Connection, **details: object) -> None:
    for statement in protect(connection.dialect.name):
        connection.exec_driver_sql(statement)
