set role shop_owner;
create table customers (id int primary key, country text, created_at timestamptz default now(), email text, ssn text);
insert into customers select n, (array['DE','FR'])[n % 2 + 1], now(), 'c' || n || '@mail.example', 'ssn-' || n
  from generate_series(1, 100) n;
create table orders (id int primary key, customer_id int references customers, status text, total int check (total >= 0));
insert into orders select n, n % 100 + 1, 'paid', n from generate_series(1, 200) n;
create table secret (payload text);
insert into secret values ('do not show');
create view totals as select country, count(*) n from customers group by 1;
create function double(int) returns int language sql immutable as 'select $1 * 2';
create table measured (day date, value int) partition by range (day);
create table measured_2026 partition of measured for values from ('2026-01-01') to ('2027-01-01');
grant select on all tables in schema public to shop_reader;
grant select, insert, update, delete on all tables in schema public to shop_writer;
grant create on schema public to shop_owner, shop_writer;
reset role;
