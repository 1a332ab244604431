"""What Google's protoc and Python protobuf make of files of an edition, and of messages.

Reads a JSON object a line from standard input: `text`, a .proto file; `message`, the full name of a type; and `messages`, in
hexadecimal. Answers each with a line: `file`, the FileDescriptorProto that protoc makes, in Base64; and `rows`, one for each
message: `row`, its fields as columns, and `hex`, the same written again without unknown fields; or `error`.
"""

import base64
import json
import os
import struct
import sys
import tempfile

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.protobuf.descriptor import FieldDescriptor
from grpc_tools import protoc


def compiled(folder, text):
    source, target = os.path.join(folder, "schema.proto"), os.path.join(folder, "schema.desc")
    with open(source, "w", encoding="utf-8") as file:
        file.write(text)
    if protoc.main(["protoc", f"-I{folder}", f"--descriptor_set_out={target}", source]) != 0:
        raise ValueError(f"protoc refuses {text}")
    with open(target, "rb") as file:
        return descriptor_pb2.FileDescriptorSet.FromString(file.read()).file[0]


def single(pool, field, value, around):
    if field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
        return columns(pool, value, around)
    if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
        names = [known.name for known in field.enum_type.values if known.number == value]
        return names[0] if names else str(value)
    if field.cpp_type in (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE):
        return {"float": struct.unpack("<Q", struct.pack("<d", value))[0]}
    if field.type == FieldDescriptor.TYPE_BYTES:
        return {"hex": value.hex()}
    return value


def column(pool, field, message, around):
    value = message.Extensions[field] if field.is_extension else getattr(message, field.name)
    entry = field.message_type if field.message_type and field.message_type.GetOptions().map_entry else None
    if entry:
        kind = entry.fields_by_name["value"]
        text = {str(key).lower() if isinstance(key, bool) else str(key): key for key in value}
        return [[key, single(pool, kind, value[text[key]], around)] for key in sorted(text, key=str.encode)]
    if field.is_repeated:
        return [single(pool, field, item, around) for item in value]
    there = (message.HasExtension(field) if field.is_extension else message.HasField(field.name)) \
        if field.has_presence else True
    return single(pool, field, value, around) if there else None


def columns(pool, message, around):
    descriptor = message.DESCRIPTOR
    if descriptor.full_name in around:
        return json_format.MessageToDict(message, descriptor_pool=pool)
    around = around + [descriptor.full_name]
    row = {field.name: column(pool, field, message, around) for field in descriptor.fields}
    for field in pool.FindAllExtensions(descriptor):
        row[f"[{field.full_name}]"] = column(pool, field, message, around)
    return row


def answer(pool, message_class, text):
    message = message_class()
    try:
        message.MergeFromString(bytes.fromhex(text))
    except Exception as error:
        return {"error": repr(error)}
    row = columns(pool, message, [])
    message.DiscardUnknownFields()
    return {"row": row, "hex": message.SerializePartialToString(deterministic=True).hex()}


def main():
    with tempfile.TemporaryDirectory() as folder:
        for line in sys.stdin:
            task = json.loads(line)
            pool = descriptor_pool.DescriptorPool()
            file = compiled(folder, task["text"])
            pool.AddSerializedFile(file.SerializeToString())
            name = pool.FindMessageTypeByName(task["message"])
            message_class = message_factory.GetMessageClass(name)
            for extension in file.extension:
                pool.FindExtensionByName(f"{file.package}.{extension.name}")
            print(json.dumps({
                "file": base64.b64encode(file.SerializeToString()).decode(),
                "rows": [answer(pool, message_class, message) for message in task["messages"]],
            }))


main()
