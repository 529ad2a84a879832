"""presence, countersignatures, corrections, bars, retractions and the urgency of deliveries"""

import sqlalchemy as sa
from alembic import op

revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def run(**statements: list[str]) -> None:
    """What only one database understands, by dialect."""
    for statement in statements[op.get_bind().dialect.name]:
        op.execute(statement)


def guard_again() -> None:
    """SQLite makes the tables anew, without their triggers."""
    run(
        postgresql=[],
        sqlite=[
            f"CREATE TRIGGER IF NOT EXISTS {table}_no_{deed.lower()} BEFORE {deed} ON {table} FOR EACH ROW  "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            for table in ('survey_answer', 'voter_designation', 'voter_notice')
            for deed in ('UPDATE', 'DELETE')
        ],
    )


def upgrade() -> None:
    op.create_table('ended_session',
    sa.Column('session_id', sa.Uuid(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('session_id', name=op.f('pk_ended_session'))
    )
    with op.batch_alter_table('ended_session', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_ended_session_at'), ['at'], unique=False)

    op.create_table('account_bar',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('community_id', sa.Uuid(), nullable=True),
    sa.Column('node_id', sa.Uuid(), nullable=False),
    sa.Column('person_id', sa.Uuid(), nullable=False),
    sa.Column('reason', sa.String(length=40), nullable=False),
    sa.Column('basis', sa.String(length=200), nullable=False),
    sa.Column('proposed_by_id', sa.Uuid(), nullable=False),
    sa.Column('proposed_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('confirmed_by_id', sa.Uuid(), nullable=True),
    sa.Column('confirmed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('lifted_by_id', sa.Uuid(), nullable=True),
    sa.Column('lifted_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('lift_basis', sa.String(length=200), nullable=True),
    sa.ForeignKeyConstraint(['community_id'], ['node.id'], name=op.f('fk_account_bar_community_id_node')),
    sa.ForeignKeyConstraint(['confirmed_by_id'], ['person.id'], name=op.f('fk_account_bar_confirmed_by_id_person')),
    sa.ForeignKeyConstraint(['lifted_by_id'], ['person.id'], name=op.f('fk_account_bar_lifted_by_id_person')),
    sa.ForeignKeyConstraint(['node_id'], ['node.id'], name=op.f('fk_account_bar_node_id_node')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_account_bar_person_id_person')),
    sa.ForeignKeyConstraint(['proposed_by_id'], ['person.id'], name=op.f('fk_account_bar_proposed_by_id_person')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_account_bar'))
    )
    with op.batch_alter_table('account_bar', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_account_bar_community_id'), ['community_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_account_bar_node_id'), ['node_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_account_bar_person_id'), ['person_id'], unique=False)
        batch_op.create_index('uq_account_bar_person_id', ['person_id'], unique=True, sqlite_where=sa.text('lifted_at IS NULL'), postgresql_where=sa.text('lifted_at IS NULL'))

    op.create_table('annulment_confirmation',
    sa.Column('poll_id', sa.Uuid(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('community_id', sa.Uuid(), nullable=False),
    sa.Column('document_id', sa.Uuid(), nullable=False),
    sa.Column('confirmed_by_id', sa.Uuid(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['community_id'], ['node.id'], name=op.f('fk_annulment_confirmation_community_id_node')),
    sa.ForeignKeyConstraint(['confirmed_by_id'], ['person.id'], name=op.f('fk_annulment_confirmation_confirmed_by_id_person')),
    sa.ForeignKeyConstraint(['document_id'], ['document.id'], name=op.f('fk_annulment_confirmation_document_id_document')),
    sa.ForeignKeyConstraint(['poll_id'], ['poll.id'], name=op.f('fk_annulment_confirmation_poll_id_poll')),
    sa.PrimaryKeyConstraint('poll_id', name=op.f('pk_annulment_confirmation'))
    )
    op.create_table('count_correction',
    sa.Column('poll_id', sa.Uuid(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('community_id', sa.Uuid(), nullable=False),
    sa.Column('corrects_digest', sa.String(length=64), nullable=False),
    sa.Column('result', sa.JSON(), nullable=False),
    sa.Column('result_digest', sa.String(length=64), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('ordered_by_id', sa.Uuid(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['community_id'], ['node.id'], name=op.f('fk_count_correction_community_id_node')),
    sa.ForeignKeyConstraint(['ordered_by_id'], ['person.id'], name=op.f('fk_count_correction_ordered_by_id_person')),
    sa.ForeignKeyConstraint(['poll_id'], ['poll.id'], name=op.f('fk_count_correction_poll_id_poll')),
    sa.PrimaryKeyConstraint('poll_id', 'number', name=op.f('pk_count_correction'))
    )
    op.create_table('countersign_request',
    sa.Column('poll_id', sa.Uuid(), nullable=False),
    sa.Column('subject', sa.String(length=40), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('turn', sa.Integer(), nullable=False),
    sa.Column('person_id', sa.Uuid(), nullable=False),
    sa.Column('community_id', sa.Uuid(), nullable=False),
    sa.Column('asked_by_id', sa.Uuid(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['asked_by_id'], ['person.id'], name=op.f('fk_countersign_request_asked_by_id_person')),
    sa.ForeignKeyConstraint(['community_id'], ['node.id'], name=op.f('fk_countersign_request_community_id_node')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_countersign_request_person_id_person')),
    sa.ForeignKeyConstraint(['poll_id'], ['poll.id'], name=op.f('fk_countersign_request_poll_id_poll')),
    sa.PrimaryKeyConstraint('poll_id', 'subject', 'number', 'turn', 'person_id', name=op.f('pk_countersign_request'))
    )
    with op.batch_alter_table('countersign_request', schema=None) as batch_op:
        batch_op.create_index('ix_countersign_request_person', ['person_id', 'at'], unique=False)

    op.create_table('countersignature',
    sa.Column('poll_id', sa.Uuid(), nullable=False),
    sa.Column('subject', sa.String(length=40), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('turn', sa.Integer(), nullable=False),
    sa.Column('person_id', sa.Uuid(), nullable=False),
    sa.Column('community_id', sa.Uuid(), nullable=False),
    sa.Column('answer', sa.String(length=40), nullable=False),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['community_id'], ['node.id'], name=op.f('fk_countersignature_community_id_node')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_countersignature_person_id_person')),
    sa.ForeignKeyConstraint(['poll_id'], ['poll.id'], name=op.f('fk_countersignature_poll_id_poll')),
    sa.PrimaryKeyConstraint('poll_id', 'subject', 'number', 'turn', 'person_id', name=op.f('pk_countersignature'))
    )
    op.create_table('poll_annulment',
    sa.Column('poll_id', sa.Uuid(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('community_id', sa.Uuid(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('proposed_by_id', sa.Uuid(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['community_id'], ['node.id'], name=op.f('fk_poll_annulment_community_id_node')),
    sa.ForeignKeyConstraint(['poll_id'], ['poll.id'], name=op.f('fk_poll_annulment_poll_id_poll')),
    sa.ForeignKeyConstraint(['proposed_by_id'], ['person.id'], name=op.f('fk_poll_annulment_proposed_by_id_person')),
    sa.PrimaryKeyConstraint('poll_id', 'version', name=op.f('pk_poll_annulment'))
    )
    op.create_table('poll_extension',
    sa.Column('poll_id', sa.Uuid(), nullable=False),
    sa.Column('community_id', sa.Uuid(), nullable=False),
    sa.Column('from_closes_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('to_closes_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('by_id', sa.Uuid(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['by_id'], ['person.id'], name=op.f('fk_poll_extension_by_id_person')),
    sa.ForeignKeyConstraint(['community_id'], ['node.id'], name=op.f('fk_poll_extension_community_id_node')),
    sa.ForeignKeyConstraint(['poll_id'], ['poll.id'], name=op.f('fk_poll_extension_poll_id_poll')),
    sa.PrimaryKeyConstraint('poll_id', name=op.f('pk_poll_extension'))
    )
    op.create_table('poll_presence',
    sa.Column('poll_id', sa.Uuid(), nullable=False),
    sa.Column('roll_entry_id', sa.Uuid(), nullable=False),
    sa.Column('community_id', sa.Uuid(), nullable=False),
    sa.ForeignKeyConstraint(['community_id'], ['node.id'], name=op.f('fk_poll_presence_community_id_node')),
    sa.ForeignKeyConstraint(['poll_id'], ['poll.id'], name=op.f('fk_poll_presence_poll_id_poll')),
    sa.ForeignKeyConstraint(['roll_entry_id'], ['roll_entry.id'], name=op.f('fk_poll_presence_roll_entry_id_roll_entry')),
    sa.PrimaryKeyConstraint('poll_id', 'roll_entry_id', name=op.f('pk_poll_presence'))
    )
    op.create_table('voter_notice_retraction',
    sa.Column('notice_id', sa.Uuid(), nullable=False),
    sa.Column('community_id', sa.Uuid(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('reason', sa.String(length=60), nullable=False),
    sa.ForeignKeyConstraint(['community_id'], ['node.id'], name=op.f('fk_voter_notice_retraction_community_id_node')),
    sa.ForeignKeyConstraint(['notice_id'], ['voter_notice.id'], name=op.f('fk_voter_notice_retraction_notice_id_voter_notice')),
    sa.PrimaryKeyConstraint('notice_id', name=op.f('pk_voter_notice_retraction'))
    )
    with op.batch_alter_table('voter_notice_retraction', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_voter_notice_retraction_community_id'), ['community_id'], unique=False)

    with op.batch_alter_table('delivery', schema=None) as batch_op:
        batch_op.add_column(sa.Column('urgency', sa.String(length=40), server_default='normal', nullable=False))
        batch_op.drop_index(batch_op.f('ix_delivery_due'), sqlite_where=sa.text("state = 'waiting' AND channel <> 'printed'"))
        batch_op.create_index('ix_delivery_due', ['channel', 'urgency', 'next_try', 'id'], unique=False, sqlite_where=sa.text("state = 'waiting' AND channel <> 'printed'"), postgresql_where=sa.text("state = 'waiting' AND channel <> 'printed'"))

    with op.batch_alter_table('media_check', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_media_check_person_id'), ['person_id'], unique=False)

    with op.batch_alter_table('person', schema=None) as batch_op:
        batch_op.add_column(sa.Column('phone_bound_at', sa.DateTime(timezone=True), nullable=True))

    with op.batch_alter_table('poll', schema=None) as batch_op:
        batch_op.add_column(sa.Column('registered_adults', sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column('presence_fixed_at', sa.DateTime(timezone=True), nullable=True))

    with op.batch_alter_table('survey_answer', schema=None) as batch_op:
        batch_op.add_column(sa.Column('themes_checked', sa.Boolean(), server_default=sa.false(), nullable=False))

    with op.batch_alter_table('voter_designation', schema=None) as batch_op:
        batch_op.add_column(sa.Column('from_register', sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.alter_column('person_id',
               existing_type=sa.CHAR(length=32),
               nullable=True)
        batch_op.alter_column('by_id',
               existing_type=sa.CHAR(length=32),
               nullable=True)

    with op.batch_alter_table('voter_notice', schema=None) as batch_op:
        batch_op.add_column(sa.Column('take', sa.Integer(), server_default='0', nullable=False))
        batch_op.drop_constraint(batch_op.f('uq_voter_notice_poll_id_roll_entry_id_channel'), type_='unique')
        batch_op.create_unique_constraint(batch_op.f('uq_voter_notice_poll_id_roll_entry_id_channel_take'), ['poll_id', 'roll_entry_id', 'channel', 'take'])

    run(  # presets say no more whether areas are public: shares are
        sqlite=[
            'DROP TRIGGER IF EXISTS poll_no_rewrite',
            "UPDATE poll SET preset = json_remove(preset, '$.public_area_sums')",
            "CREATE TRIGGER IF NOT EXISTS poll_no_rewrite BEFORE UPDATE OF question, items, budget_fen, preset, mode, text_hash, roll_version, roll_digest, manifest_hash, eligible_heads, eligible_area_dm2, opens_at ON poll FOR EACH ROW WHEN (OLD.state NOT IN ('draft', 'announced')) BEGIN SELECT RAISE(ABORT, 'poll is append-only'); END",
        ],
        postgresql=[
            'DROP TRIGGER IF EXISTS poll_no_rewrite ON poll',
            "UPDATE poll SET preset = (preset::jsonb - 'public_area_sums')::json",
            "CREATE OR REPLACE TRIGGER poll_no_rewrite BEFORE UPDATE OF question, items, budget_fen, preset, mode, text_hash, roll_version, roll_digest, manifest_hash, eligible_heads, eligible_area_dm2, opens_at ON poll FOR EACH ROW WHEN (OLD.state NOT IN ('draft', 'announced')) EXECUTE FUNCTION refuse_change()",
        ],
    )
    op.execute(
        "UPDATE delivery SET urgency = coalesce("
        "(SELECT n.urgency FROM notice n WHERE n.id = delivery.notice_id), 'normal')"
    )
    for table, column, kind in (
        ('delivery', 'urgency', sa.String(length=40)),
        ('survey_answer', 'themes_checked', sa.Boolean()),
        ('voter_designation', 'from_register', sa.Boolean()),
        ('voter_notice', 'take', sa.Integer()),
    ):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.alter_column(column, server_default=None, existing_type=kind, existing_nullable=False)
    guard_again()
    run(
        sqlite=[
            "CREATE TRIGGER IF NOT EXISTS count_correction_no_update BEFORE UPDATE ON count_correction FOR EACH ROW  BEGIN SELECT RAISE(ABORT, 'count_correction is append-only'); END",
            "CREATE TRIGGER IF NOT EXISTS count_correction_no_delete BEFORE DELETE ON count_correction FOR EACH ROW  BEGIN SELECT RAISE(ABORT, 'count_correction is append-only'); END",
            "CREATE TRIGGER IF NOT EXISTS poll_annulment_no_update BEFORE UPDATE ON poll_annulment FOR EACH ROW  BEGIN SELECT RAISE(ABORT, 'poll_annulment is append-only'); END",
            "CREATE TRIGGER IF NOT EXISTS poll_annulment_no_delete BEFORE DELETE ON poll_annulment FOR EACH ROW  BEGIN SELECT RAISE(ABORT, 'poll_annulment is append-only'); END",
            "CREATE TRIGGER IF NOT EXISTS annulment_confirmation_no_update BEFORE UPDATE ON annulment_confirmation FOR EACH ROW  BEGIN SELECT RAISE(ABORT, 'annulment_confirmation is append-only'); END",
            "CREATE TRIGGER IF NOT EXISTS annulment_confirmation_no_delete BEFORE DELETE ON annulment_confirmation FOR EACH ROW  BEGIN SELECT RAISE(ABORT, 'annulment_confirmation is append-only'); END",
            "CREATE TRIGGER IF NOT EXISTS poll_presence_no_update BEFORE UPDATE ON poll_presence FOR EACH ROW  BEGIN SELECT RAISE(ABORT, 'poll_presence is append-only'); END",
            "CREATE TRIGGER IF NOT EXISTS poll_presence_no_delete BEFORE DELETE ON poll_presence FOR EACH ROW  BEGIN SELECT RAISE(ABORT, 'poll_presence is append-only'); END",
            "CREATE TRIGGER IF NOT EXISTS voter_notice_retraction_no_update BEFORE UPDATE ON voter_notice_retraction FOR EACH ROW  BEGIN SELECT RAISE(ABORT, 'voter_notice_retraction is append-only'); END",
            "CREATE TRIGGER IF NOT EXISTS voter_notice_retraction_no_delete BEFORE DELETE ON voter_notice_retraction FOR EACH ROW  BEGIN SELECT RAISE(ABORT, 'voter_notice_retraction is append-only'); END",
            "CREATE TRIGGER IF NOT EXISTS poll_extension_no_update BEFORE UPDATE ON poll_extension FOR EACH ROW  BEGIN SELECT RAISE(ABORT, 'poll_extension is append-only'); END",
            "CREATE TRIGGER IF NOT EXISTS poll_extension_no_delete BEFORE DELETE ON poll_extension FOR EACH ROW  BEGIN SELECT RAISE(ABORT, 'poll_extension is append-only'); END",
            "CREATE TRIGGER IF NOT EXISTS countersign_request_no_update BEFORE UPDATE ON countersign_request FOR EACH ROW  BEGIN SELECT RAISE(ABORT, 'countersign_request is append-only'); END",
            "CREATE TRIGGER IF NOT EXISTS countersign_request_no_delete BEFORE DELETE ON countersign_request FOR EACH ROW  BEGIN SELECT RAISE(ABORT, 'countersign_request is append-only'); END",
            "CREATE TRIGGER IF NOT EXISTS countersignature_no_update BEFORE UPDATE ON countersignature FOR EACH ROW  BEGIN SELECT RAISE(ABORT, 'countersignature is append-only'); END",
            "CREATE TRIGGER IF NOT EXISTS countersignature_no_delete BEFORE DELETE ON countersignature FOR EACH ROW  BEGIN SELECT RAISE(ABORT, 'countersignature is append-only'); END",
        ],
        postgresql=[
            'CREATE OR REPLACE TRIGGER count_correction_no_update BEFORE UPDATE ON count_correction FOR EACH ROW  EXECUTE FUNCTION refuse_change()',
            'CREATE OR REPLACE TRIGGER count_correction_no_delete BEFORE DELETE ON count_correction FOR EACH ROW  EXECUTE FUNCTION refuse_change()',
            'CREATE OR REPLACE TRIGGER poll_annulment_no_update BEFORE UPDATE ON poll_annulment FOR EACH ROW  EXECUTE FUNCTION refuse_change()',
            'CREATE OR REPLACE TRIGGER poll_annulment_no_delete BEFORE DELETE ON poll_annulment FOR EACH ROW  EXECUTE FUNCTION refuse_change()',
            'CREATE OR REPLACE TRIGGER annulment_confirmation_no_update BEFORE UPDATE ON annulment_confirmation FOR EACH ROW  EXECUTE FUNCTION refuse_change()',
            'CREATE OR REPLACE TRIGGER annulment_confirmation_no_delete BEFORE DELETE ON annulment_confirmation FOR EACH ROW  EXECUTE FUNCTION refuse_change()',
            'CREATE OR REPLACE TRIGGER poll_presence_no_update BEFORE UPDATE ON poll_presence FOR EACH ROW  EXECUTE FUNCTION refuse_change()',
            'CREATE OR REPLACE TRIGGER poll_presence_no_delete BEFORE DELETE ON poll_presence FOR EACH ROW  EXECUTE FUNCTION refuse_change()',
            'CREATE OR REPLACE TRIGGER voter_notice_retraction_no_update BEFORE UPDATE ON voter_notice_retraction FOR EACH ROW  EXECUTE FUNCTION refuse_change()',
            'CREATE OR REPLACE TRIGGER voter_notice_retraction_no_delete BEFORE DELETE ON voter_notice_retraction FOR EACH ROW  EXECUTE FUNCTION refuse_change()',
            'CREATE OR REPLACE TRIGGER poll_extension_no_update BEFORE UPDATE ON poll_extension FOR EACH ROW  EXECUTE FUNCTION refuse_change()',
            'CREATE OR REPLACE TRIGGER poll_extension_no_delete BEFORE DELETE ON poll_extension FOR EACH ROW  EXECUTE FUNCTION refuse_change()',
            'CREATE OR REPLACE TRIGGER countersign_request_no_update BEFORE UPDATE ON countersign_request FOR EACH ROW  EXECUTE FUNCTION refuse_change()',
            'CREATE OR REPLACE TRIGGER countersign_request_no_delete BEFORE DELETE ON countersign_request FOR EACH ROW  EXECUTE FUNCTION refuse_change()',
            'CREATE OR REPLACE TRIGGER countersignature_no_update BEFORE UPDATE ON countersignature FOR EACH ROW  EXECUTE FUNCTION refuse_change()',
            'CREATE OR REPLACE TRIGGER countersignature_no_delete BEFORE DELETE ON countersignature FOR EACH ROW  EXECUTE FUNCTION refuse_change()',
            'CREATE OR REPLACE TRIGGER count_correction_no_truncate BEFORE TRUNCATE ON count_correction FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()',
            'CREATE OR REPLACE TRIGGER poll_annulment_no_truncate BEFORE TRUNCATE ON poll_annulment FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()',
            'CREATE OR REPLACE TRIGGER annulment_confirmation_no_truncate BEFORE TRUNCATE ON annulment_confirmation FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()',
            'CREATE OR REPLACE TRIGGER poll_presence_no_truncate BEFORE TRUNCATE ON poll_presence FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()',
            'CREATE OR REPLACE TRIGGER voter_notice_retraction_no_truncate BEFORE TRUNCATE ON voter_notice_retraction FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()',
            'CREATE OR REPLACE TRIGGER poll_extension_no_truncate BEFORE TRUNCATE ON poll_extension FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()',
            'CREATE OR REPLACE TRIGGER countersign_request_no_truncate BEFORE TRUNCATE ON countersign_request FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()',
            'CREATE OR REPLACE TRIGGER countersignature_no_truncate BEFORE TRUNCATE ON countersignature FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()',
        ],
    )


def downgrade() -> None:
    run(
        sqlite=[
            'DROP TRIGGER IF EXISTS count_correction_no_update',
            'DROP TRIGGER IF EXISTS count_correction_no_delete',
            'DROP TRIGGER IF EXISTS poll_annulment_no_update',
            'DROP TRIGGER IF EXISTS poll_annulment_no_delete',
            'DROP TRIGGER IF EXISTS annulment_confirmation_no_update',
            'DROP TRIGGER IF EXISTS annulment_confirmation_no_delete',
            'DROP TRIGGER IF EXISTS poll_presence_no_update',
            'DROP TRIGGER IF EXISTS poll_presence_no_delete',
            'DROP TRIGGER IF EXISTS voter_notice_retraction_no_update',
            'DROP TRIGGER IF EXISTS voter_notice_retraction_no_delete',
            'DROP TRIGGER IF EXISTS poll_extension_no_update',
            'DROP TRIGGER IF EXISTS poll_extension_no_delete',
            'DROP TRIGGER IF EXISTS countersign_request_no_update',
            'DROP TRIGGER IF EXISTS countersign_request_no_delete',
            'DROP TRIGGER IF EXISTS countersignature_no_update',
            'DROP TRIGGER IF EXISTS countersignature_no_delete',
        ],
        postgresql=[
            'DROP TRIGGER IF EXISTS count_correction_no_update ON count_correction',
            'DROP TRIGGER IF EXISTS count_correction_no_delete ON count_correction',
            'DROP TRIGGER IF EXISTS poll_annulment_no_update ON poll_annulment',
            'DROP TRIGGER IF EXISTS poll_annulment_no_delete ON poll_annulment',
            'DROP TRIGGER IF EXISTS annulment_confirmation_no_update ON annulment_confirmation',
            'DROP TRIGGER IF EXISTS annulment_confirmation_no_delete ON annulment_confirmation',
            'DROP TRIGGER IF EXISTS poll_presence_no_update ON poll_presence',
            'DROP TRIGGER IF EXISTS poll_presence_no_delete ON poll_presence',
            'DROP TRIGGER IF EXISTS voter_notice_retraction_no_update ON voter_notice_retraction',
            'DROP TRIGGER IF EXISTS voter_notice_retraction_no_delete ON voter_notice_retraction',
            'DROP TRIGGER IF EXISTS poll_extension_no_update ON poll_extension',
            'DROP TRIGGER IF EXISTS poll_extension_no_delete ON poll_extension',
            'DROP TRIGGER IF EXISTS countersign_request_no_update ON countersign_request',
            'DROP TRIGGER IF EXISTS countersign_request_no_delete ON countersign_request',
            'DROP TRIGGER IF EXISTS countersignature_no_update ON countersignature',
            'DROP TRIGGER IF EXISTS countersignature_no_delete ON countersignature',
            'DROP TRIGGER IF EXISTS count_correction_no_truncate ON count_correction',
            'DROP TRIGGER IF EXISTS poll_annulment_no_truncate ON poll_annulment',
            'DROP TRIGGER IF EXISTS annulment_confirmation_no_truncate ON annulment_confirmation',
            'DROP TRIGGER IF EXISTS poll_presence_no_truncate ON poll_presence',
            'DROP TRIGGER IF EXISTS voter_notice_retraction_no_truncate ON voter_notice_retraction',
            'DROP TRIGGER IF EXISTS poll_extension_no_truncate ON poll_extension',
            'DROP TRIGGER IF EXISTS countersign_request_no_truncate ON countersign_request',
            'DROP TRIGGER IF EXISTS countersignature_no_truncate ON countersignature',
        ],
    )
    with op.batch_alter_table('voter_notice', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('uq_voter_notice_poll_id_roll_entry_id_channel_take'), type_='unique')
        batch_op.create_unique_constraint(batch_op.f('uq_voter_notice_poll_id_roll_entry_id_channel'), ['poll_id', 'roll_entry_id', 'channel'])
        batch_op.drop_column('take')

    with op.batch_alter_table('voter_designation', schema=None) as batch_op:
        batch_op.alter_column('by_id',
               existing_type=sa.CHAR(length=32),
               nullable=False)
        batch_op.alter_column('person_id',
               existing_type=sa.CHAR(length=32),
               nullable=False)
        batch_op.drop_column('from_register')

    with op.batch_alter_table('survey_answer', schema=None) as batch_op:
        batch_op.drop_column('themes_checked')

    with op.batch_alter_table('poll', schema=None) as batch_op:
        batch_op.drop_column('presence_fixed_at')
        batch_op.drop_column('registered_adults')

    with op.batch_alter_table('person', schema=None) as batch_op:
        batch_op.drop_column('phone_bound_at')

    with op.batch_alter_table('media_check', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_media_check_person_id'))

    with op.batch_alter_table('delivery', schema=None) as batch_op:
        batch_op.drop_index('ix_delivery_due', sqlite_where=sa.text("state = 'waiting' AND channel <> 'printed'"), postgresql_where=sa.text("state = 'waiting' AND channel <> 'printed'"))
        batch_op.create_index(batch_op.f('ix_delivery_due'), ['next_try', 'id'], unique=False, sqlite_where=sa.text("state = 'waiting' AND channel <> 'printed'"), postgresql_where=sa.text("state = 'waiting' AND channel <> 'printed'"))
        batch_op.drop_column('urgency')

    with op.batch_alter_table('voter_notice_retraction', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_voter_notice_retraction_community_id'))

    op.drop_table('voter_notice_retraction')
    op.drop_table('poll_presence')
    op.drop_table('poll_extension')
    op.drop_table('poll_annulment')
    op.drop_table('countersignature')
    with op.batch_alter_table('countersign_request', schema=None) as batch_op:
        batch_op.drop_index('ix_countersign_request_person')

    op.drop_table('countersign_request')
    op.drop_table('count_correction')
    op.drop_table('annulment_confirmation')
    with op.batch_alter_table('account_bar', schema=None) as batch_op:
        batch_op.drop_index('uq_account_bar_person_id', sqlite_where=sa.text('lifted_at IS NULL'), postgresql_where=sa.text('lifted_at IS NULL'))
        batch_op.drop_index(batch_op.f('ix_account_bar_person_id'))
        batch_op.drop_index(batch_op.f('ix_account_bar_node_id'))
        batch_op.drop_index(batch_op.f('ix_account_bar_community_id'))

    op.drop_table('account_bar')
    with op.batch_alter_table('ended_session', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_ended_session_at'))

    op.drop_table('ended_session')
    guard_again()
    run(
        postgresql=[],
        sqlite=[
            "CREATE TRIGGER IF NOT EXISTS poll_no_rewrite BEFORE UPDATE OF question, items, budget_fen, preset, mode, text_hash, roll_version, roll_digest, manifest_hash, eligible_heads, eligible_area_dm2, opens_at ON poll FOR EACH ROW WHEN (OLD.state NOT IN ('draft', 'announced')) BEGIN SELECT RAISE(ABORT, 'poll is append-only'); END",
            "CREATE TRIGGER IF NOT EXISTS poll_no_other_candidates BEFORE UPDATE OF candidates ON poll FOR EACH ROW WHEN (OLD.state NOT IN ('draft', 'announced')) BEGIN SELECT RAISE(ABORT, 'poll is append-only'); END",
            "CREATE TRIGGER IF NOT EXISTS poll_no_delete BEFORE DELETE ON poll FOR EACH ROW WHEN (OLD.state NOT IN ('draft', 'announced')) BEGIN SELECT RAISE(ABORT, 'poll is append-only'); END",
        ],
    )
