"""Salts of results, and of which poll a scan of papers is"""

import sqlalchemy as sa
from alembic import op

revision = '0009'
down_revision = '0008'
branch_labels = None
depends_on = None


def run(**statements: list[str]) -> None:
    """What only one database understands, by dialect."""
    for statement in statements[op.get_bind().dialect.name]:
        op.execute(statement)


def upgrade() -> None:
    op.create_table('paper_scan',
    sa.Column('community_id', sa.Uuid(), nullable=False),
    sa.Column('sha256', sa.String(length=64), nullable=False),
    sa.Column('poll_id', sa.Uuid(), nullable=False),
    sa.ForeignKeyConstraint(['community_id'], ['node.id'], name=op.f('fk_paper_scan_community_id_node')),
    sa.ForeignKeyConstraint(['poll_id'], ['poll.id'], name=op.f('fk_paper_scan_poll_id_poll')),
    sa.PrimaryKeyConstraint('community_id', 'sha256', name=op.f('pk_paper_scan'))
    )
    with op.batch_alter_table('poll', schema=None) as batch_op:
        batch_op.add_column(sa.Column('result_salt', sa.LargeBinary(), nullable=True))

    run(
        sqlite=[
            "CREATE TRIGGER IF NOT EXISTS paper_scan_no_update BEFORE UPDATE ON paper_scan FOR EACH ROW  BEGIN SELECT RAISE(ABORT, 'paper_scan is append-only'); END",
            "CREATE TRIGGER IF NOT EXISTS paper_scan_no_delete BEFORE DELETE ON paper_scan FOR EACH ROW  BEGIN SELECT RAISE(ABORT, 'paper_scan is append-only'); END",
        ],
        postgresql=[
            'CREATE OR REPLACE TRIGGER paper_scan_no_update BEFORE UPDATE ON paper_scan FOR EACH ROW  EXECUTE FUNCTION refuse_change()',
            'CREATE OR REPLACE TRIGGER paper_scan_no_delete BEFORE DELETE ON paper_scan FOR EACH ROW  EXECUTE FUNCTION refuse_change()',
            'CREATE OR REPLACE TRIGGER paper_scan_no_truncate BEFORE TRUNCATE ON paper_scan FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()',
        ],
    )


def downgrade() -> None:
    run(
        sqlite=[
            'DROP TRIGGER IF EXISTS paper_scan_no_update',
            'DROP TRIGGER IF EXISTS paper_scan_no_delete',
        ],
        postgresql=[
            'DROP TRIGGER IF EXISTS paper_scan_no_update ON paper_scan',
            'DROP TRIGGER IF EXISTS paper_scan_no_delete ON paper_scan',
            'DROP TRIGGER IF EXISTS paper_scan_no_truncate ON paper_scan',
        ],
    )
    with op.batch_alter_table('poll', schema=None) as batch_op:
        batch_op.drop_column('result_salt')

    op.drop_table('paper_scan')
