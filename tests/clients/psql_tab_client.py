"""psql on a terminal, and what it shows when the tab key is struck twice after each beginning."""

import os
import pty
import re
import select
import sys
import time

BEGINNINGS = [
    "\\d cust", "\\dt mea", "\\df dou", "\\dn pub", "\\du shop_o", "\\dT mo", "\\dv tot", "\\di orders_p", "\\ds cou", "\\sf dou",
    "\\sv tot", "\\dp ord", "\\l templ", "\\c templ", "\\dx plp", "\\dy x", "\\dRp tol", "\\dew x", "\\dF eng", "\\dP mea", "\\dm sum",
    "select * from cust", "select * from pg_catalog.pg_cla", "select * from public.mea", "select count(*) from pg_cata",
    "table ord", "insert into ord", "insert into orders (cust", "update ord", "update orders set cust", "delete from ord",
    "delete from orders where cust", "truncate tot", "drop table cust", "drop table meas", "drop view tot", "drop index orders_p",
    "drop function dou", "drop function double (", "drop sequence cou", "drop type moo", "drop schema pub", "drop role shop_o",
    "drop database templ", "drop extension plp", "drop trigger touc", "drop trigger touched on ord", "drop policy ow",
    "alter table cust", "alter table orders alter column cust", "alter table orders drop constraint orders_c",
    "alter table orders rename column cust", "alter table measured detach partition mea", "alter type mood rename value ",
    "alter table orders disable trigger touc", "alter role shop_o", "alter sequence cou", "alter index orders_p",
    "alter materialized view sum", "alter domain mai", "alter publication tol", "alter system set work_m", "comment on table cust",
    "comment on constraint orders_cust", "create index on cust", "create index on orders (cust",
    "create trigger x before update on ord", "create policy x on cust", "create table x partition of mea", "grant select on cust",
    "grant execute on function dou", "grant shop_o", "grant select on orders to shop_r", "revoke select on cust",
    "lock table cust", "analyze cust", "vacuum cust", "reindex table cust", "cluster ord", "refresh materialized view sum",
    "set search_pa", "set timezone to 'Europe/Ber", "set role shop_o", "show search_pa", "reset search_pa", "select dou", "copy cust",
    "execute ask", "deallocate ask", "fetch from cur", "close cur", "listen x", "explain select * from cust", "call x",
    "security label on table cust", "import foreign schema x from server x", "reassign owned by shop_o", "drop owned by shop_o",
]
# psql draws what is typed; a bell says there is nothing to add.
CONTROL = re.compile(rb"\x1b\[[?0-9;]*[a-zA-Z]|\x07|\r")


def read_until(terminal, fits):
    heard = b""
    end = time.monotonic() + 20
    while not fits(heard):
        if time.monotonic() > end or not select.select([terminal], [], [], 20)[0]:
            raise SystemExit(f"waited in vain, and heard {heard!r}")
        heard += os.read(terminal, 65536)
    return heard


child, terminal = pty.fork()
if child == 0:
    os.environ.update(TERM="dumb", PSQL_PAGER="", INPUTRC="/dev/null", PSQL_HISTORY="/dev/null")
    os.execvp("psql", ["psql", "--no-psqlrc", "--set", "PROMPT1=READY> ", "--set", "PROMPT2=MORE> "])
read_until(terminal, lambda heard: b"READY> " in heard)
os.write(terminal, b"begin; prepare asked as select 1; declare cursed cursor for select id from orders;\n")
read_until(terminal, lambda heard: re.search(rb"DECLARE CURSOR\r?\n.*READY> ", heard))
for number, beginning in enumerate(BEGINNINGS):
    # Ctrl-U throws the line away once the tab key has been answered. Only behind a prompt does psql, and not the
    # terminal, read what is typed.
    os.write(terminal, beginning.encode() + b"\t\t")
    os.write(terminal, b"\x15\\echo end of %d\n" % number)
    heard = read_until(terminal, lambda heard: re.search(rb"\nend of %d\n.*READY> " % number, CONTROL.sub(b"", heard)))
    shown = CONTROL.sub(b"", heard).decode().partition("\\echo")[0]
    print(f"{beginning}: {shown.split()}")
os.write(terminal, b"\\q\n")
os.waitpid(child, 0)
sys.stdout.flush()
