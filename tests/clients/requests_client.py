"""requests: sessions, bodies of every kind, streams, ranges, cookies, redirects; `refused` asks what policy forbids."""

import os
import sys

import requests

URL = os.environ["URL"]
session = requests.Session()
# What the environment says of proxies and netrc is not the test's.
session.trust_env = False
session.verify = os.environ.get("CA", True)
if token := os.environ.get("TOKEN"):
    session.headers["Authorization"] = f"Bearer {token}"
else:
    session.cert = (os.environ["CERTIFICATE"], os.environ["KEY"])

if sys.argv[1:] == ["refused"]:
    answer = session.get(f"{URL}/v1/secrets/1")
    problem = answer.json()
    print(answer.status_code, answer.headers["content-type"], problem["title"], problem["detail"])
    try:
        answer.raise_for_status()
    except requests.HTTPError as error:
        print(type(error).__name__)
    sys.exit()

for method in ("GET", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"):
    answer = session.request(method, f"{URL}/v1/echo/a%20b", params={"q": "a b&c", "method": method})
    print(answer.status_code, answer.reason, answer.json())
print(session.head(f"{URL}/v1/echo").headers["content-type"])
print(session.post(f"{URL}/v1/echo", json={"a": [1, None, "é"]}).json())
print(session.post(f"{URL}/v1/echo", data={"a": "b c", "d": "é"}, headers={"X-Own": "mine"}).json())
print(session.post(f"{URL}/v1/echo", files={"file": ("a.txt", b"x" * 100_000)}).json())
print(session.post(f"{URL}/v1/echo", data=(b"piece" * 1000 for _ in range(20))).json())
print(session.put(f"{URL}/v1/echo", data=os.urandom(0) + b"y" * 3_000_000).json())
print(session.get(f"{URL}/v1/gzip").text[:20], session.get(f"{URL}/v1/nothing").status_code)
print(session.get(f"{URL}/v1/fault").text, session.get(f"{URL}/v1/cookies").cookies.get_dict())
print(session.get(f"{URL}/v1/echo").json())
redirected = session.get(f"{URL}/v1/redirect")
print([step.status_code for step in redirected.history], redirected.json())
print(session.get(f"{URL}/v1/same", headers={"If-None-Match": '"1"'}).status_code)
part = session.get(f"{URL}/v1/range", headers={"Range": "bytes=2-5"})
print(part.status_code, part.text, part.headers["content-range"])
with session.get(f"{URL}/v1/pieces", stream=True) as answer:
    print(sum(len(piece) for piece in answer.iter_content(1024)))
