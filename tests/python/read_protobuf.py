"""What Google's Python protobuf makes of messages.

Reads a JSON object a line from standard input: `files`, encoded FileDescriptorProtos in Base64, each after those that it
imports; `message`, the full name of a type; and `messages`, in hexadecimal. Answers each with a line: `rows`, one for each
message: `hex`, what was read, written again by number and without unknown fields; or `error`.
"""

import base64
import json
import sys

from google.protobuf import (
    any_pb2, descriptor_pool, duration_pb2, empty_pb2, field_mask_pb2, message_factory, struct_pb2, timestamp_pb2,
    wrappers_pb2,
)

KNOWN = [any_pb2, duration_pb2, empty_pb2, field_mask_pb2, struct_pb2, timestamp_pb2, wrappers_pb2]


def row(message_class, text):
    message = message_class()
    try:
        message.ParseFromString(bytes.fromhex(text))
    except Exception as error:
        return {"error": repr(error)}
    message.DiscardUnknownFields()
    return {"hex": message.SerializePartialToString(deterministic=True).hex()}


def main():
    for line in sys.stdin:
        task = json.loads(line)
        pool = descriptor_pool.DescriptorPool()
        for known in KNOWN:
            pool.AddSerializedFile(known.DESCRIPTOR.serialized_pb)
        for file in task["files"]:
            pool.AddSerializedFile(base64.b64decode(file))
        message_class = message_factory.GetMessageClass(pool.FindMessageTypeByName(task["message"]))
        print(json.dumps({"rows": [row(message_class, message) for message in task["messages"]]}))


main()
