"""casts"""

import hashlib
import json
import secrets

import sqlalchemy as sa
from alembic import op

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None

GUARDED = ('roll_entry', 'ballot')


def run(**statements: list[str]) -> None:
    """What only one database understands, by dialect."""
    for statement in statements[op.get_bind().dialect.name]:
        op.execute(statement)


def guard() -> None:
    """Both tables are made anew on SQLite, which forgets their triggers."""
    for table in GUARDED:
        run(
            sqlite=[
                f"CREATE TRIGGER IF NOT EXISTS {table}_no_{deed.lower()} BEFORE {deed} ON {table} FOR EACH ROW  BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
                for deed in ('UPDATE', 'DELETE')
            ],
            postgresql=[
                *(
                    f'CREATE OR REPLACE TRIGGER {table}_no_{deed.lower()} BEFORE {deed} ON {table} FOR EACH ROW  EXECUTE FUNCTION refuse_change()'
                    for deed in ('UPDATE', 'DELETE')
                ),
                f'CREATE OR REPLACE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()',
            ],
        )


def unguard() -> None:
    for table in GUARDED:
        names = [f'{table}_no_{deed}' for deed in ('update', 'delete')]
        run(
            sqlite=[f'DROP TRIGGER IF EXISTS {name}' for name in names],
            postgresql=[
                f'DROP TRIGGER IF EXISTS {name} ON {table}' for name in (*names, f'{table}_no_truncate')
            ],
        )


def items_of_polls(change) -> None:
    """``change`` gets each stored item of each poll."""
    poll = sa.table('poll', sa.column('id', sa.Uuid()), sa.column('items', sa.JSON()))
    connection = op.get_bind()
    for id, items in connection.execute(sa.select(poll.c.id, poll.c['items'])).all():
        for item in items:
            change(item)
        connection.execute(sa.update(poll).where(poll.c.id == id).values(items=items))


def ballot_columns(*own: sa.Column) -> list:
    return [
        sa.Column('poll_id', sa.Uuid(), nullable=False),
        sa.Column('roll_entry_id', sa.Uuid(), nullable=False),
        *own,
        sa.Column('community_id', sa.Uuid(), nullable=False),
        sa.Column('channel', sa.String(length=40), nullable=False),
        sa.Column('entered_by_id', sa.Uuid(), nullable=True),
        sa.Column('consent_note', sa.Text(), nullable=True),
        sa.Column('cast_at', sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(['community_id'], ['node.id'], name=op.f('fk_ballot_community_id_node')),
        sa.ForeignKeyConstraint(['entered_by_id'], ['person.id'], name=op.f('fk_ballot_entered_by_id_person')),
        sa.ForeignKeyConstraint(['poll_id'], ['poll.id'], name=op.f('fk_ballot_poll_id_poll')),
        sa.ForeignKeyConstraint(['roll_entry_id'], ['roll_entry.id'], name=op.f('fk_ballot_roll_entry_id_roll_entry')),
    ]


OLD_OWN = (
    sa.Column('choices', sa.JSON(), nullable=False),
    sa.Column('receipt', sa.String(length=32), nullable=False),
)
NEW_OWN = (
    sa.Column('cast_no', sa.Integer(), nullable=False),
    sa.Column('choices', sa.JSON(), nullable=True),
    sa.Column('set_aside', sa.Boolean(), nullable=False),
    sa.Column('salt', sa.LargeBinary(), nullable=False),
    sa.Column('leaf_hash', sa.LargeBinary(), nullable=False),
)
SHARED = ('poll_id', 'roll_entry_id', 'community_id', 'channel', 'entered_by_id', 'consent_note', 'cast_at')


def read_ballots(own: tuple[sa.Column, ...], order: str) -> list[dict]:
    columns = [column for column in ballot_columns(*(c._copy() for c in own)) if isinstance(column, sa.Column)]
    table = sa.Table('ballot', sa.MetaData(), *columns)
    found = op.get_bind().execute(sa.select(table).order_by(*(table.c[name] for name in order.split())))
    return [dict(row) for row in found.mappings()]


def upgrade() -> None:
    unguard()
    items_of_polls(lambda item: (item.pop('choices', None), item.update(kind='motion', options=[], most=1, seats=None)))
    with op.batch_alter_table('poll', schema=None) as batch_op:
        batch_op.add_column(sa.Column('mode', sa.String(length=40), nullable=False, server_default='named'))
        batch_op.add_column(sa.Column('roll_version', sa.Integer(), nullable=False, server_default='1'))
    with op.batch_alter_table('poll', schema=None) as batch_op:
        batch_op.alter_column('mode', existing_type=sa.String(length=40), existing_nullable=False, server_default=None)
        batch_op.alter_column('roll_version', existing_type=sa.Integer(), existing_nullable=False, server_default=None)

    ballots = read_ballots(OLD_OWN, 'poll_id roll_entry_id')
    with op.batch_alter_table('ballot', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_ballot_community_id'))
    op.drop_table('ballot')
    with op.batch_alter_table('roll_entry', schema=None) as batch_op:
        batch_op.add_column(sa.Column('roll_version', sa.Integer(), nullable=False, server_default='1'))
        batch_op.drop_index(batch_op.f('ix_roll_entry_poll_id'))
        batch_op.drop_constraint(batch_op.f('uq_roll_entry_poll_id_number'), type_='unique')
        batch_op.drop_constraint(batch_op.f('uq_roll_entry_poll_id_person_id'), type_='unique')
        batch_op.create_unique_constraint(batch_op.f('uq_roll_entry_poll_id_roll_version_number'), ['poll_id', 'roll_version', 'number'])
        batch_op.create_unique_constraint(batch_op.f('uq_roll_entry_poll_id_roll_version_person_id'), ['poll_id', 'roll_version', 'person_id'])
    with op.batch_alter_table('roll_entry', schema=None) as batch_op:
        batch_op.alter_column('roll_version', existing_type=sa.Integer(), existing_nullable=False, server_default=None)
    table = op.create_table(
        'ballot',
        *ballot_columns(*(c._copy() for c in NEW_OWN)),
        sa.PrimaryKeyConstraint('poll_id', 'roll_entry_id', 'cast_no', name=op.f('pk_ballot')),
    )
    if ballots:
        numbers = {row['id']: row['number'] for row in _entries()}
        op.bulk_insert(table, [_deepened(one, numbers[one['roll_entry_id']]) for one in ballots])
    guard()


def _entries() -> list[dict]:
    entry = sa.table('roll_entry', sa.column('id', sa.Uuid()), sa.column('number', sa.Integer()))
    return [dict(row) for row in op.get_bind().execute(sa.select(entry)).mappings()]


def _deepened(ballot: dict, place: int) -> dict:
    choices = {item: [choice] for item, choice in ballot['choices'].items()}
    salt = secrets.token_bytes(16)
    leaf = {
        'v': 1, 'poll': str(ballot['poll_id']), 'place': place, 'cast': 1,
        'channel': ballot['channel'], 'choices': choices, 'salt': salt.hex(),
    }
    canonical = json.dumps(leaf, sort_keys=True, separators=(',', ':'), ensure_ascii=False).encode()
    return {name: ballot[name] for name in SHARED} | {
        'cast_no': 1, 'choices': choices, 'set_aside': False, 'salt': salt,
        'leaf_hash': hashlib.sha256(b'\x00' + canonical).digest(),
    }


def downgrade() -> None:
    unguard()
    standing: dict[tuple, dict] = {}
    for ballot in read_ballots(NEW_OWN, 'poll_id roll_entry_id cast_no'):
        if not ballot['set_aside'] and ballot['choices'] is not None:
            standing[ballot['poll_id'], ballot['roll_entry_id']] = ballot
    op.drop_table('ballot')
    with op.batch_alter_table('roll_entry', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('uq_roll_entry_poll_id_roll_version_person_id'), type_='unique')
        batch_op.drop_constraint(batch_op.f('uq_roll_entry_poll_id_roll_version_number'), type_='unique')
        batch_op.create_unique_constraint(batch_op.f('uq_roll_entry_poll_id_person_id'), ['poll_id', 'person_id'])
        batch_op.create_unique_constraint(batch_op.f('uq_roll_entry_poll_id_number'), ['poll_id', 'number'])
        batch_op.create_index(batch_op.f('ix_roll_entry_poll_id'), ['poll_id'], unique=False)
        batch_op.drop_column('roll_version')
    with op.batch_alter_table('poll', schema=None) as batch_op:
        batch_op.drop_column('roll_version')
        batch_op.drop_column('mode')
    items_of_polls(
        lambda item: (
            [item.pop(name, None) for name in ('kind', 'options', 'most', 'seats')],
            item.update(choices=['for', 'against', 'abstain']),
        )
    )
    table = op.create_table(
        'ballot',
        *ballot_columns(*(c._copy() for c in OLD_OWN)),
        sa.PrimaryKeyConstraint('poll_id', 'roll_entry_id', name=op.f('pk_ballot')),
    )
    with op.batch_alter_table('ballot', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_ballot_community_id'), ['community_id'], unique=False)
    if standing:
        op.bulk_insert(
            table,
            [
                {name: one[name] for name in SHARED}
                | {
                    'choices': {item: codes[0] for item, codes in one['choices'].items()},
                    'receipt': one['leaf_hash'].hex()[:32],
                }
                for one in standing.values()
            ],
        )
    guard()
