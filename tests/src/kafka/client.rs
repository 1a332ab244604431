//! What a client of a secure listener sets, under the names that librdkafka and weir share.

use std::fmt::{self, Display, Write as _};

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

/// The properties of a client, in the order in which they were set.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Client(Vec<(String, String)>);

impl Client {
    /// Sets a property, or changes it.
    #[must_use]
    pub fn set(mut self, key: &str, value: impl Display) -> Self {
        let value = value.to_string();
        match self.0.iter_mut().find(|(other, _)| other == key) {
            Some(property) => property.1 = value,
            None => self.0.push((key.to_owned(), value)),
        }
        self
    }

    /// Leaves a property out.
    #[must_use]
    pub fn without(mut self, key: &str) -> Self {
        self.0.retain(|(other, _)| other != key);
        self
    }

    /// A property's value.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(other, _)| other == key)?;
        Some(value)
    }

    /// The properties, in order.
    pub fn properties(&self) -> impl Iterator<Item = (&str, &str)> {
        let properties = self.0.iter();
        properties.map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The properties for a client of rdkafka's, which logs nothing.
    #[must_use]
    pub fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.extend(self.0.iter().cloned());
        config.set_log_level(RDKafkaLogLevel::Emerg);
        config
    }

    /// The properties as keys of a mapping in a pipeline file, one a line, two spaces in.
    #[must_use]
    pub fn yaml(&self) -> String {
        let mut yaml = String::new();
        for (key, value) in self.properties() {
            // A JSON string is a YAML string, whatever is in it.
            let _ = writeln!(yaml, "  {key}: {}", serde_json::Value::from(value));
        }
        yaml
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_map().entries(self.properties()).finish()
    }
}
