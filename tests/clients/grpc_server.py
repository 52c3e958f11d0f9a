"""A gRPC server of four methods, one of each kind, that says who asked with what. It speaks HTTP/2 in plain text."""

import concurrent.futures
import sys

import grpc


def authorization(context):
    return dict(context.invocation_metadata()).get("authorization", "")


def say(request, context):
    context.set_trailing_metadata((("said", "trailer"),))
    return b"hello " + request + b" " + authorization(context).encode()


def count(request, context):
    for number in range(int(request)):
        yield str(number).encode()


def add(requests, context):
    return str(sum(int(request) for request in requests)).encode()


def echo(requests, context):
    for request in requests:
        yield request


def fail(request, context):
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not today: 100 %")


handlers = grpc.method_handlers_generic_handler(
    "shop.Orders",
    {
        "Say": grpc.unary_unary_rpc_method_handler(say),
        "Count": grpc.unary_stream_rpc_method_handler(count),
        "Add": grpc.stream_unary_rpc_method_handler(add),
        "Echo": grpc.stream_stream_rpc_method_handler(echo),
        "Fail": grpc.unary_unary_rpc_method_handler(fail),
        "Refund": grpc.unary_unary_rpc_method_handler(say),
    },
)
server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
server.add_generic_rpc_handlers((handlers,))
print(server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()
sys.stdin.read()
