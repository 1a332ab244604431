"""Produces Avro that names its schema elsewhere than in a prefix.

With --framing header, by confluent-kafka's own serializer (wire format v1); with
single-object, by Apache Avro for Python, which computes the fingerprint.
"""

import argparse
import io
import json

import avro.io
import avro.schema
from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient, header_schema_id_serializer
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext


def single_object(schema, value):
    """Avro's single-object encoding."""
    parsed = avro.schema.parse(schema)
    out = io.BytesIO()
    avro.io.DatumWriter(parsed).write(value, avro.io.BinaryEncoder(out))
    return b"\xc3\x01" + parsed.fingerprint() + out.getvalue()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--brokers", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--framing", choices=["header", "single-object"], required=True)
    parser.add_argument("--registry")
    parser.add_argument("--schema", required=True)
    parser.add_argument("--count", type=int, required=True)
    arguments = parser.parse_args()

    producer = Producer({"bootstrap.servers": arguments.brokers})
    if arguments.framing == "header":
        serializer = AvroSerializer(
            SchemaRegistryClient({"url": arguments.registry}),
            arguments.schema,
            conf={"schema.id.serializer": header_schema_id_serializer},
        )
    for n in range(arguments.count):
        value = {"id": n, "name": f"name {n}"}
        headers = [("trace", b"%d" % n)]
        if arguments.framing == "header":
            context = SerializationContext(arguments.topic, MessageField.VALUE, headers)
            encoded = serializer(value, context)
            headers = context.headers
        else:
            encoded = single_object(arguments.schema, value)
        producer.produce(arguments.topic, encoded, headers=headers)
        print(json.dumps(value))
    if producer.flush(30) > 0:
        raise SystemExit("the broker did not take all records in 30 s")


main()
