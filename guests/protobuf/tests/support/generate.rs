//! Seeded random schemas, and random messages for them, as bytes that a writer might send: in
//! any order, with fields that the schema does not have, packed or not, in pieces, overwritten.

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use super::Wire;

pub(crate) struct Random(
    weir_guest::random::Random,
    /// Whether entries of maps have unknown fields.
    bool,
);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(weir_guest::random::Random::new(seed), true)
    }

    /// The same without unknown fields in the entries of maps.
    pub(crate) fn with_plain_entries(seed: u64) -> Self {
        Self(weir_guest::random::Random::new(seed), false)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0.next()
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    /// Of any size in bits, so that varints of all lengths appear.
    fn number(&mut self) -> u64 {
        let value = self.next() >> self.below(64);
        match self.below(3) {
            0 => value.wrapping_neg(),
            _ => value,
        }
    }

    fn bytes(&mut self) -> Vec<u8> {
        let length = [0, 3, 8, 31, 33, 90][self.below(6)];
        (0..length).map(|_| self.next().to_le_bytes()[0]).collect()
    }

    fn text(&mut self) -> String {
        let alphabet: Vec<char> = "abcXYZ 0_\"\\äß€𝄞\u{0}".chars().collect();
        let length = [0, 3, 8, 20, 50][self.below(5)];
        let plain = self.below(3) > 0;
        (0..length)
            .map(|_| match plain {
                true => 'x',
                false => alphabet[self.below(alphabet.len())],
            })
            .collect()
    }
}

const SCALARS: [&str; 15] = [
    "bool", "int32", "sint32", "uint32", "fixed32", "sfixed32", "int64", "sint64", "uint64",
    "fixed64", "sfixed64", "float", "double", "string", "bytes",
];

const KEYS: [&str; 8] = [
    "string", "string", "bool", "int32", "sint64", "uint64", "fixed32", "sfixed64",
];

const KNOWN: [&str; 10] = [
    "Timestamp",
    "Timestamp",
    "Duration",
    "StringValue",
    "Int64Value",
    "BoolValue",
    "DoubleValue",
    "Struct",
    "Value",
    "Empty",
];

/// What files are written in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Language {
    Proto2,
    Proto3,
    /// Whether fields of the file have no presence unless they say so.
    Edition {
        implicit: bool,
    },
}

/// Files of one top-level message.
pub(crate) struct Maker {
    language: Language,
    names: usize,
}

impl Maker {
    pub(crate) fn file(random: &mut Random) -> String {
        let proto3 = random.below(3) > 0;
        let mut maker = Self {
            language: if proto3 {
                Language::Proto3
            } else {
                Language::Proto2
            },
            names: 0,
        };
        let syntax = if proto3 { "proto3" } else { "proto2" };
        let message = maker.message(random, 3, &mut Vec::new());
        let imports = ["timestamp", "duration", "wrappers", "struct", "empty"]
            .map(|name| format!("import \"google/protobuf/{name}.proto\";\n"))
            .concat();
        let extension = match message.contains("extensions 900 to 950;\n}\n//top") {
            true => "extend M1 { optional int32 more = 905; }\n",
            false => "",
        };
        format!("syntax = \"{syntax}\";\npackage p.q;\n{imports}{message}{extension}")
    }

    /// A file of an edition, with any features. It imports nothing.
    pub(crate) fn edition(random: &mut Random) -> String {
        let implicit = random.below(3) == 0;
        let mut maker = Self {
            language: Language::Edition { implicit },
            names: 0,
        };
        let message = maker.message(random, 3, &mut Vec::new());
        let mut options = String::new();
        let mut option = |feature: &str, times: usize| {
            if times == 0 {
                options += &format!("option features.{feature};\n");
            }
        };
        option("field_presence = IMPLICIT", usize::from(!implicit));
        option("repeated_field_encoding = EXPANDED", random.below(3));
        option("message_encoding = DELIMITED", random.below(3));
        option("utf8_validation = NONE", random.below(5));
        option("json_format = LEGACY_BEST_EFFORT", random.below(5));
        let (year, export) = match random.below(2) {
            0 => ("2023", ""),
            _ => {
                options += "option features.enforce_naming_style = STYLE_LEGACY;\n";
                ("2024", "export ")
            }
        };
        let extension = "extend M1 { int32 more = 905; }\n";
        format!("edition = \"{year}\";\npackage p.e;\n{options}{export}{message}{extension}",)
    }

    fn is_edition(&self) -> bool {
        matches!(self.language, Language::Edition { .. })
    }

    fn name(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names)
    }

    fn message(&mut self, random: &mut Random, depth: usize, open: &mut Vec<String>) -> String {
        let name = self.name("M");
        open.push(name.clone());
        let body = self.body(random, depth, open);
        open.pop();
        let top = if open.is_empty() { "//top\n" } else { "" };
        format!("message {name} {{\n{body}}}\n{top}")
    }

    fn body(&mut self, random: &mut Random, depth: usize, open: &mut Vec<String>) -> String {
        let mut body = String::new();
        let mut numbers = Vec::new();
        for _ in 0..random.below(7) {
            let number = loop {
                let number = match random.below(6) {
                    0 => 16 + random.below(100),
                    1 => 600 + random.below(200),
                    2 => (1 << 20) + random.below(100),
                    _ => 1 + random.below(15),
                };
                if !numbers.contains(&number) {
                    break number;
                }
            };
            numbers.push(number);
            body += &self.field(random, depth, number, open);
        }
        if random.below(3) == 0 {
            let members: String = (0..1 + random.below(4))
                .map(|i| {
                    let (define, kind) = self.kind(random, depth, open);
                    body.push_str(&define);
                    format!("{kind} o{i}_{} = {};\n", self.names, 300 + i)
                })
                .collect();
            body += &format!("oneof {} {{\n{members}}}\n", self.name("one"));
        }
        if self.language != Language::Proto3 {
            body += "extensions 900 to 950;\n";
        }
        if self.is_edition() && random.below(4) == 0 {
            body += &format!("reserved gone, {};\n", self.name("lost"));
        }
        body
    }

    fn field(
        &mut self,
        random: &mut Random,
        depth: usize,
        number: usize,
        open: &mut Vec<String>,
    ) -> String {
        let name = self.name("f");
        if random.below(6) == 0 {
            let key = KEYS[random.below(KEYS.len())];
            let (mut define, kind) = self.kind(random, depth, open);
            if self.language == (Language::Edition { implicit: true }) && kind.starts_with('E') {
                // Values of maps have no presence then, and cannot say otherwise.
                define = define.replace("option features.enum_type = CLOSED; ", "");
            }
            return format!("{define}map<{key}, {kind}> {name} = {number};\n");
        }
        let label = match (random.below(5), self.language) {
            (0 | 1, _) => "repeated ",
            (2, Language::Proto3) | (_, Language::Proto2) => "optional ",
            _ => "",
        };
        if self.language == Language::Proto2 && depth > 0 && random.below(8) == 0 {
            let group = self.name("G");
            open.push(group.clone());
            let body = self.body(random, depth - 1, open);
            open.pop();
            return format!("{label}group {group} = {number} {{\n{body}}}\n");
        }
        let (define, kind) = self.kind(random, depth, open);
        if self.is_edition() {
            let is_message = kind.starts_with('M');
            let feature = self.feature(random, label == "repeated ", is_message, &define, &kind);
            return format!("{define}{label}{kind} {name} = {number}{feature};\n");
        }
        let packs = label == "repeated " && SCALARS[..13].contains(&kind.as_str());
        let packed = match random.below(3) {
            0 if packs => " [packed = true]",
            1 if packs => " [packed = false]",
            _ => "",
        };
        format!("{define}{label}{kind} {name} = {number}{packed};\n")
    }

    /// What a field says of itself, and what it has to say.
    fn feature(
        &self,
        random: &mut Random,
        is_repeated: bool,
        is_message: bool,
        define: &str,
        kind: &str,
    ) -> &'static str {
        let implicit = self.language == Language::Edition { implicit: true };
        let closed = define.contains("CLOSED");
        match random.below(4) {
            // Fields without presence have an open enum.
            _ if implicit && closed && !is_repeated => " [features.field_presence = EXPLICIT]",
            0 if is_message => " [features.message_encoding = DELIMITED]",
            1 if is_message => " [features.message_encoding = LENGTH_PREFIXED]",
            0 | 1 if is_message || kind == "string" || kind == "bytes" => "",
            0 if is_repeated => " [features.repeated_field_encoding = EXPANDED]",
            1 if is_repeated => " [features = { repeated_field_encoding: PACKED }]",
            0 if !closed => " [features.field_presence = IMPLICIT]",
            1 => " [features.field_presence = EXPLICIT]",
            2 if !is_repeated && random.below(4) == 0 => {
                " [deprecated = true, features.field_presence = LEGACY_REQUIRED]"
            }
            _ => "",
        }
    }

    /// A definition that comes before, and the name of a type.
    fn kind(
        &mut self,
        random: &mut Random,
        depth: usize,
        open: &mut Vec<String>,
    ) -> (String, String) {
        match random.below(12) {
            0 if depth > 0 => {
                let define = self.message(random, depth - 1, open);
                let name = define.split(' ').nth(1).unwrap().to_owned();
                (define, name)
            }
            1 if depth > 0 => {
                let define = self.message(random, depth - 1, open);
                let name = define.split(' ').nth(1).unwrap().to_owned();
                (define, name)
            }
            2 => {
                let name = self.name("E");
                let closed = match random.below(2) {
                    0 if self.is_edition() => "option features.enum_type = CLOSED; ",
                    _ => "",
                };
                let define = format!(
                    "enum {name} {{ {closed}option allow_alias = true; {name}_A = 0; {name}_B = 1; {name}_B2 = 1; {name}_C = -5; {name}_D = 70000; }}\n"
                );
                (define, name)
            }
            3 if !self.is_edition() => (
                String::new(),
                format!("google.protobuf.{}", KNOWN[random.below(KNOWN.len())]),
            ),
            4 => (String::new(), open[random.below(open.len())].clone()),
            _ => (
                String::new(),
                SCALARS[random.below(SCALARS.len())].to_owned(),
            ),
        }
    }
}

/// The bytes of a random message.
pub(crate) fn message(descriptor: &MessageDescriptor, random: &mut Random, depth: usize) -> Wire {
    let fields: Vec<_> = descriptor.fields().collect();
    let mut wire = Wire::default();
    if depth == 0 {
        return wire;
    }
    match descriptor.full_name() {
        "google.protobuf.Timestamp" | "google.protobuf.Duration" => {
            let seconds = random.next() % 9_000_000_000;
            if random.below(4) > 0 {
                wire = wire.varint(1, seconds);
            }
            if random.below(3) > 0 {
                wire = wire.varint(2, random.next() % 1_000_000_000);
            }
            if random.below(60) == 0 {
                wire = wire.varint(1, seconds * 10);
            }
            return wire;
        }
        _ => {}
    }
    // What a writer does: each field once or not at all, by number.
    let orderly = random.below(2) == 0;
    let most = fields.len() * if random.below(4) == 0 { 3 } else { 1 };
    let count = if orderly {
        fields.len()
    } else {
        random.below(most + 1)
    };
    for at in 0..count {
        if random.below(12) == 0 {
            wire = unknown(descriptor, random, wire);
        }
        let field = match orderly {
            true if random.below(4) == 0 => continue,
            true => &fields[at],
            false => &fields[random.below(fields.len())],
        };
        wire = occurrence(field, random, depth, wire);
    }
    if descriptor.extensions().len() > 0 && random.below(2) == 0 {
        wire = wire.varint(905, random.number());
    }
    if random.below(8) == 0 {
        wire = unknown(descriptor, random, wire);
    }
    wire
}

fn occurrence(field: &FieldDescriptor, random: &mut Random, depth: usize, wire: Wire) -> Wire {
    let packs = !matches!(field.kind(), Kind::String | Kind::Bytes | Kind::Message(_));
    if field.is_list() && packs && random.below(3) > 0 {
        let mut packed = Wire::default();
        for _ in 0..random.below(5) {
            packed = bare(&field.kind(), random, packed);
        }
        return wire.bytes(field.number(), packed);
    }
    let times = match field.is_list() || field.is_map() {
        true => random.below(4),
        false => 1,
    };
    (0..times).fold(wire, |wire, _| one(field, random, depth, wire))
}

fn one(field: &FieldDescriptor, random: &mut Random, depth: usize, wire: Wire) -> Wire {
    let number = field.number();
    match field.kind() {
        Kind::String => wire.bytes(number, random.text()),
        Kind::Bytes => wire.bytes(number, random.bytes()),
        Kind::Message(entry) if field.is_map() => {
            let (key, value) = (entry.map_entry_key_field(), entry.map_entry_value_field());
            let mut content = Wire::default();
            let again = random.below(3) / 2;
            // A number that a closed enum does not have is unknown, also where another one follows.
            let once = !random.1 && value.kind().as_enum().is_some();
            for _ in 0..1 + if once { 0 } else { again } {
                // Few keys, so that some come twice.
                if random.below(6) > 0 {
                    content = match key.kind() {
                        Kind::String => content.bytes(1, format!("k{}", random.below(4))),
                        Kind::Fixed32 => content.fixed32(1, 7),
                        Kind::Sfixed64 => content.fixed64(1, random.next() % 3),
                        _ => content.varint(1, random.next() % 5),
                    };
                }
                if random.below(6) > 0 {
                    content = one(&value, random, depth, content);
                }
                if random.below(9) == 0 && random.1 {
                    content = content.varint(77, 1);
                }
            }
            wire.bytes(number, content)
        }
        Kind::Message(nested) if field.is_group() => {
            let content = message(&nested, random, depth - 1);
            wire.group(number, &content)
        }
        Kind::Message(nested) => {
            let content = message(&nested, random, depth - 1);
            wire.bytes(number, content)
        }
        kind => {
            let tag = match kind {
                Kind::Fixed32 | Kind::Sfixed32 | Kind::Float => 5,
                Kind::Fixed64 | Kind::Sfixed64 | Kind::Double => 1,
                _ => 0,
            };
            bare(&kind, random, wire.tag(number, tag))
        }
    }
}

/// A scalar without its tag.
fn bare(kind: &Kind, random: &mut Random, mut wire: Wire) -> Wire {
    match kind {
        Kind::Fixed32 | Kind::Sfixed32 => wire.0.extend(&random.next().to_le_bytes()[..4]),
        Kind::Fixed64 | Kind::Sfixed64 => wire.0.extend(random.next().to_le_bytes()),
        Kind::Float => wire.0.extend(1.5f32.to_le_bytes()),
        Kind::Double => {
            let value = f64::from(u32::try_from(random.below(1000)).unwrap()) / 8.0;
            wire.0.extend(value.to_le_bytes());
        }
        Kind::Enum(values) => {
            // prost-reflect does not tell closed enums from others, as all others do.
            let file = values.parent_file();
            let any =
                file.syntax() == prost_reflect::Syntax::Proto3 || file.package_name() == "p.e";
            let number: i64 = match random.below(6) {
                0 => 0,
                1 | 2 => 1,
                3 => -5,
                4 if any => 17,
                5 if any => -9,
                _ => 70_000,
            };
            // Of google.protobuf.NullValue there is only 0.
            let number = if values.name() == "NullValue" {
                0
            } else {
                number
            };
            return wire.raw_varint(number.cast_unsigned());
        }
        _ => {
            let value = random.number();
            wire = wire.raw_varint(value);
            // As long as it may be, now and then.
            let padded = wire.0.len();
            if value < 64 && random.below(10) == 0 {
                wire.0[padded - 1] |= 0x80;
                wire.0.extend([0x80, 0]);
            }
        }
    }
    wire
}

fn unknown(descriptor: &MessageDescriptor, random: &mut Random, wire: Wire) -> Wire {
    let number = 400 + u32::try_from(random.below(3) * 5000).unwrap();
    assert!(descriptor.get_field(number).is_none());
    match random.below(5) {
        0 => wire.varint(number, random.number()),
        1 => wire.fixed32(number, 5),
        2 => wire.fixed64(number, 5),
        3 => wire.bytes(number, random.bytes()),
        _ => {
            let inner = Wire::default().varint(1, 300).group(2, &Wire::default());
            wire.group(number, &inner.bytes(3, [4, 4, 4]))
        }
    }
}
