"""Reads a topic to its end with confluent-kafka's own deserializers, and prints each message.

They look for the schema in the header first, and then in the prefix.
"""

import argparse
import datetime
import decimal
import json
import sys

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext


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


def deserializer(kind, registry):
    if kind == "none":
        return lambda payload, context: None if payload is None else payload.decode()
    if kind == "avro":
        return AvroDeserializer(registry)
    if kind == "json":
        return JSONDeserializer(None, schema_registry_client=registry)
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
