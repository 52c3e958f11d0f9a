"""Calls every method of grpc_server.py and prints what came of each: HOST:PORT [CA TOKEN]."""

import json
import queue
import sys

import grpc

address, evidence = sys.argv[1], sys.argv[2:]
if evidence:
    tls = grpc.ssl_channel_credentials(open(evidence[0], "rb").read())
    token = grpc.access_token_call_credentials(evidence[1])
    # The gateway's certificate names it, and the authority the target behind it.
    options = [("grpc.ssl_target_name_override", "localhost"), ("grpc.default_authority", "orders.localhost")]
    channel = grpc.secure_channel(address, grpc.composite_channel_credentials(tls, token), options)
else:
    channel = grpc.insecure_channel(address)


def told(call):
    try:
        return call()
    except grpc.RpcError as error:
        return [error.code().name, error.details()]


def say():
    answer, call = channel.unary_unary("/shop.Orders/Say").with_call(b"you", timeout=20)
    return [answer.decode(), dict(call.trailing_metadata()).get("said")]


def echo():
    """Each answer is waited for before the next is asked: neither side is held back until the other ends."""
    asked = queue.Queue()
    answers = channel.stream_stream("/shop.Orders/Echo")(iter(asked.get, None), timeout=20)
    heard = []
    for number in range(5):
        asked.put(str(number).encode())
        heard.append(next(answers).decode())
    asked.put(None)
    return heard + [answer.decode() for answer in answers]


numbers = [str(number).encode() for number in range(1000)]
print(json.dumps({
    "say": told(say),
    "count": told(lambda: len(list(channel.unary_stream("/shop.Orders/Count")(b"2000", timeout=20)))),
    "add": told(lambda: channel.stream_unary("/shop.Orders/Add")(iter(numbers), timeout=20).decode()),
    "echo": told(echo),
    "large": told(lambda: len(channel.unary_unary("/shop.Orders/Say")(b"x" * 1_000_000, timeout=20))),
    "fail": told(lambda: channel.unary_unary("/shop.Orders/Fail")(b"", timeout=20)),
    "refund": told(lambda: channel.unary_unary("/shop.Orders/Refund")(b"", timeout=20).decode()),
    "unknown": told(lambda: channel.unary_unary("/shop.Orders/Unknown")(b"", timeout=20)),
}))
