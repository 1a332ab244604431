//! A peer in Python: confluent-kafka with its own serializers.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::{Unavailable, script};

/// An interpreter that has the packages of `tests/python/requirements.txt`.
#[derive(Debug, Clone)]
pub struct PythonPeer {
    interpreter: PathBuf,
}

/// Finds the peer, and installs its packages the first time.
///
/// # Errors
///
/// [`Unavailable`] if Python, its venv module or one of the packages cannot be had.
pub fn python_peer() -> Result<PythonPeer, Unavailable> {
    match script::path_from("python-peer") {
        Ok(interpreter) => Ok(PythonPeer { interpreter }),
        Err(reason) => Err(Unavailable {
            peer: "the Python peer",
            reason,
            required_by: "WEIR_REQUIRE_PYTHON",
        }),
    }
}

/// What `produce_orders.py` is to do.
#[derive(Debug, Clone)]
pub struct ProduceOrders<'a> {
    /// The `bootstrap.servers`.
    pub brokers: &'a str,
    /// The registry's URL; the serializer registers its schema there.
    pub registry: &'a str,
    /// A topic that exists.
    pub topic: &'a str,
    /// How many records.
    pub count: u32,
    /// Every how many records one is a tombstone; 0 for none.
    pub tombstone_every: u32,
}

impl PythonPeer {
    /// Produces orders, the same ones every time, and returns what the script says of
    /// each: `partition`, `offset`, `timestamp`, `key`, `headers` (bytes in hex), `value`.
    #[must_use]
    pub fn produce_orders(&self, orders: &ProduceOrders<'_>) -> Vec<Value> {
        self.run(
            "produce_orders.py",
            &[
                "--brokers",
                orders.brokers,
                "--registry",
                orders.registry,
                "--topic",
                orders.topic,
                "--count",
                &orders.count.to_string(),
                "--tombstone-every",
                &orders.tombstone_every.to_string(),
            ],
        )
    }

    /// Produces Protobuf messages of three types to a topic that exists, the same ones every
    /// time, and returns what the script says of each: `partition`, `offset`, `type`, `value`.
    #[must_use]
    pub fn produce_events(
        &self,
        brokers: &str,
        registry: &str,
        topic: &str,
        count: u32,
    ) -> Vec<Value> {
        let count = count.to_string();
        self.run(
            "produce_events.py",
            &[
                "--brokers",
                brokers,
                "--registry",
                registry,
                "--topic",
                topic,
                "--count",
                &count,
            ],
        )
    }

    /// Runs a script of `tests/python` and returns the JSON lines it prints.
    ///
    /// # Panics
    ///
    /// If the script fails or prints something else.
    #[must_use]
    pub fn run(&self, name: &str, arguments: &[&str]) -> Vec<Value> {
        let output = Command::new(&self.interpreter)
            .arg(script::root().join("tests/python").join(name))
            .args(arguments)
            .output()
            .expect("the interpreter runs");
        assert!(
            output.status.success(),
            "{name} ended with {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        let lines = serde_json::Deserializer::from_slice(&output.stdout).into_iter();
        lines.map(|line| line.expect("a JSON line")).collect()
    }
}
