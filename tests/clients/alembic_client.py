"""Alembic: up in two steps, what it finds changed, down again and up."""

import pathlib

from alembic import command
from alembic.config import Config

config = Config()
config.set_main_option("script_location", str(pathlib.Path(__file__).parent / "migrations" / "alembic"))
command.upgrade(config, "1")
command.upgrade(config, "head")
command.current(config)
command.downgrade(config, "base")
command.upgrade(config, "head")
command.current(config)
