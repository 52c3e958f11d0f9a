-- A shop's orders: worth protecting, because customers trusted somebody with it.
revoke all on database orders from public;
grant connect on database orders to orders_reader, orders_deployer, orders_agent, orders_gateway;
alter schema public owner to orders_migrator;
set role orders_migrator;

create table customers (
  id bigint generated always as identity primary key,
  full_name text not null,
  email text not null unique,
  phone text not null,
  ssn text not null check (ssn ~ '^[0-9]{3}-[0-9]{2}-[0-9]{4}$'),
  country text not null,
  created_at timestamptz not null
);
comment on table customers is 'full_name, email, phone and ssn are personal';

create table orders (
  id bigint generated always as identity primary key,
  customer_id bigint not null references customers,
  status text not null check (status in ('draft', 'placed', 'paid', 'shipped', 'returned')),
  currency text not null,
  total_cents bigint not null check (total_cents >= 0),
  ship_to text not null,
  placed_at timestamptz not null
);
comment on column orders.ship_to is 'personal';
create index orders_customer on orders (customer_id);
create index orders_placed on orders (placed_at);

create table payments (
  id bigint generated always as identity primary key,
  order_id bigint not null references orders,
  method text not null,
  card_last4 text,
  amount_cents bigint not null,
  paid_at timestamptz not null
);
create index payments_order on payments (order_id);

create sequence invoice_number start with 1001;

-- The book of the migration tool.
create table schema_migrations (version text primary key, applied_at timestamptz not null default now());
insert into schema_migrations (version) values ('20260901_customers'), ('20260902_orders'), ('20260903_payments');

insert into customers (full_name, email, phone, ssn, country, created_at)
select
  'Customer ' || n,
  'customer' || n || '@mail.example',
  '+1-555-' || lpad(n::text, 7, '0'),
  lpad((n % 899 + 1)::text, 3, '0') || '-' || lpad((n % 97 + 1)::text, 2, '0') || '-' || lpad(n::text, 4, '0'),
  (array['DE', 'FR', 'GB', 'JP', 'US'])[n % 5 + 1],
  timestamptz '2026-01-01 00:00Z' + n * interval '3 hours'
from generate_series(1, 2000) as n;

insert into orders (customer_id, status, currency, total_cents, ship_to, placed_at)
select
  (n * 7) % 2000 + 1,
  (array['placed', 'paid', 'shipped', 'shipped', 'paid', 'draft', 'paid', 'returned'])[n % 8 + 1],
  (array['EUR', 'EUR', 'GBP', 'JPY', 'USD'])[n % 5 + 1],
  500 + (n * 7919) % 20000,
  n || ' Harbour Street',
  timestamptz '2026-02-01 00:00Z' + n * interval '50 minutes'
from generate_series(1, 5000) as n;

insert into payments (order_id, method, card_last4, amount_cents, paid_at)
select id, case when id % 3 = 0 then 'transfer' else 'card' end,
  case when id % 3 = 0 then null else lpad((id % 10000)::text, 4, '0') end,
  total_cents, placed_at + interval '10 minutes'
from orders where status in ('paid', 'shipped', 'returned');

-- What may be seen without seeing anybody.
create view order_totals as
select date_trunc('day', o.placed_at) as day, c.country, o.currency, count(*) as orders, sum(o.total_cents) as total_cents
from orders o join customers c on c.id = o.customer_id
where o.status <> 'draft'
group by 1, 2, 3;

create function order_total(wanted bigint) returns bigint language sql stable
  return (select total_cents from orders where id = wanted);

create function mark_shipped(wanted bigint) returns boolean language plpgsql as $$
begin
  update orders set status = 'shipped' where id = wanted and status = 'paid';
  return found;
end $$;

grant usage on schema public to orders_reader, orders_deployer, orders_agent;
grant select on customers, orders, payments, order_totals to orders_reader;
grant select, insert, update, delete on orders, payments to orders_deployer;
grant usage on sequence invoice_number to orders_deployer;
grant select on order_totals to orders_agent;
revoke execute on function mark_shipped from public;
grant execute on function mark_shipped to orders_deployer;

reset role;
analyze;
