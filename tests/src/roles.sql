create role shop_owner login password 'secret-of-shop_owner';
create role shop_reader login password 'secret-of-shop_reader';
create role shop_writer login password 'secret-of-shop_writer';
create role shop_gateway login password 'secret-of-shop_gateway' in role pg_signal_backend, pg_read_all_stats;
create role shop_super login superuser password 'secret-of-shop_super';
create role shop_certified login in role shop_reader;
create role shop_trusted login in role shop_reader;
