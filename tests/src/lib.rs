//! The peers that weir is tested against.
//!
//! ```text
//! produce ──► mock::Mock     librdkafka's embedded broker: fast, with injected faults
//!             kafka::Kafka   Apache Kafka itself: restarts, transactions, security
//! records ◄── read           what either of them holds
//! registry::Registry         a schema registry over HTTP, with a fault switch
//! srfake::Srfake             one that is not ours: franz-go's
//!
//! kafka::SecureKafka   listeners with TLS, SASL and ACLs, and clients for them
//!   ├─ certificates::Certificates     the right ones and the wrong ones
//!   ├─ aws::ContainerCredentials      AWS credentials that end soon
//!   ├─ oidc::Oidc                     OAuth tokens and their keys, with a fault switch
//!   └─ kerberos::Kerberos             a realm with its own server
//!
//! python::PythonPeer         confluent-kafka's own serializers
//!
//! weir::Project  ─► weir::Running ─► weir::Finished     the command, as its users run it
//! ```
//!
//! These are helpers of tests: a peer that is not installed is an
//! [`Unavailable`], anything else that goes wrong panics with the reason.
//!
//! ```
//! use weir_tests::{mock::Mock, records::{Reader, Record, produce}};
//!
//! let mock = Mock::start();
//! mock.create_topic("orders", 1);
//! produce(mock.brokers(), &[Record::new("orders").value("one")]);
//! let read = Reader::new(mock.brokers(), "orders").to_end();
//! assert_eq!(read[0].value.as_deref(), Some(b"one".as_slice()));
//! ```

pub mod avro;
pub mod aws;
mod broker;
pub mod certificates;
pub mod groups;
pub mod guest;
mod http;
pub mod kafka;
pub mod kerberos;
pub mod mock;
pub mod oidc;
pub mod orders;
mod ports;
pub mod python;
pub mod records;
pub mod registry;
mod script;
pub mod srfake;
mod unavailable;
mod watched;
pub mod weir;

pub use broker::Broker;
pub use unavailable::{Unavailable, available};
