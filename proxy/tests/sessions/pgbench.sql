-- pgbench 15.18: initialising with and without partitions, and its own script in simple and prepared mode.
-- Recorded at a PostgreSQL 15.18; README.md tells how.

--> session-basics
begin

--> session-basics
commit

--> session-basics
BEGIN;

--> session-basics
END;

--> session-basics introspection
select o.n, p.partstrat, pg_catalog.count(i.inhparent) from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on (n.oid = c.relnamespace) cross join lateral (select pg_catalog.array_position(pg_catalog.current_schemas(true), n.nspname)) as o(n) left join pg_catalog.pg_partitioned_table as p on (p.partrelid = c.oid) left join pg_catalog.pg_inherits as i on (c.oid = i.inhparent) where c.relname = 'pgbench_accounts' and o.n is not null group by 1, 2 order by 1 asc limit 1

--> session-basics migrations
drop table if exists pgbench_accounts, pgbench_branches, pgbench_history, pgbench_tellers

--> session-basics migrations
create unlogged table pgbench_history(tid int,bid int,aid    int,delta int,mtime timestamp,filler char(22))

--> session-basics migrations
create unlogged table pgbench_tellers(tid int not null,bid int,tbalance int,filler char(84)) with (fillfactor=100)

--> session-basics migrations
create unlogged table pgbench_accounts(aid    int not null,bid int,abalance int,filler char(84)) with (fillfactor=100)

--> session-basics migrations
create unlogged table pgbench_branches(bid int not null,bbalance int,filler char(88)) with (fillfactor=100)

--> session-basics migrations
vacuum analyze pgbench_branches

--> session-basics migrations
vacuum analyze pgbench_tellers

--> session-basics migrations
vacuum analyze pgbench_accounts

--> session-basics migrations
vacuum analyze pgbench_history

--> session-basics migrations
alter table pgbench_branches add primary key (bid)

--> session-basics migrations
alter table pgbench_tellers add primary key (tid)

--> session-basics migrations
alter table pgbench_accounts add primary key (aid)

--> session-basics migrations
alter table pgbench_tellers add constraint pgbench_tellers_bid_fkey foreign key (bid) references pgbench_branches

--> session-basics migrations
alter table pgbench_accounts add constraint pgbench_accounts_bid_fkey foreign key (bid) references pgbench_branches

--> session-basics migrations
alter table pgbench_history add constraint pgbench_history_bid_fkey foreign key (bid) references pgbench_branches

--> session-basics migrations
alter table pgbench_history add constraint pgbench_history_tid_fkey foreign key (tid) references pgbench_tellers

--> session-basics migrations
alter table pgbench_history add constraint pgbench_history_aid_fkey foreign key (aid) references pgbench_accounts

--> session-basics migrations
create table pgbench_history(tid int,bid int,aid    int,delta int,mtime timestamp,filler char(22))

--> session-basics migrations
create table pgbench_tellers(tid int not null,bid int,tbalance int,filler char(84)) with (fillfactor=100)

--> session-basics migrations
create table pgbench_accounts(aid    int not null,bid int,abalance int,filler char(84)) partition by range (aid)

--> session-basics migrations
create table pgbench_branches(bid int not null,bbalance int,filler char(88)) with (fillfactor=100)

--> session-basics migrations
create table pgbench_accounts_1
  partition of pgbench_accounts
  for values from (minvalue) to (50001) with (fillfactor=100)

--> session-basics migrations
create table pgbench_accounts_2
  partition of pgbench_accounts
  for values from (50001) to (maxvalue) with (fillfactor=100)

--> session-basics migrations
vacuum pgbench_branches

--> session-basics migrations
vacuum pgbench_tellers

--> session-basics read-only
select count(*) from pgbench_branches

--> session-basics read-only
SELECT abalance FROM pgbench_accounts WHERE aid = 29926;

--> session-basics read-only
SELECT abalance FROM pgbench_accounts WHERE aid = $1;

--> refused: rows of people's tables are written by rules of one's own
truncate table pgbench_accounts, pgbench_branches, pgbench_history, pgbench_tellers

--> refused: rows of people's tables are written by rules of one's own
insert into pgbench_branches(bid,bbalance) values(1,0)

--> refused: rows of people's tables are written by rules of one's own
insert into pgbench_tellers(tid,bid,tbalance) values (1,1,0)

--> refused: rows of people's tables are written by rules of one's own
copy pgbench_accounts from stdin with (freeze on)

--> refused: rows of people's tables are written by rules of one's own
insert into pgbench_branches(bid,bbalance) select bid, 0 from generate_series(1, 1) as bid

--> refused: rows of people's tables are written by rules of one's own
insert into pgbench_tellers(tid,bid,tbalance) select tid, (tid - 1) / 10 + 1, 0 from generate_series(1, 10) as tid

--> refused: rows of people's tables are written by rules of one's own
insert into pgbench_accounts(aid,bid,abalance,filler) select aid, (aid - 1) / 100000 + 1, 0, '' from generate_series(1, 100000) as aid

--> refused: rows of people's tables are written by rules of one's own
truncate pgbench_history

--> refused: rows of people's tables are written by rules of one's own
UPDATE pgbench_accounts SET abalance = abalance + -3455 WHERE aid = 29926;

--> refused: rows of people's tables are written by rules of one's own
UPDATE pgbench_tellers SET tbalance = tbalance + -3455 WHERE tid = 6;

--> refused: rows of people's tables are written by rules of one's own
UPDATE pgbench_branches SET bbalance = bbalance + -3455 WHERE bid = 1;

--> refused: rows of people's tables are written by rules of one's own
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (6, 1, 29926, -3455, CURRENT_TIMESTAMP);

--> refused: rows of people's tables are written by rules of one's own
UPDATE pgbench_accounts SET abalance = abalance + 1022 WHERE aid = 97965;

--> refused: rows of people's tables are written by rules of one's own
UPDATE pgbench_tellers SET tbalance = tbalance + 1022 WHERE tid = 5;

--> refused: rows of people's tables are written by rules of one's own
UPDATE pgbench_branches SET bbalance = bbalance + 1022 WHERE bid = 1;

--> refused: rows of people's tables are written by rules of one's own
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (5, 1, 97965, 1022, CURRENT_TIMESTAMP);

--> refused: rows of people's tables are written by rules of one's own
UPDATE pgbench_accounts SET abalance = abalance + $1 WHERE aid = $2;

--> refused: rows of people's tables are written by rules of one's own
UPDATE pgbench_tellers SET tbalance = tbalance + $1 WHERE tid = $2;

--> refused: rows of people's tables are written by rules of one's own
UPDATE pgbench_branches SET bbalance = bbalance + $1 WHERE bid = $2;

--> refused: rows of people's tables are written by rules of one's own
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES ($1, $2, $3, $4, CURRENT_TIMESTAMP);
