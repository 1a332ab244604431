//! Lists of partitions, as librdkafka takes them.

use rdkafka::TopicPartitionList;
use rdkafka::topic_partition_list::{Offset, TopicPartitionListElem};

use crate::batch::TopicPartition;

pub(super) fn list<'a>(
    partitions: impl IntoIterator<Item = (&'a TopicPartition, Offset)>,
) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for (source, offset) in partitions {
        list.add_partition_offset(&source.topic, source.partition, offset)
            .expect("offsets that come from Kafka fit a list");
    }
    list
}

pub(super) fn partition_of(element: &TopicPartitionListElem<'_>) -> TopicPartition {
    TopicPartition {
        topic: element.topic().into(),
        partition: element.partition(),
    }
}
