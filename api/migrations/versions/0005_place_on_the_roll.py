"""A ballot's place is seen to be on its roll when it comes in, in place of three foreign
keys; and one index fewer finds it."""

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
    """SQLite makes the table anew, without its triggers."""
    run(
        postgresql=[],
        sqlite=[
            f"CREATE TRIGGER {table}_no_{deed.lower()} BEFORE {deed} ON {table} FOR EACH ROW  "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            for table in ('ballot', 'roll_entry')
            for deed in ('UPDATE', 'DELETE')
        ],
    )


def upgrade() -> None:
    with op.batch_alter_table('ballot', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('fk_ballot_roll_entry_id_roll_entry'), type_='foreignkey')
        batch_op.drop_constraint(batch_op.f('fk_ballot_community_id_node'), type_='foreignkey')
        batch_op.drop_constraint(batch_op.f('fk_ballot_poll_id_poll'), type_='foreignkey')

    with op.batch_alter_table('envelope', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('fk_envelope_poll_id_poll'), type_='foreignkey')
        batch_op.drop_constraint(batch_op.f('fk_envelope_roll_entry_id_roll_entry'), type_='foreignkey')
        batch_op.drop_constraint(batch_op.f('fk_envelope_community_id_node'), type_='foreignkey')

    with op.batch_alter_table('roll_entry', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_roll_entry_person_id'))
        batch_op.drop_constraint(batch_op.f('uq_roll_entry_poll_id_roll_version_person_id'), type_='unique')
        batch_op.create_unique_constraint(batch_op.f('uq_roll_entry_person_id_poll_id_roll_version'), ['person_id', 'poll_id', 'roll_version'])

    guard_again()
    run(
        sqlite=[
            "CREATE TRIGGER IF NOT EXISTS ballot_on_roll BEFORE INSERT ON ballot FOR EACH ROW WHEN NOT EXISTS (SELECT 1 FROM roll_entry e WHERE e.id = NEW.roll_entry_id AND e.poll_id = NEW.poll_id) BEGIN SELECT RAISE(ABORT, 'ballot is not of the roll'); END",
            "CREATE TRIGGER IF NOT EXISTS envelope_on_roll BEFORE INSERT ON envelope FOR EACH ROW WHEN NOT EXISTS (SELECT 1 FROM roll_entry e WHERE e.id = NEW.roll_entry_id AND e.poll_id = NEW.poll_id) BEGIN SELECT RAISE(ABORT, 'envelope is not of the roll'); END",
        ],
        postgresql=[
            "CREATE OR REPLACE FUNCTION refuse_off_roll() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF EXISTS (SELECT 1 FROM arrived a WHERE NOT EXISTS (SELECT 1 FROM roll_entry e WHERE e.id = a.roll_entry_id AND e.poll_id = a.poll_id)) THEN RAISE EXCEPTION '% is not of the roll', TG_TABLE_NAME USING ERRCODE = 'foreign_key_violation'; END IF; RETURN NULL; END $$",
            'CREATE OR REPLACE TRIGGER ballot_on_roll AFTER INSERT ON ballot REFERENCING NEW TABLE AS arrived FOR EACH STATEMENT EXECUTE FUNCTION refuse_off_roll()',
            'CREATE OR REPLACE TRIGGER envelope_on_roll AFTER INSERT ON envelope REFERENCING NEW TABLE AS arrived FOR EACH STATEMENT EXECUTE FUNCTION refuse_off_roll()',
        ],
    )


def downgrade() -> None:
    run(
        sqlite=[
            'DROP TRIGGER IF EXISTS ballot_on_roll',
            'DROP TRIGGER IF EXISTS envelope_on_roll',
        ],
        postgresql=[
            'DROP TRIGGER IF EXISTS ballot_on_roll ON ballot',
            'DROP TRIGGER IF EXISTS envelope_on_roll ON envelope',
            'DROP FUNCTION IF EXISTS refuse_off_roll()',
        ],
    )
    with op.batch_alter_table('roll_entry', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('uq_roll_entry_person_id_poll_id_roll_version'), type_='unique')
        batch_op.create_unique_constraint(batch_op.f('uq_roll_entry_poll_id_roll_version_person_id'), ['poll_id', 'roll_version', 'person_id'])
        batch_op.create_index(batch_op.f('ix_roll_entry_person_id'), ['person_id'], unique=False)

    with op.batch_alter_table('envelope', schema=None) as batch_op:
        batch_op.create_foreign_key(batch_op.f('fk_envelope_community_id_node'), 'node', ['community_id'], ['id'])
        batch_op.create_foreign_key(batch_op.f('fk_envelope_roll_entry_id_roll_entry'), 'roll_entry', ['roll_entry_id'], ['id'])
        batch_op.create_foreign_key(batch_op.f('fk_envelope_poll_id_poll'), 'poll', ['poll_id'], ['id'])

    with op.batch_alter_table('ballot', schema=None) as batch_op:
        batch_op.create_foreign_key(batch_op.f('fk_ballot_poll_id_poll'), 'poll', ['poll_id'], ['id'])
        batch_op.create_foreign_key(batch_op.f('fk_ballot_community_id_node'), 'node', ['community_id'], ['id'])
        batch_op.create_foreign_key(batch_op.f('fk_ballot_roll_entry_id_roll_entry'), 'roll_entry', ['roll_entry_id'], ['id'])

    guard_again()
