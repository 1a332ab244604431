"""Produces Protobuf messages with confluent-kafka's own serializer.

Three types of one file, two of them within others, with a type of a second file
that the first imports: so the serializer writes message indexes, and registers a
reference. The same messages every time. Prints one JSON line for each record:
partition, offset, type, and the value as Protobuf's own JSON.
"""

import argparse
import json
import sys

from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.protobuf import timestamp_pb2

Field = descriptor_pb2.FieldDescriptorProto


def field(name, number, kind, label=Field.LABEL_OPTIONAL, **more):
    return Field(name=name, number=number, type=kind, label=label, **more)


def files():
    money = descriptor_pb2.FileDescriptorProto(name="shop/money.proto", package="shop", syntax="proto3")
    money.message_type.add(
        name="Money",
        field=[field("currency", 1, Field.TYPE_STRING), field("units", 2, Field.TYPE_SINT64)],
    )
    events = descriptor_pb2.FileDescriptorProto(
        name="shop/events.proto",
        package="shop",
        syntax="proto3",
        dependency=["shop/money.proto", "google/protobuf/timestamp.proto"],
    )
    events.message_type.add(
        name="Ping",
        field=[
            field("number", 1, Field.TYPE_UINT64),
            field("values", 2, Field.TYPE_SINT32, Field.LABEL_REPEATED),
        ],
    )
    order = events.message_type.add(
        name="Order",
        field=[
            field("id", 1, Field.TYPE_INT64),
            field("total", 2, Field.TYPE_MESSAGE, type_name=".shop.Money"),
            field("at", 3, Field.TYPE_MESSAGE, type_name=".google.protobuf.Timestamp"),
            field("status", 4, Field.TYPE_ENUM, type_name=".shop.Order.Status"),
            field("lines", 5, Field.TYPE_MESSAGE, Field.LABEL_REPEATED, type_name=".shop.Order.Line"),
            field("tags", 6, Field.TYPE_MESSAGE, Field.LABEL_REPEATED, type_name=".shop.Order.TagsEntry"),
            field("card", 7, Field.TYPE_STRING, oneof_index=0),
            field("cash", 8, Field.TYPE_MESSAGE, oneof_index=0, type_name=".shop.Money"),
            field("note", 9, Field.TYPE_STRING, oneof_index=1, proto3_optional=True),
        ],
    )
    order.oneof_decl.add(name="payment")
    order.oneof_decl.add(name="_note")
    status = order.enum_type.add(name="Status")
    for number, name in enumerate(["NEW", "PAID", "SHIPPED"]):
        status.value.add(name=name, number=number)
    order.nested_type.add(
        name="Line",
        field=[field("sku", 1, Field.TYPE_STRING), field("weight", 2, Field.TYPE_DOUBLE)],
    )
    tags = order.nested_type.add(
        name="TagsEntry",
        field=[field("key", 1, Field.TYPE_STRING), field("value", 2, Field.TYPE_INT32)],
    )
    tags.options.map_entry = True
    return [money, events]


def types():
    pool = descriptor_pool.DescriptorPool()
    timestamp = descriptor_pb2.FileDescriptorProto()
    timestamp_pb2.DESCRIPTOR.CopyToProto(timestamp)
    for file in [timestamp, *files()]:
        pool.Add(file)
    names = ["shop.Ping", "shop.Order", "shop.Order.Line"]
    return [message_factory.GetMessageClass(pool.FindMessageTypeByName(name)) for name in names]


def message(n, ping, order, line):
    if n % 3 == 0:
        return ping(number=2**64 - 1 - n, values=range(-n % 5, n % 5))
    if n % 3 == 1:
        return line(sku=f"sku-{n}", weight=n / 4)
    value = order(id=n - 50, status=n % 4)
    value.at.FromMilliseconds(1_700_000_000_000 + n)
    value.lines.extend(line(sku=f"sku-{n}-{i}", weight=i / 2) for i in range(n % 4))
    value.tags.update({f"tag-{i}": i - 1 for i in range(n % 3)})
    if n % 2 == 0:
        value.total.currency = "EUR"
        value.total.units = -n
        value.card = f"card {n} ä€"
        value.note = ""
    else:
        value.cash.units = n
    return value


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--brokers", required=True)
    parser.add_argument("--registry", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--count", type=int, default=10)
    arguments = parser.parse_args()

    registry = SchemaRegistryClient({"url": arguments.registry})
    classes = types()
    serializers = {kind: ProtobufSerializer(kind, registry, {"use.deprecated.format": False}) for kind in classes}
    producer = Producer({"bootstrap.servers": arguments.brokers, "enable.idempotence": True})
    context = SerializationContext(arguments.topic, MessageField.VALUE)
    failures = []

    def report(record):
        def delivered(error, sent):
            if error:
                failures.append(error)
                return
            print(json.dumps({"partition": sent.partition(), "offset": sent.offset()} | record))

        return delivered

    for n in range(arguments.count):
        value = message(n, *classes)
        record = {
            "type": value.DESCRIPTOR.full_name,
            "value": json_format.MessageToDict(
                value, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
            ),
        }
        producer.produce(
            arguments.topic,
            value=serializers[type(value)](value, context),
            on_delivery=report(record),
        )
        producer.poll(0)

    left = producer.flush(30)
    if failures or left:
        sys.exit(f"{left} records not delivered, {len(failures)} failed: {failures[:1]}")


if __name__ == "__main__":
    main()
