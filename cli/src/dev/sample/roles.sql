-- The roles that the gateway logs in as. What a statement does behind names is bounded by these.
create role orders_migrator login password '{{password:orders_migrator}}';
create role orders_reader login password '{{password:orders_reader}}';
create role orders_deployer login password '{{password:orders_deployer}}';
create role orders_agent login password '{{password:orders_agent}}';

-- The gateway's own: it reads the catalogue, and ends backends of which it knows when they began. It sees no row
-- of anybody's.
create role orders_gateway login password '{{password:orders_gateway}}' in role pg_signal_backend, pg_read_all_stats;
