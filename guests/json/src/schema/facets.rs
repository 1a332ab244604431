//! All schemas that hold for one value together: the schema itself, what it refers to, and
//! the branches of `allOf`.

use serde_json::Value;

use super::{
    SchemaError,
    documents::{Index, Place},
};

/// How many schemas may hold for one value together.
pub(super) const MOST: usize = 1_000;

/// Schemas that all hold for one value.
#[derive(Clone, Debug, Default)]
pub(super) struct Facets<'a> {
    all: Vec<Place<'a>>,
}

impl<'a> Facets<'a> {
    /// What these schemas are, with all that they refer to.
    pub(super) fn of(
        index: &Index<'a>,
        places: impl IntoIterator<Item = Place<'a>>,
    ) -> Result<Self, SchemaError> {
        let mut facets = Self::default();
        for place in places {
            facets.add(index, place)?;
        }
        Ok(facets)
    }

    fn add(&mut self, index: &Index<'a>, place: Place<'a>) -> Result<(), SchemaError> {
        if self.contains(&place) {
            return Ok(());
        }
        if self.all.len() == MOST {
            return Err(SchemaError::Combined);
        }
        let reference = place.schema.get("$ref").and_then(Value::as_str);
        let target = match reference {
            // A schema of schemas: any of the drafts' own.
            Some(reference) if is_meta(reference) => {
                self.all.push(place.emptied());
                return Ok(());
            }
            Some(reference) => {
                let undefined = || SchemaError::Undefined(reference.to_owned());
                Some(index.find(&place, reference).ok_or_else(undefined)?)
            }
            None => None,
        };
        if target.is_none() || place.has_siblings_of_references() {
            self.all.push(place.clone());
            let branches = place.schema.get("allOf").and_then(Value::as_array);
            for branch in branches.into_iter().flatten() {
                self.add(index, place.at(branch))?;
            }
        } else {
            // The limit also ends a chain of them that leads back to itself.
            self.all.push(place.emptied());
        }
        target.map_or(Ok(()), |target| self.add(index, target))
    }

    fn contains(&self, place: &Place<'a>) -> bool {
        self.all
            .iter()
            .any(|known| std::ptr::eq(known.schema, place.schema))
    }

    /// These schemas and one more.
    pub(super) fn with(&self, index: &Index<'a>, place: Place<'a>) -> Result<Self, SchemaError> {
        let mut facets = self.clone();
        facets.add(index, place)?;
        Ok(facets)
    }

    /// Whether one of the schemas is among those.
    pub(super) fn meets(&self, others: &[&'a Value]) -> bool {
        let others = || others.iter();
        self.schemas()
            .any(|schema| others().any(|other| std::ptr::eq(*other, schema)))
    }

    /// The schemas that are objects.
    pub(super) fn schemas(&self) -> impl Iterator<Item = &'a Value> {
        self.all
            .iter()
            .map(|place| place.schema)
            .filter(|schema| schema.is_object())
    }

    /// The values of a keyword, with the place of each.
    pub(super) fn each<'s>(&'s self, keyword: &'s str) -> impl Iterator<Item = Place<'a>> + 's {
        let values =
            move |place: &Place<'a>| place.schema.get(keyword).map(|value| place.at(value));
        self.all.iter().filter_map(values)
    }

    /// The first value of a keyword.
    pub(super) fn first(&self, keyword: &str) -> Option<&'a Value> {
        self.schemas().find_map(|schema| schema.get(keyword))
    }

    /// Whether one of them allows nothing at all.
    pub(super) fn is_never(&self) -> bool {
        self.all
            .iter()
            .any(|place| *place.schema == Value::Bool(false))
    }
}

fn is_meta(reference: &str) -> bool {
    let secure = reference.strip_prefix("https://");
    let path = secure.or_else(|| reference.strip_prefix("http://"));
    path.is_some_and(|path| path.starts_with("json-schema.org/"))
}
