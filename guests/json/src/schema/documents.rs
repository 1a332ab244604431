//! A schema with all that it refers to, and where a `$ref` leads.

use std::collections::HashMap;

use serde_json::{Map, Value};
use url::Url;
use weir_guest::schemas;

use super::SchemaError;

/// What relative references are relative to where no schema says.
const BASE: &str = "json-schema:///";
/// The name of the schema itself, as no reference has it.
const ROOT: &str = "__schema__";

/// The rules by which a document is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Draft {
    V4,
    V6,
    V7,
    V2019,
    V2020,
}

impl Draft {
    /// What the document's `$schema` says.
    fn of(document: &Value, otherwise: Self) -> Self {
        match document.get("$schema").and_then(Value::as_str) {
            None => otherwise,
            Some(uri) if uri.contains("draft-04") => Self::V4,
            Some(uri) if uri.contains("draft-06") => Self::V6,
            Some(uri) if uri.contains("draft-07") => Self::V7,
            Some(uri) if uri.contains("2019-09") => Self::V2019,
            Some(_) => Self::V2020,
        }
    }
}

/// The texts, parsed: the schema itself is the first.
pub(crate) struct Documents {
    texts: Vec<Document>,
    /// Document numbers by all URLs under which a `$ref` may know them.
    urls: HashMap<String, usize>,
}

struct Document {
    url: Url,
    draft: Draft,
    value: Value,
}

impl Documents {
    pub(crate) fn parse(schema: &schemas::Schema) -> Result<Self, SchemaError> {
        let base = Url::parse(BASE).map_err(|error| SchemaError::Url(BASE.to_owned(), error))?;
        let mut texts = Vec::new();
        let mut urls = HashMap::new();
        // Names that are relative may be relative to the id of any document.
        let mut bases = vec![base.clone()];
        let references = schema
            .references
            .iter()
            .map(|it| (it.name.as_str(), it.text.as_str()));
        for (name, text) in std::iter::once((ROOT, schema.text.as_str())).chain(references) {
            let value: Value = serde_json::from_str(text).map_err(|error| match name {
                ROOT => SchemaError::Json(error),
                name => SchemaError::Reference(name.to_owned(), error),
            })?;
            let url = base
                .join(name)
                .map_err(|error| SchemaError::Url(name.to_owned(), error))?;
            bases.push(url.clone());
            // What it refers to is as it is itself; that is draft 7, as for Confluent's
            // serializers.
            let root = texts
                .first()
                .map_or(Draft::V7, |root: &Document| root.draft);
            let draft = Draft::of(&value, root);
            if let Some(id) = id_of(&value, draft)
                && let Ok(id) = url.join(id)
            {
                urls.entry(without_fragment(&id)).or_insert(texts.len());
                bases.push(id);
            }
            texts.push(Document { url, draft, value });
        }
        let names =
            std::iter::once(ROOT).chain(schema.references.iter().map(|it| it.name.as_str()));
        for (number, name) in names.enumerate() {
            // A name that is absolute is the same everywhere.
            let absolute = Url::parse(name).ok();
            let bases = if absolute.is_some() {
                &bases[..1]
            } else {
                &bases[..]
            };
            for url in bases.iter().filter_map(|base| base.join(name).ok()) {
                urls.entry(without_fragment(&url)).or_insert(number);
            }
        }
        Ok(Self { texts, urls })
    }

    /// The URL of the schema itself.
    pub(crate) fn root_url(&self) -> &str {
        self.texts[0].url.as_str()
    }

    /// The draft of the schema itself.
    pub(crate) fn draft(&self) -> Draft {
        self.texts[0].draft
    }

    /// Each document, to be had by its URLs.
    pub(crate) fn by_url(&self) -> impl Iterator<Item = (&str, &Value)> {
        let urls = self.urls.iter();
        urls.map(|(url, number)| (url.as_str(), &self.texts[*number].value))
    }
}

/// Schemas within documents, by what a `$ref` may say.
pub(crate) struct Index<'a> {
    documents: &'a Documents,
    /// Those with an id, by its URL.
    resources: HashMap<String, Place<'a>>,
    /// Those with an anchor, by URL with `#` and the anchor.
    anchors: HashMap<String, Place<'a>>,
}

/// A schema, with what its own references are relative to.
#[derive(Clone, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) schema: &'a Value,
    base: Url,
    draft: Draft,
}

impl<'a> Index<'a> {
    pub(crate) fn new(documents: &'a Documents) -> Self {
        let mut index = Self {
            documents,
            resources: HashMap::new(),
            anchors: HashMap::new(),
        };
        for number in 0..documents.texts.len() {
            index.collect(&index.document(number), &documents.texts[number].value);
        }
        index
    }

    /// The schema itself.
    pub(crate) fn root(&self) -> Place<'a> {
        self.document(0)
    }

    fn document(&self, number: usize) -> Place<'a> {
        let document = &self.documents.texts[number];
        let place = Place {
            schema: &document.value,
            base: document.url.clone(),
            draft: document.draft,
        };
        place.at(&document.value)
    }

    /// Where a `$ref` within `from` leads.
    pub(crate) fn find(&self, from: &Place<'a>, reference: &str) -> Option<Place<'a>> {
        let (path, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let resource = match path {
            "" => self.resource(&without_fragment(&from.base))?,
            path => {
                let joined = from.base.join(path).ok();
                let found = joined.and_then(|url| self.resource(&without_fragment(&url)));
                // A base such as a URN has no relatives: then the name itself has to do.
                found.or_else(|| {
                    self.resource(&without_fragment(&Url::parse(BASE).ok()?.join(path).ok()?))
                })?
            }
        };
        if fragment.is_empty() {
            return Some(resource);
        }
        let fragment = percent_decoded(fragment)?;
        if !fragment.starts_with('/') {
            let anchor = format!("{}#{fragment}", without_fragment(&resource.base));
            return self.anchors.get(&anchor).cloned();
        }
        let mut place = resource;
        for token in fragment[1..].split('/') {
            let token = token.replace("~1", "/").replace("~0", "~");
            let next = match place.schema {
                Value::Object(object) => object.get(&token),
                Value::Array(items) => token.parse().ok().and_then(|index: usize| items.get(index)),
                _ => None,
            };
            place = place.at(next?);
        }
        Some(place)
    }

    fn resource(&self, url: &str) -> Option<Place<'a>> {
        let by_id = self.resources.get(url).cloned();
        by_id.or_else(|| {
            self.documents
                .urls
                .get(url)
                .map(|number| self.document(*number))
        })
    }

    fn collect(&mut self, place: &Place<'a>, value: &'a Value) {
        match value {
            Value::Array(items) => {
                for item in items {
                    self.collect(&place.at(item), item);
                }
            }
            Value::Object(object) => {
                if id_of(value, place.draft).is_some() {
                    let url = without_fragment(&place.base);
                    self.resources.entry(url).or_insert_with(|| place.clone());
                }
                for anchor in anchors_of(object, place.draft) {
                    let url = format!("{}#{anchor}", without_fragment(&place.base));
                    self.anchors.entry(url).or_insert_with(|| place.clone());
                }
                for (keyword, below) in object {
                    // What is in them is data, and not a schema.
                    if !matches!(keyword.as_str(), "enum" | "const" | "default" | "examples") {
                        self.collect(&place.at(below), below);
                    }
                }
            }
            _ => {}
        }
    }
}

impl<'a> Place<'a> {
    /// A schema right below this one.
    pub(crate) fn at(&self, schema: &'a Value) -> Self {
        let id = id_of(schema, self.draft).and_then(|id| self.base.join(id).ok());
        Self {
            schema,
            base: id.unwrap_or_else(|| self.base.clone()),
            draft: self.draft,
        }
    }

    /// The same place, with nothing there.
    pub(crate) fn emptied(&self) -> Self {
        Self {
            schema: &Value::Null,
            ..self.clone()
        }
    }

    /// Whether keywords beside a `$ref` count: from draft 2019-09 on.
    pub(crate) fn has_siblings_of_references(&self) -> bool {
        self.draft >= Draft::V2019
    }
}

/// The id that a schema gives itself, which is more than an anchor.
fn id_of(schema: &Value, draft: Draft) -> Option<&str> {
    let keyword = if draft == Draft::V4 { "id" } else { "$id" };
    let id = schema.get(keyword)?.as_str()?;
    // Beside a $ref it does not count before draft 2019-09.
    let counts = draft >= Draft::V2019 || schema.get("$ref").is_none_or(|it| !it.is_string());
    (counts && !id.starts_with('#')).then_some(id)
}

fn anchors_of(schema: &Map<String, Value>, draft: Draft) -> impl Iterator<Item = &str> {
    let text = |keyword: &str| schema.get(keyword).and_then(Value::as_str);
    let (id, anchors) = match draft {
        Draft::V4 => (text("id"), [None, None]),
        Draft::V6 | Draft::V7 => (text("$id"), [None, None]),
        Draft::V2019 => (None, [text("$anchor"), None]),
        Draft::V2020 => (None, [text("$anchor"), text("$dynamicAnchor")]),
    };
    let id = id.and_then(|id| id.strip_prefix('#'));
    id.into_iter().chain(anchors.into_iter().flatten())
}

fn without_fragment(url: &Url) -> String {
    let mut url = url.clone();
    url.set_fragment(None);
    url.into()
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, below @ ..] = rest {
        rest = below;
        let digits = || {
            below
                .get(..2)
                .and_then(|digits| std::str::from_utf8(digits).ok())
        };
        match digits().and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &below[2..];
            }
            _ => bytes.push(*first),
        }
    }
    String::from_utf8(bytes).ok()
}
