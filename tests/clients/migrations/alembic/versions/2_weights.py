"""A column more, another renamed, a constraint that comes in two steps."""

import sqlalchemy as sa
from alembic import op

revision = "2"
down_revision = "1"


def upgrade():
    op.add_column("parcels", sa.Column("weight", sa.Numeric(8, 3)))
    op.alter_column("parcels", "number", new_column_name="serial", type_=sa.BigInteger)
    op.execute("alter table parcels add constraint heavy check (weight < 1000) not valid")
    op.execute("alter table parcels validate constraint heavy")
    with op.get_context().autocommit_block():
        op.create_index("parcels_sent_at", "parcels", ["sent_at"], postgresql_concurrently=True)


def downgrade():
    op.drop_index("parcels_sent_at", "parcels")
    op.drop_constraint("heavy", "parcels")
    op.alter_column("parcels", "serial", new_column_name="number", type_=sa.Integer)
    op.drop_column("parcels", "weight")
