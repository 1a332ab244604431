"""Produces Avro orders with confluent-kafka's own serializer.

The same orders every time. Prints one JSON line for each record: partition,
offset, timestamp, key, headers and value, with bytes in hex and logical types
as the numbers on the wire, except decimals, which are text.
"""

import argparse
import datetime
import decimal
import json
import sys
import uuid

from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

SCHEMA = {
    "type": "record",
    "name": "Order",
    "namespace": "shop",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "customer", "type": "string"},
        {"name": "note", "type": ["null", "string"], "default": None},
        {"name": "discount", "type": ["null", "int", "string"], "default": None},
        {
            "name": "status",
            "type": {"type": "enum", "name": "Status", "symbols": ["NEW", "PAID", "SHIPPED"]},
        },
        {
            "name": "lines",
            "type": {
                "type": "array",
                "items": {
                    "type": "record",
                    "name": "Line",
                    "fields": [
                        {"name": "sku", "type": "string"},
                        {"name": "quantity", "type": "int"},
                        {"name": "weight", "type": "double"},
                    ],
                },
            },
        },
        {"name": "tags", "type": {"type": "map", "values": "string"}},
        {"name": "gift", "type": "boolean"},
        {"name": "rating", "type": "float"},
        {"name": "signature", "type": "bytes"},
        {"name": "checksum", "type": {"type": "fixed", "name": "Checksum", "size": 4}},
        {
            "name": "total",
            "type": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2},
        },
        {"name": "due", "type": {"type": "int", "logicalType": "date"}},
        {"name": "opens", "type": {"type": "int", "logicalType": "time-millis"}},
        {"name": "occurred_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "updated_at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "reference", "type": {"type": "string", "logicalType": "uuid"}},
    ],
}

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
START_MS = 1_700_000_000_000


def order(n):
    """The n-th order, as the values on the wire."""
    return {
        "id": n * 1_000_003 - 5,
        "customer": f"customer-{n % 7} ✓",
        "note": None if n % 3 == 0 else f"note {n}",
        "discount": [None, n, f"{n}%"][n % 3],
        "status": ["NEW", "PAID", "SHIPPED"][n % 3],
        "lines": [{"sku": f"sku-{n}-{i}", "quantity": i - 1, "weight": n / 4 + i} for i in range(n % 4)],
        "tags": {f"tag-{i}": f"{n}" for i in range(n % 2)},
        "gift": n % 2 == 0,
        "rating": n / 2,
        "signature": bytes([n % 256, 0, 255]),
        "checksum": n.to_bytes(4, "big"),
        "total": decimal.Decimal(n * 101 - 250).scaleb(-2),
        "due": 19_000 + n,
        "opens": n * 60_000,
        "occurred_at": START_MS + n * 1_000,
        "updated_at": (START_MS + n * 1_000) * 1_000 + n,
        "reference": str(uuid.UUID(int=n)),
    }


def to_serializer(value, _context):
    """With the types that fastavro expects for logical types."""
    return value | {
        "due": (EPOCH + datetime.timedelta(days=value["due"])).date(),
        "opens": (EPOCH + datetime.timedelta(milliseconds=value["opens"])).time(),
        "occurred_at": EPOCH + datetime.timedelta(milliseconds=value["occurred_at"]),
        "updated_at": EPOCH + datetime.timedelta(microseconds=value["updated_at"]),
        "reference": uuid.UUID(value["reference"]),
    }


def printable(value):
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, decimal.Decimal):
        return str(value)
    raise TypeError(f"{value!r} is not expected here")


def headers(n):
    """Duplicates, a null and an empty value."""
    return [("trace", f"{n}".encode()), ("trace", b"again"), ("none", None), ("empty", b"")][: n % 5]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--brokers", required=True)
    parser.add_argument("--registry", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--tombstone-every", type=int, default=0)
    arguments = parser.parse_args()

    serialize = AvroSerializer(
        SchemaRegistryClient({"url": arguments.registry}), json.dumps(SCHEMA), to_serializer
    )
    producer = Producer({"bootstrap.servers": arguments.brokers, "enable.idempotence": True})
    context = SerializationContext(arguments.topic, MessageField.VALUE)
    failures = []

    def report(record):
        def delivered(error, message):
            if error:
                failures.append(error)
                return
            place = {"partition": message.partition(), "offset": message.offset()}
            print(json.dumps(place | record, default=printable, ensure_ascii=False))

        return delivered

    for n in range(arguments.count):
        tombstone = arguments.tombstone_every and n % arguments.tombstone_every == 0
        value = None if tombstone else order(n)
        record = {
            "timestamp": START_MS + n,
            "key": f"order-{n}".encode(),
            "headers": headers(n),
            "value": value,
        }
        producer.produce(
            arguments.topic,
            key=record["key"],
            value=None if value is None else serialize(value, context),
            headers=record["headers"],
            timestamp=record["timestamp"],
            on_delivery=report(record),
        )
        producer.poll(0)

    left = producer.flush(30)
    if failures or left:
        sys.exit(f"{left} records not delivered, {len(failures)} failed: {failures[:1]}")


if __name__ == "__main__":
    main()
