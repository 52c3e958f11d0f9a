"""A table with an enum, a default that counts, an index and a foreign key."""

import sqlalchemy as sa
from alembic import op

revision = "1"
down_revision = None


def upgrade():
    op.create_table(
        "parcels",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("number", sa.Integer, autoincrement=True, nullable=False),
        sa.Column("order_id", sa.Integer, sa.ForeignKey("orders.id", ondelete="CASCADE"), nullable=False),
        sa.Column("kind", sa.Enum("small", "large", name="parcel_kind"), server_default="small"),
        sa.Column("sent_at", sa.DateTime(timezone=True), server_default=sa.func.now()),
        comment="what is sent",
    )
    op.create_index("parcels_kind", "parcels", ["kind"], postgresql_where=sa.text("kind = 'large'"))
    op.create_check_constraint("parcels_number", "parcels", "number > 0")


def downgrade():
    op.drop_table("parcels")
    sa.Enum(name="parcel_kind").drop(op.get_bind())
