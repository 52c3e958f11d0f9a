"""Says again what a recording holds, text by text, and tells how each was answered: never what it told in values.

What takes parameters is prepared and described. Left out is what was refused when recorded, and what hangs on a
name that its session had made.
"""

import re
import sys

from psycopg import pq

connection = pq.PGconn.connect(b"")
assert connection.status == pq.ConnStatus.OK, connection.error_message.decode()
NAMED = re.compile(r"(fetch|move|close|deallocate|execute|explain\b.*\bexecute)\b", re.IGNORECASE)
served, texts = False, []
for line in open(sys.argv[1], encoding="utf-8"):
    if line.startswith("--> "):
        served = not line.startswith("--> refused: ")
        if served:
            texts.append("")
    elif served:
        texts[-1] += line
for number, text in enumerate(texts):
    text = text.strip()
    if NAMED.match(text):
        continue
    if re.search(r"\$\d", text) and "$$" not in text:
        answer = connection.prepare(b"", text.encode())
        if answer.status == pq.ExecStatus.COMMAND_OK:
            answer = connection.describe_prepared(b"")
    else:
        answer = connection.exec_(text.encode())
    if answer.status == pq.ExecStatus.COPY_OUT:
        while connection.get_copy_data(0)[0] > 0:
            pass
        answer = connection.get_result()
        while connection.get_result():
            pass
    state = answer.error_field(pq.DiagnosticField.SQLSTATE)
    said = answer.error_field(pq.DiagnosticField.MESSAGE_PRIMARY)
    # The number of rows of a catalogue hangs on what other databases and sessions there are.
    print(number, pq.ExecStatus(answer.status).name, answer.nfields, answer.nparams, state, said, "|", text.splitlines()[0][:60] if text else "")
    if connection.transaction_status == pq.TransactionStatus.INERROR:
        connection.exec_(b"rollback")
connection.finish()
