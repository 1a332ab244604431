//! The text of a writer schema, with all that it refers to.

use std::collections::HashMap;

use apache_avro::schema::{
    DecimalSchema, EnumSchema, InnerDecimalSchema, RecordField, RecordSchema, Schema, UuidSchema,
};
use serde_json::{Value, json};
use thiserror::Error;
use weir_guest::{columns::LayoutError, schemas};

/// Why a schema cannot be used. The texts reach the person who reads the dead letter.
#[derive(Debug, Error)]
pub enum SchemaError {
    /// The text is not JSON.
    #[error("it is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The text is not an Avro schema.
    #[error("{0}")]
    Avro(Box<apache_avro::Error>),
    /// The schema is of another language.
    #[error("it is a {0} schema, not an Avro one")]
    Language(&'static str),
    /// It has no Arrow form.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// A decimal with more digits than Arrow can hold.
    #[error("decimal field `{field}` has a precision of {precision}; the most is 76")]
    Precision {
        /// Name of the field.
        field: String,
        /// Digits.
        precision: usize,
    },
    /// A `fixed` of no bytes, or of more than Arrow can hold.
    #[error("field `{field}` is a fixed of {size} bytes; 1 to 2147483647 are possible")]
    FixedSize {
        /// Name of the field.
        field: String,
        /// Size in bytes.
        size: usize,
    },
    /// A union of nothing has no values.
    #[error("field `{0}` is a union without branches")]
    EmptyUnion(String),
    /// What was written cannot be read with the reader schema, whatever the values are.
    #[error("it cannot be read with the reader schema: {field}: {reason}")]
    Unresolvable {
        /// The field, or `the value`.
        field: String,
        /// Why.
        reason: String,
    },
    /// A default of the reader schema that is no value of its type.
    #[error("the reader schema's default of field `{field}`: {reason}")]
    Default {
        /// Name of the field.
        field: String,
        /// Why.
        reason: String,
    },
    /// Aliases of the reader schema make one field of two.
    #[error(
        "the reader schema's field `{0}` is, by its aliases, more than one field of the writer"
    )]
    Aliases(String),
    /// A type that is not defined.
    #[error("type `{0}` is not defined")]
    Undefined(String),
}

/// A parsed schema and the types that it names.
pub(crate) struct Parsed {
    /// The schema itself.
    pub(crate) root: Schema,
    named: HashMap<String, Schema>,
}

impl Parsed {
    /// Parses a schema after those it refers to, in their order.
    ///
    /// Defaults are left out: a writer schema does not need them, and registries hold
    /// schemas whose defaults do not fit their type, which Java does not check either.
    pub(crate) fn parse(schema: &schemas::Schema) -> Result<Self, SchemaError> {
        Self::parse_with(schema, Defaults::Removed)
    }

    /// The same for a reader schema: its defaults are kept, as attributes of that name
    /// ([`default_of`], [`default_symbol`]), so that what they are is found out where they are
    /// needed.
    pub(crate) fn parse_reader(schema: &schemas::Schema) -> Result<Self, SchemaError> {
        Self::parse_with(schema, Defaults::Kept)
    }

    fn parse_with(schema: &schemas::Schema, defaults: Defaults) -> Result<Self, SchemaError> {
        match schema.schema_type {
            schemas::SchemaType::Avro => {}
            schemas::SchemaType::Protobuf => return Err(SchemaError::Language("Protobuf")),
            schemas::SchemaType::Json => return Err(SchemaError::Language("JSON Schema")),
        }
        let texts = schema.references.iter().map(|reference| &reference.text);
        let mut fields = Vec::with_capacity(schema.references.len() + 1);
        for (number, text) in texts.chain([&schema.text]).enumerate() {
            let mut part: Value = text_or_name(text)?;
            set_aside_defaults(&mut part, defaults);
            fields.push(json!({ "name": format!("schema{number}"), "type": part }));
        }
        // One record around them all makes the parser meet the types in this order.
        let bundle = json!({ "type": "record", "name": "__weir_schemas__", "fields": fields });
        let bundle = Schema::parse(&bundle).map_err(|error| SchemaError::Avro(Box::new(error)))?;

        let mut named = HashMap::new();
        let mut root = Schema::Null;
        if let Schema::Record(bundle) = bundle {
            for field in &bundle.fields {
                collect_named(&field.schema, &mut named);
            }
            root = bundle
                .fields
                .into_iter()
                .next_back()
                .map_or(root, |field| field.schema);
        }
        Ok(Self { root, named })
    }

    /// The types that have names, some of them more than once.
    pub(crate) fn types(&self) -> impl Iterator<Item = &Schema> {
        self.named.values()
    }

    /// The schema itself, or what it stands for if it is the name of a type.
    pub(crate) fn resolve<'a>(&'a self, schema: &'a Schema) -> Result<&'a Schema, SchemaError> {
        match schema {
            Schema::Ref { name } => self
                .named
                .get(name.as_ref())
                .ok_or_else(|| SchemaError::Undefined(name.to_string())),
            other => Ok(other),
        }
    }
}

/// A schema may be registered as a bare name (`string`) without the quotes of JSON.
fn text_or_name(text: &str) -> Result<Value, SchemaError> {
    let bare = text.trim();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    if !bare.is_empty()
        && bare.chars().all(is_name)
        && bare.starts_with(|c: char| !c.is_ascii_digit())
    {
        return Ok(Value::from(bare));
    }
    Ok(serde_json::from_str(text)?)
}

/// The attribute that a default becomes. No schema has one of such a name by chance.
const DEFAULT: &str = "\u{0}default";

/// What becomes of defaults.
#[derive(Clone, Copy)]
enum Defaults {
    Removed,
    Kept,
}

/// The default of a reader's field, if it has one.
pub(crate) fn default_of(field: &RecordField) -> Option<&Value> {
    field.custom_attributes.get(DEFAULT)
}

/// The default of a reader's enum, if it has one.
pub(crate) fn default_symbol(symbols: &EnumSchema) -> Option<&str> {
    symbols.attributes.get(DEFAULT).and_then(Value::as_str)
}

/// Takes away the defaults of fields and enums, and nothing else: a custom attribute may
/// have that name too.
fn set_aside_defaults(schema: &mut Value, defaults: Defaults) {
    let set_aside = |object: &mut serde_json::Map<String, Value>| {
        if let (Some(default), Defaults::Kept) = (object.remove("default"), defaults) {
            object.insert(DEFAULT.to_owned(), default);
        }
    };
    match schema {
        Value::Array(branches) => {
            for branch in branches {
                set_aside_defaults(branch, defaults);
            }
        }
        Value::Object(object) => {
            if object.contains_key("symbols") {
                set_aside(object);
            }
            for key in ["type", "items", "values"] {
                if let Some(part) = object.get_mut(key) {
                    set_aside_defaults(part, defaults);
                }
            }
            let fields = object.get_mut("fields").and_then(Value::as_array_mut);
            for field in fields.into_iter().flatten() {
                if let Value::Object(field) = field {
                    set_aside(field);
                    if let Some(part) = field.get_mut("type") {
                        set_aside_defaults(part, defaults);
                    }
                }
            }
        }
        _ => {}
    }
}

fn collect_named(schema: &Schema, named: &mut HashMap<String, Schema>) {
    match schema {
        Schema::Record(RecordSchema { fields, .. }) => {
            for field in fields {
                collect_named(&field.schema, named);
            }
        }
        Schema::Array(array) => collect_named(&array.items, named),
        Schema::Map(map) => collect_named(&map.types, named),
        Schema::Union(union) => {
            for branch in union.variants() {
                collect_named(branch, named);
            }
        }
        _ => {}
    }
    let is_definition = matches!(
        schema,
        Schema::Record(_)
            | Schema::Enum(_)
            | Schema::Fixed(_)
            | Schema::Duration(_)
            | Schema::Uuid(UuidSchema::Fixed(_))
            | Schema::Decimal(DecimalSchema {
                inner: InnerDecimalSchema::Fixed(_),
                ..
            })
    );
    let Some(name) = schema.name().filter(|_| is_definition) else {
        return;
    };
    let aliases = schema.aliases().into_iter().flatten();
    let names = aliases.map(|alias| alias.fullname(name.namespace()));
    for name in names.chain([name.fullname(None)]) {
        named.entry(name).or_insert_with(|| schema.clone());
    }
}
