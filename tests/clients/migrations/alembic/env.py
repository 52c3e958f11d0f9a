"""Alembic's own start of a migration run: one connection, one transaction."""

import sys

from alembic import context
from sqlalchemy import create_engine

if context.is_offline_mode():
    context.configure(url="postgresql+psycopg://", literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
    sys.exit()
with create_engine("postgresql+psycopg://").connect() as connection:
    context.configure(connection=connection, compare_type=True, target_metadata=None)
    with context.begin_transaction():
        context.run_migrations()
