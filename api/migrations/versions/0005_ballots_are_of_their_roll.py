"""One foreign key for a ballot: its place, on the roll of its own poll."""

import sqlalchemy as sa
from alembic import op

revision = '0005'
down_revision = '0004'
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
            f"CREATE TRIGGER ballot_no_{deed.lower()} BEFORE {deed} ON ballot FOR EACH ROW  "
            "BEGIN SELECT RAISE(ABORT, 'ballot is append-only'); END"
            for deed in ('UPDATE', 'DELETE')
        ],
    )


def upgrade() -> None:
    with op.batch_alter_table('roll_entry', schema=None) as batch_op:
        batch_op.create_index('uq_roll_entry_poll_id_id', ['poll_id', 'id'], unique=True)

    with op.batch_alter_table('ballot', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('fk_ballot_community_id_node'), type_='foreignkey')
        batch_op.drop_constraint(batch_op.f('fk_ballot_poll_id_poll'), type_='foreignkey')
        batch_op.drop_constraint(batch_op.f('fk_ballot_roll_entry_id_roll_entry'), type_='foreignkey')
        batch_op.create_foreign_key(batch_op.f('fk_ballot_poll_id_roll_entry'), 'roll_entry', ['poll_id', 'roll_entry_id'], ['poll_id', 'id'])

    with op.batch_alter_table('envelope', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('fk_envelope_poll_id_poll'), type_='foreignkey')
        batch_op.drop_constraint(batch_op.f('fk_envelope_roll_entry_id_roll_entry'), type_='foreignkey')
        batch_op.drop_constraint(batch_op.f('fk_envelope_community_id_node'), type_='foreignkey')
        batch_op.create_foreign_key(batch_op.f('fk_envelope_poll_id_roll_entry'), 'roll_entry', ['poll_id', 'roll_entry_id'], ['poll_id', 'id'])

    guard_again()


def downgrade() -> None:
    with op.batch_alter_table('envelope', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('fk_envelope_poll_id_roll_entry'), type_='foreignkey')
        batch_op.create_foreign_key(batch_op.f('fk_envelope_community_id_node'), 'node', ['community_id'], ['id'])
        batch_op.create_foreign_key(batch_op.f('fk_envelope_roll_entry_id_roll_entry'), 'roll_entry', ['roll_entry_id'], ['id'])
        batch_op.create_foreign_key(batch_op.f('fk_envelope_poll_id_poll'), 'poll', ['poll_id'], ['id'])

    with op.batch_alter_table('ballot', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('fk_ballot_poll_id_roll_entry'), type_='foreignkey')
        batch_op.create_foreign_key(batch_op.f('fk_ballot_roll_entry_id_roll_entry'), 'roll_entry', ['roll_entry_id'], ['id'])
        batch_op.create_foreign_key(batch_op.f('fk_ballot_poll_id_poll'), 'poll', ['poll_id'], ['id'])
        batch_op.create_foreign_key(batch_op.f('fk_ballot_community_id_node'), 'node', ['community_id'], ['id'])

    with op.batch_alter_table('roll_entry', schema=None) as batch_op:
        batch_op.drop_index('uq_roll_entry_poll_id_id')

    guard_again()
