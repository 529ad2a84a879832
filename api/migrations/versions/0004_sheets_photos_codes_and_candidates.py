"""sheets, photos, codes and candidates"""

import sqlalchemy as sa
from alembic import op

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def run(**statements: list[str]) -> None:
    """What only one database understands, by dialect."""
    for statement in statements[op.get_bind().dialect.name]:
        op.execute(statement)


def upgrade() -> None:
    op.create_table('phone_code',
    sa.Column('phone_lookup', sa.String(length=64), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('code_hash', sa.String(length=64), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('sent_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('used_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('phone_lookup', name=op.f('pk_phone_code')),
    sa.UniqueConstraint('id', name=op.f('uq_phone_code_id'))
    )
    with op.batch_alter_table('phone_code', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_phone_code_expires_at'), ['expires_at'], unique=False)

    op.create_table('phone_code_count',
    sa.Column('of', sa.String(length=80), nullable=False),
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('sent', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('of', 'day', name=op.f('pk_phone_code_count'))
    )
    with op.batch_alter_table('phone_code_count', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_phone_code_count_day'), ['day'], unique=False)

    op.create_table('photo',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('community_id', sa.Uuid(), nullable=False),
    sa.Column('topic_id', sa.Uuid(), nullable=False),
    sa.Column('author_id', sa.Uuid(), nullable=False),
    sa.Column('source_sha256', sa.String(length=64), nullable=False),
    sa.Column('sha256', sa.String(length=64), nullable=False),
    sa.Column('width', sa.Integer(), nullable=False),
    sa.Column('height', sa.Integer(), nullable=False),
    sa.Column('alt', sa.String(length=120), nullable=False),
    sa.Column('state', sa.String(length=40), nullable=False),
    sa.Column('hidden_reason', sa.Text(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['author_id'], ['person.id'], name=op.f('fk_photo_author_id_person')),
    sa.ForeignKeyConstraint(['community_id'], ['node.id'], name=op.f('fk_photo_community_id_node')),
    sa.ForeignKeyConstraint(['topic_id'], ['topic.id'], name=op.f('fk_photo_topic_id_topic')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_photo')),
    sa.UniqueConstraint('topic_id', 'source_sha256', name=op.f('uq_photo_topic_id_source_sha256'))
    )
    with op.batch_alter_table('photo', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_photo_author_id'), ['author_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_photo_community_id'), ['community_id'], unique=False)

    op.create_table('sealed_sheet',
    sa.Column('poll_id', sa.Uuid(), nullable=False),
    sa.Column('sheet', sa.Integer(), nullable=False),
    sa.Column('community_id', sa.Uuid(), nullable=False),
    sa.Column('sealed', sa.LargeBinary(), nullable=False),
    sa.ForeignKeyConstraint(['community_id'], ['node.id'], name=op.f('fk_sealed_sheet_community_id_node')),
    sa.ForeignKeyConstraint(['poll_id'], ['poll.id'], name=op.f('fk_sealed_sheet_poll_id_poll')),
    sa.PrimaryKeyConstraint('poll_id', 'sheet', name=op.f('pk_sealed_sheet'))
    )
    op.create_table('sheet_entry',
    sa.Column('poll_id', sa.Uuid(), nullable=False),
    sa.Column('sheet', sa.Integer(), nullable=False),
    sa.Column('person_id', sa.Uuid(), nullable=False),
    sa.Column('entry_no', sa.Integer(), nullable=False),
    sa.Column('community_id', sa.Uuid(), nullable=False),
    sa.Column('by_teller', sa.Boolean(), nullable=False),
    sa.Column('readable', sa.Boolean(), nullable=False),
    sa.Column('content', sa.String(length=64), nullable=False),
    sa.Column('scans', sa.JSON(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['community_id'], ['node.id'], name=op.f('fk_sheet_entry_community_id_node')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_sheet_entry_person_id_person')),
    sa.ForeignKeyConstraint(['poll_id'], ['poll.id'], name=op.f('fk_sheet_entry_poll_id_poll')),
    sa.PrimaryKeyConstraint('poll_id', 'sheet', 'person_id', name=op.f('pk_sheet_entry')),
    sa.UniqueConstraint('poll_id', 'sheet', 'entry_no', name=op.f('uq_sheet_entry_poll_id_sheet_entry_no'))
    )
    with op.batch_alter_table('ballot', schema=None) as batch_op:
        batch_op.create_index('ix_ballot_invalid', ['poll_id'], unique=False, sqlite_where=sa.text('choices IS NULL'), postgresql_where=sa.text('choices IS NULL'))

    with op.batch_alter_table('poll', schema=None) as batch_op:
        batch_op.add_column(sa.Column('candidates', sa.JSON(), server_default='[]', nullable=False))

    with op.batch_alter_table('poll', schema=None) as batch_op:
        batch_op.alter_column('candidates', server_default=None, existing_type=sa.JSON(), existing_nullable=False)

    run(
        sqlite=[
            "CREATE TRIGGER IF NOT EXISTS sheet_entry_no_update BEFORE UPDATE ON sheet_entry FOR EACH ROW  BEGIN SELECT RAISE(ABORT, 'sheet_entry is append-only'); END",
            "CREATE TRIGGER IF NOT EXISTS sheet_entry_no_delete BEFORE DELETE ON sheet_entry FOR EACH ROW  BEGIN SELECT RAISE(ABORT, 'sheet_entry is append-only'); END",
            # SQLite has made the table anew, without its guards
            "CREATE TRIGGER IF NOT EXISTS poll_no_rewrite BEFORE UPDATE OF question, items, budget_fen, preset, mode, text_hash, roll_version, roll_digest, manifest_hash, eligible_heads, eligible_area_dm2, opens_at ON poll FOR EACH ROW WHEN (OLD.state NOT IN ('draft', 'announced')) BEGIN SELECT RAISE(ABORT, 'poll is append-only'); END",
            "CREATE TRIGGER IF NOT EXISTS poll_no_delete BEFORE DELETE ON poll FOR EACH ROW WHEN (OLD.state NOT IN ('draft', 'announced')) BEGIN SELECT RAISE(ABORT, 'poll is append-only'); END",
            "CREATE TRIGGER IF NOT EXISTS poll_no_other_candidates BEFORE UPDATE OF candidates ON poll FOR EACH ROW WHEN (OLD.state NOT IN ('draft', 'announced')) BEGIN SELECT RAISE(ABORT, 'poll is append-only'); END",
        ],
        postgresql=[
            'CREATE OR REPLACE TRIGGER sheet_entry_no_update BEFORE UPDATE ON sheet_entry FOR EACH ROW  EXECUTE FUNCTION refuse_change()',
            'CREATE OR REPLACE TRIGGER sheet_entry_no_delete BEFORE DELETE ON sheet_entry FOR EACH ROW  EXECUTE FUNCTION refuse_change()',
            "CREATE OR REPLACE TRIGGER poll_no_other_candidates BEFORE UPDATE OF candidates ON poll FOR EACH ROW WHEN (OLD.state NOT IN ('draft', 'announced')) EXECUTE FUNCTION refuse_change()",
            'CREATE OR REPLACE TRIGGER sheet_entry_no_truncate BEFORE TRUNCATE ON sheet_entry FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()',
        ],
    )


def downgrade() -> None:
    run(
        sqlite=[
            'DROP TRIGGER IF EXISTS sheet_entry_no_update',
            'DROP TRIGGER IF EXISTS sheet_entry_no_delete',
            'DROP TRIGGER IF EXISTS poll_no_other_candidates',
        ],
        postgresql=[
            'DROP TRIGGER IF EXISTS sheet_entry_no_update ON sheet_entry',
            'DROP TRIGGER IF EXISTS sheet_entry_no_delete ON sheet_entry',
            'DROP TRIGGER IF EXISTS poll_no_other_candidates ON poll',
            'DROP TRIGGER IF EXISTS sheet_entry_no_truncate ON sheet_entry',
        ],
    )
    # not in a batch, which would make the table anew without its guards
    op.execute('ALTER TABLE poll DROP COLUMN candidates')

    with op.batch_alter_table('ballot', schema=None) as batch_op:
        batch_op.drop_index('ix_ballot_invalid', sqlite_where=sa.text('choices IS NULL'), postgresql_where=sa.text('choices IS NULL'))

    op.drop_table('sheet_entry')
    op.drop_table('sealed_sheet')
    with op.batch_alter_table('photo', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_photo_community_id'))
        batch_op.drop_index(batch_op.f('ix_photo_author_id'))

    op.drop_table('photo')
    with op.batch_alter_table('phone_code_count', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_phone_code_count_day'))

    op.drop_table('phone_code_count')
    with op.batch_alter_table('phone_code', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_phone_code_expires_at'))

    op.drop_table('phone_code')
