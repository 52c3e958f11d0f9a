"""SQLAlchemy over each of its drivers: reflection of everything there is, ORM work, a server-side cursor, two phases."""

import sys

from sqlalchemy import MetaData, create_engine, func, inspect, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int]
    status: Mapped[str]
    total: Mapped[int]


engine = create_engine(f"postgresql+{sys.argv[1]}://", pool_reset_on_return="rollback")
inspector = inspect(engine)
print(inspector.get_schema_names(), inspector.get_sequence_names())
for kind in ("columns", "foreign_keys", "indexes", "unique_constraints", "check_constraints", "pk_constraint", "table_comment"):
    print(kind, sorted(getattr(inspector, f"get_multi_{kind}")().items(), key=str))
print(inspector.get_view_names(), inspector.get_view_definition("totals"), inspector.get_enums(), inspector.get_domains())
if "options" in sys.argv:
    print(inspector.get_table_options("orders"))
    metadata = MetaData()
    metadata.reflect(engine)
    print(sorted(metadata.tables))
with Session(engine) as session:
    session.add_all(Order(id=4000 + n, customer_id=1, status="new", total=n) for n in range(50))
    session.flush()
    order = session.get(Order, 4007)
    order.status = "seen"
    session.commit()
    with session.begin_nested():
        session.delete(session.get(Order, 4000))
    print(session.scalar(select(func.count()).select_from(Order)), session.get(Order, 4007).status)
    session.commit()
with engine.connect().execution_options(stream_results=True, isolation_level="SERIALIZABLE") as connection:
    print(len(connection.execute(select(Order.id)).fetchmany(11)))
    connection.rollback()
with engine.begin() as connection:
    print(connection.execute(Order.__table__.delete().where(Order.id >= 4000)).rowcount)
