//! Object mappers of Python with their migrations: SQLAlchemy with Alembic, Django.

use super::{House, WRITES, may, python};

#[test]
fn sqlalchemy_over_psycopg2_reflects_with_introspection_and_works_on_its_tables() {
    let house = House::granting(&["session-basics", "introspection"], &[may(WRITES, &["orders"])]);
    let program = || {
        let mut program = python("sqlalchemy_client.py");
        program.args(["psycopg2", "options"]);
        program
    };
    house.serves(program);
    house.refuses_without("introspection", program());
}

#[test]
fn sqlalchemy_over_psycopg_3_reflects_with_introspection_though_it_names_a_setting_by_a_parameter() {
    // psycopg2 would write the name of `current_setting` into the text.
    let house = House::granting(&["session-basics", "introspection"], &[may(WRITES, &["orders"])]);
    let program = || {
        let mut program = python("sqlalchemy_client.py");
        program.args(["psycopg", "options"]);
        program
    };
    house.serves(program);
    house.refuses_without("introspection", program());
}

#[test]
fn alembic_migrates_with_introspection_and_migrations() {
    let house = House::granting(&["session-basics", "introspection", "migrations"], &[]);
    house.serves(|| python("alembic_client.py"));
    house.refuses_without("introspection", python("alembic_client.py"));
    house.refuses_without("migrations", python("alembic_client.py"));
}

#[test]
fn django_migrates_with_migrations_and_works_on_its_tables() {
    let house = House::granting(
        &["session-basics", "introspection", "migrations"],
        &[
            may(WRITES, &["parcels_sender", "parcels_parcel"]),
            // `inspectdb` takes the types of a table from a row of it.
            may(&["select"], &["customers"]),
        ],
    );
    house.serves(|| python("django_client.py"));
    house.refuses_without("migrations", python("django_client.py"));
}
