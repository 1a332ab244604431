"""Reads a topic to its end with confluent-kafka's own deserializers, and prints each message.

They look for the schema in the header first, and then in the prefix.
"""

import argparse
import datetime
import decimal
import json
import os
import sys
import tempfile

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory, timestamp_pb2
from grpc_tools import protoc


def plain(value):
    """What JSON does not have, as text or numbers."""
    if isinstance(value, datetime.datetime):
        epoch = datetime.datetime(1970, 1, 1, tzinfo=value.tzinfo)
        return (value - epoch) // datetime.timedelta(microseconds=1)
    if isinstance(value, (datetime.date, datetime.time, decimal.Decimal)):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(f"{type(value)}")


def order_class(name):
    """The class that protoc would make of the schema of orders."""
    field = descriptor_pb2.FieldDescriptorProto
    one, many = field.LABEL_OPTIONAL, field.LABEL_REPEATED
    file = descriptor_pb2.FileDescriptorProto(name=f"{name}.proto", syntax="proto3")
    file.dependency.append(timestamp_pb2.DESCRIPTOR.name)
    order = file.message_type.add(name=name)
    line = order.nested_type.add(name="Lines")
    line.field.add(name="sku", number=1, label=one, type=field.TYPE_STRING)
    line.field.add(name="quantity", number=2, label=one, type=field.TYPE_INT32)
    order.field.add(name="id", number=1, label=one, type=field.TYPE_INT64)
    order.field.add(name="customer", number=2, label=one, type=field.TYPE_STRING)
    order.field.add(name="note", number=3, label=one, type=field.TYPE_STRING)
    order.field.add(name="amount", number=4, label=one, type=field.TYPE_DOUBLE)
    order.field.add(name="status", number=5, label=one, type=field.TYPE_STRING)
    order.field.add(
        name="lines", number=6, label=many, type=field.TYPE_MESSAGE, type_name=f".{name}.Lines"
    )
    order.field.add(
        name="occurred_at",
        number=7,
        label=one,
        type=field.TYPE_MESSAGE,
        type_name=".google.protobuf.Timestamp",
    )
    pool = descriptor_pool.Default()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


def protoc_class(path, name):
    """The class of a message in a file, which may import others of its folder."""
    with tempfile.NamedTemporaryFile() as target:
        folder = os.path.dirname(path)
        command = ["protoc", f"-I{folder}", "--include_imports", f"--descriptor_set_out={target.name}", path]
        if protoc.main(command) != 0:
            sys.exit(f"protoc refuses {path}")
        files = descriptor_pb2.FileDescriptorSet.FromString(target.read())
    return message_factory.GetMessageClassesForFiles([file.name for file in files.file], pool_of(files))[name]


def pool_of(files):
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return pool


def as_dict(order):
    return {
        "id": order.id,
        "customer": order.customer,
        "note": order.note or None,
        "amount": order.amount,
        "status": order.status,
        "lines": [{"sku": line.sku, "quantity": line.quantity} for line in order.lines],
        "occurred_at": order.occurred_at.ToMicroseconds(),
    }


def deserializer(kind, registry):
    if kind == "none":
        return lambda payload, context: None if payload is None else payload.decode()
    if kind == "avro":
        return AvroDeserializer(registry)
    if kind == "json":
        return JSONDeserializer(None, schema_registry_client=registry)
    if kind.startswith("protobuf:"):
        order = order_class(kind.removeprefix("protobuf:"))
        decode = ProtobufDeserializer(order, {"use.deprecated.format": False})
        return lambda payload, context: as_dict(decode(payload, context))
    if kind.startswith("protoc:"):
        _, path, name = kind.split(":")
        decode = ProtobufDeserializer(protoc_class(path, name), {"use.deprecated.format": False})
        return lambda payload, context: json_format.MessageToDict(decode(payload, context))
    sys.exit(f"there is no deserializer {kind}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--brokers", required=True)
    parser.add_argument("--registry", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--value", required=True)
    parser.add_argument("--key", default="none")
    arguments = parser.parse_args()

    registry = SchemaRegistryClient({"url": arguments.registry})
    keys = deserializer(arguments.key, registry)
    values = deserializer(arguments.value, registry)
    consumer = Consumer({"bootstrap.servers": arguments.brokers, "group.id": "read-messages"})
    partitions = consumer.list_topics(arguments.topic, timeout=30).topics[arguments.topic].partitions
    consumer.assign([TopicPartition(arguments.topic, partition, 0) for partition in partitions])
    for _ in range(arguments.count):
        message = consumer.poll(30)
        if message is None or message.error():
            sys.exit(f"no message: {message and message.error()}")
        headers = message.headers() or []
        context = lambda field: SerializationContext(arguments.topic, field, headers)
        line = {
            "key": keys(message.key(), context(MessageField.KEY)),
            "value": values(message.value(), context(MessageField.VALUE)),
        }
        print(json.dumps(line, default=plain))
    consumer.close()


main()
