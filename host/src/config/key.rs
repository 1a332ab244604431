//! What the table says of one key.

use super::profile::Profile;

/// One configuration key: everything that parsing, the reference page and editors
/// need to know of it.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Full dotted name, its sections included. `[]` stands for each entry of a list.
    pub name: &'static str,
    /// Other full names that mean the same, such as librdkafka's where Kafka has another.
    pub aliases: &'static [&'static str],
    /// What values it takes.
    pub kind: Kind,
    /// What holds when it is not given, written as in the file.
    pub default: Option<&'static str>,
    /// What holds instead in each [`Profile`], in the order of [`Profile::NAMES`].
    pub profiles: Option<[&'static str; 3]>,
    /// The default in words, where it depends on other keys.
    pub default_note: Option<&'static str>,
    /// What to write, for a key that has to be given.
    pub required: Option<&'static str>,
    /// Whether its value must never be shown.
    pub secret: bool,
    /// The librdkafka property that it sets.
    pub librdkafka: Option<&'static str>,
    /// What it does, in a sentence or two.
    pub doc: &'static str,
}

/// The values that a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text, not empty.
    Text,
    /// A whole number within a range, both ends included.
    Integer {
        /// The smallest that is allowed.
        min: u64,
        /// The largest that is allowed.
        max: u64,
        /// What is counted.
        unit: Unit,
    },
    /// `true` or `false`.
    Boolean,
    /// One of some names; case, `-` and `_` make no difference.
    Choice {
        /// The names.
        names: &'static [&'static str],
        /// Other names, each with the one that it stands for.
        also: &'static [(&'static str, &'static str)],
        /// Names that are known but do not work yet.
        later: &'static [&'static str],
        /// What works instead of those.
        note: &'static str,
    },
    /// A list, or text with commas between the entries.
    List,
    /// A regular expression, matched against the whole of a name.
    Pattern,
    /// A point in time: in ms since the epoch, in RFC 3339, or before the start (`-1h`).
    Moment,
    /// A map from topics to maps from partitions to offsets.
    Offsets,
    /// A map from topics to lists of partitions.
    Partitions,
    /// A list of what messages have beside their values, or a map from names of columns.
    Metadata,
    /// An `http` or `https` URL.
    Url,
    /// A file or directory, relative to the folder of the pipeline file.
    Path,
    /// The name of a built-in plug-in, or the path of a `.wasm` file.
    Plugin,
    /// A map that is handed to a plug-in as it is.
    Options,
    /// A map of librdkafka's own properties.
    Properties,
    /// A map from schema ids or subjects to files.
    Files,
    /// Known, and so is everything below it, but it does not work yet.
    Later(&'static str),
}

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// 1,024 bytes.
    Kibibytes,
    /// Milliseconds.
    Milliseconds,
    /// Messages.
    Messages,
    /// Rows.
    Rows,
    /// Requests.
    Requests,
    /// How often something happens.
    Times,
    /// A number on a scale.
    Level,
    /// Messages a second.
    MessagesPerSecond,
    /// Bytes a second.
    BytesPerSecond,
}

impl Unit {
    /// The plural, as in an error message.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Kibibytes => "kibibytes",
            Self::Milliseconds => "milliseconds",
            Self::Messages => "messages",
            Self::Rows => "rows",
            Self::Requests => "requests",
            Self::Times => "times",
            Self::Level => "steps",
            Self::MessagesPerSecond => "messages a second",
            Self::BytesPerSecond => "bytes a second",
        }
    }
}

impl Key {
    /// Its name, and the others that mean the same.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        [self.name].into_iter().chain(self.aliases.iter().copied())
    }

    /// What holds in a profile when the key is not given, written as in the file.
    #[must_use]
    pub fn default_in(&self, profile: Profile) -> Option<&'static str> {
        match self.profiles {
            Some(defaults) => Some(defaults[profile as usize]),
            None => self.default,
        }
    }

    pub(super) const fn new(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self {
            name,
            aliases: &[],
            kind,
            default: None,
            profiles: None,
            default_note: None,
            required: None,
            secret: false,
            librdkafka: None,
            doc,
        }
    }

    pub(super) const fn integer(
        name: &'static str,
        (min, max): (u64, u64),
        unit: Unit,
        doc: &'static str,
    ) -> Self {
        Self::new(name, Kind::Integer { min, max, unit }, doc)
    }

    pub(super) const fn choice(
        name: &'static str,
        names: &'static [&'static str],
        doc: &'static str,
    ) -> Self {
        let kind = Kind::Choice {
            names,
            also: &[],
            later: &[],
            note: "",
        };
        Self::new(name, kind, doc)
    }

    pub(super) const fn text(name: &'static str, doc: &'static str) -> Self {
        Self::new(name, Kind::Text, doc)
    }

    pub(super) const fn boolean(name: &'static str, doc: &'static str) -> Self {
        Self::new(name, Kind::Boolean, doc)
    }

    pub(super) const fn list(name: &'static str, doc: &'static str) -> Self {
        Self::new(name, Kind::List, doc)
    }

    pub(super) const fn path(name: &'static str, doc: &'static str) -> Self {
        Self::new(name, Kind::Path, doc)
    }

    pub(super) const fn url(name: &'static str, doc: &'static str) -> Self {
        Self::new(name, Kind::Url, doc)
    }

    pub(super) const fn later(name: &'static str, note: &'static str, doc: &'static str) -> Self {
        Self::new(name, Kind::Later(note), doc)
    }

    /// Adds names to a choice that are known and refused.
    pub(super) const fn not_yet(
        mut self,
        names: &'static [&'static str],
        instead: &'static str,
    ) -> Self {
        if let Kind::Choice { later, note, .. } = &mut self.kind {
            (*later, *note) = (names, instead);
        }
        self
    }

    /// Adds other names for values of a choice.
    pub(super) const fn also(mut self, names: &'static [(&'static str, &'static str)]) -> Self {
        if let Kind::Choice { also, .. } = &mut self.kind {
            *also = names;
        }
        self
    }

    pub(super) const fn alias(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    pub(super) const fn by_profile(mut self, defaults: [&'static str; 3]) -> Self {
        self.profiles = Some(defaults);
        self
    }

    pub(super) const fn or(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }

    pub(super) const fn or_else(mut self, note: &'static str) -> Self {
        self.default_note = Some(note);
        self
    }

    pub(super) const fn required(mut self, example: &'static str) -> Self {
        self.required = Some(example);
        self
    }

    pub(super) const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    pub(super) const fn sets(mut self, property: &'static str) -> Self {
        self.librdkafka = Some(property);
        self
    }
}
