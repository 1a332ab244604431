"""Produces orders as JSON with confluent-kafka's own serializer.

The same orders every time. Prints one JSON line for each record: partition, offset, value.
"""

import argparse
import json
import sys

from confluent_kafka import Producer
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

CUSTOMER = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "title": "Customer",
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "since": {"type": "string", "format": "date"},
    },
    "required": ["name"],
}

ORDER = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "title": "Order",
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "customer": {"$ref": "customer.json"},
        "note": {"oneOf": [{"type": "null"}, {"type": "string"}]},
        "status": {"enum": ["NEW", "PAID", "SHIPPED"]},
        "lines": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "sku": {"type": "string"},
                    "quantity": {"type": "integer", "connect.type": "int32"},
                    "weight": {"type": "number"},
                },
            },
        },
        "tags": {"type": "object", "additionalProperties": {"type": "string"}},
        "gift": {"type": "boolean"},
        "signature": {"type": "string", "contentEncoding": "base64"},
        "occurred_at": {"type": "string", "format": "date-time"},
        "anything": {},
    },
    "required": ["id", "status"],
}


def order(n):
    """The n-th order."""
    value = {
        "id": 2**53 + n,
        "customer": {"name": f"customer-{n % 7} ✓", "since": f"2024-02-{n % 28 + 1:02}"},
        "note": None if n % 3 == 0 else f"note \"{n}\"\n",
        "status": ["NEW", "PAID", "SHIPPED"][n % 3],
        "lines": [{"sku": f"sku-{n}-{i}", "quantity": i - 1, "weight": n / 4 + i} for i in range(n % 4)],
        "tags": {f"tag-{i}": f"{n}" for i in range(n % 2)},
        "gift": n % 2 == 0,
        "signature": "AP8=",
        "occurred_at": f"2023-11-14T22:13:{n % 60:02}.{n:03}000+00:00",
        "anything": {"n": [n, None]},
    }
    if n % 5 == 0:
        del value["note"], value["lines"]
    return value


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--brokers", required=True)
    parser.add_argument("--registry", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--count", type=int, default=10)
    arguments = parser.parse_args()

    registry = SchemaRegistryClient({"url": arguments.registry})
    registry.register_schema("customer", Schema(json.dumps(CUSTOMER), "JSON"))
    references = [SchemaReference("customer.json", "customer", 1)]
    schema = Schema(json.dumps(ORDER), "JSON", references)
    serialize = JSONSerializer(schema, registry, conf={"auto.register.schemas": True})
    producer = Producer({"bootstrap.servers": arguments.brokers, "enable.idempotence": True})
    context = SerializationContext(arguments.topic, MessageField.VALUE)
    failures = []

    def report(value):
        def delivered(error, message):
            if error:
                failures.append(error)
                return
            place = {"partition": message.partition(), "offset": message.offset(), "value": value}
            print(json.dumps(place, ensure_ascii=False))

        return delivered

    for n in range(arguments.count):
        value = order(n)
        producer.produce(arguments.topic, value=serialize(value, context), on_delivery=report(value))
        producer.poll(0)

    left = producer.flush(30)
    if failures or left:
        sys.exit(f"{left} records not delivered, {len(failures)} failed: {failures[:1]}")


if __name__ == "__main__":
    main()
