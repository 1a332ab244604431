//! Reader schemas made of writer schemas: what people do to schemas over the years, and worse.

use std::collections::HashMap;

use serde_json::{Value as Json, json};

use super::generate::{Random, SchemaMaker};

/// Makes a reader schema of one writer schema.
pub(crate) struct Mutation {
    /// What named types are called by the reader, by what the writer calls them.
    renamed: HashMap<String, String>,
    maker: SchemaMaker,
    added: usize,
    /// Of how many places one is changed.
    rarity: usize,
}

impl Mutation {
    pub(crate) fn new(rarity: usize) -> Self {
        Self {
            renamed: HashMap::new(),
            maker: SchemaMaker::apart(),
            added: 0,
            rarity,
        }
    }

    /// The reader schema.
    pub(crate) fn reader(&mut self, w: &Json, random: &mut Random) -> Json {
        if random.below(self.rarity) > 0 {
            return self.inside(w, random);
        }
        match random.below(6) {
            0 => self.maker.any(random, 1),
            1 | 2 => promoted(w, random).unwrap_or_else(|| self.inside(w, random)),
            3 if !w.is_array() => json!(["null", self.inside(w, random)]),
            4 if !w.is_array() => self.in_union(w, random),
            5 if w.is_array() => {
                let branches = w.as_array().unwrap();
                let kept = &branches[random.below(branches.len())];
                self.inside(kept, random)
            }
            _ => self.inside(w, random),
        }
    }

    /// One of a wide union.
    fn in_union(&mut self, w: &Json, random: &mut Random) -> Json {
        let value = self.inside(w, random);
        let others = ["null", "boolean", "int", "double", "string", "bytes"];
        let kind = |schema: &Json| match schema {
            Json::String(name) => name.clone(),
            other => other["type"].as_str().unwrap_or_default().to_owned(),
        };
        let taken = kind(&value);
        let mut branches = vec![value];
        for other in others {
            if other != taken && random.below(2) == 0 {
                let at = random.below(branches.len() + 1);
                branches.insert(at, other.into());
            }
        }
        branches.into()
    }

    /// The same kind of schema, changed inside.
    fn inside(&mut self, w: &Json, random: &mut Random) -> Json {
        match w {
            Json::String(name) => self.renamed.get(name).unwrap_or(name).clone().into(),
            Json::Array(branches) => {
                let mut kept: Vec<Json> = Vec::new();
                for branch in branches {
                    // A type that is named later has to be there.
                    let reader = self.inside(branch, random);
                    let names = reader.to_string().contains("\"name\"");
                    if names || random.below(self.rarity * 2) > 0 {
                        let at = random.below(kept.len() + 1);
                        let at = if names || has_names(&kept) {
                            kept.len()
                        } else {
                            at
                        };
                        kept.insert(at, reader);
                    }
                }
                if kept.is_empty() {
                    kept.push("null".into());
                }
                kept.into()
            }
            Json::Object(object) => match object["type"].as_str().unwrap() {
                "record" => self.record(w, random),
                "array" => json!({ "type": "array", "items": self.reader(&w["items"], random) }),
                "map" => json!({ "type": "map", "values": self.reader(&w["values"], random) }),
                "enum" => self.symbols(w, random),
                "fixed" => {
                    let mut reader = w.clone();
                    self.name(&mut reader, random);
                    reader
                }
                _ => w.clone(),
            },
            other => other.clone(),
        }
    }

    fn record(&mut self, w: &Json, random: &mut Random) -> Json {
        let mut reader =
            json!({ "type": "record", "name": w["name"], "namespace": w["namespace"] });
        let named_alike = self.name(&mut reader, random);
        let mut fields: Vec<Json> = Vec::new();
        for field in w["fields"].as_array().unwrap() {
            let mut reader = json!({
                "name": field["name"],
                "type": self.reader(&field["type"], random),
            });
            if named_alike && random.below(self.rarity) == 0 {
                reader["aliases"] = json!(["other", field["name"]]);
                self.added += 1;
                reader["name"] = format!("r{}", self.added).into();
            }
            let names = has_names(std::slice::from_ref(&reader["type"]));
            if !names && random.below(self.rarity) == 0 {
                continue;
            }
            let at = random.below(fields.len() + 1);
            // Types are defined before they are used.
            let at = if names || has_names(&fields) {
                fields.len()
            } else {
                at
            };
            fields.insert(at, reader);
        }
        if random.below(self.rarity) == 0 {
            fields.push(self.added_field(random));
        }
        reader["fields"] = fields.into();
        reader
    }

    /// A field that the writer does not have, usually with a default.
    fn added_field(&mut self, random: &mut Random) -> Json {
        self.added += 1;
        let at = self.added;
        let inner = json!({ "type": "record", "name": format!("Added{at}"), "fields": [
            { "name": "a", "type": "int" }, { "name": "b", "type": "string", "default": "b" } ] });
        let symbols =
            json!({ "type": "enum", "name": format!("AddedEnum{at}"), "symbols": ["X", "Y"] });
        let fixed = json!({ "type": "fixed", "name": format!("AddedFixed{at}"), "size": 2 });
        let decimal =
            json!({ "type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 1 });
        let (schema, default) = match random.below(16) {
            0 => (json!("int"), json!(-7)),
            1 => (json!("long"), json!(1_i64 << 40)),
            2 => (json!("float"), json!(1.5)),
            3 => (json!("double"), json!(-2)),
            4 => (json!("string"), json!("täxt")),
            5 => (json!("bytes"), json!("\u{ff}\u{0}a")),
            6 => (json!("boolean"), json!(true)),
            7 => (json!(["null", "string"]), Json::Null),
            8 => (json!(["string", "null"]), json!("s")),
            9 => (
                json!({ "type": "array", "items": inner }),
                json!([{ "a": 1 }, { "a": 2, "b": "c" }]),
            ),
            10 => (
                json!({ "type": "map", "values": "long" }),
                json!({ "k": 5 }),
            ),
            11 => (inner, json!({ "a": 3 })),
            12 => (symbols, json!("Y")),
            13 => (fixed, json!("\u{1}\u{fe}")),
            14 => (json!(["int", "string", "null"]), json!(9)),
            _ => (decimal, json!("\u{3}\u{e8}")),
        };
        let mut field = json!({ "name": format!("added{at}"), "type": schema });
        if random.below(12) > 0 {
            field["default"] = default;
        }
        field
    }

    fn symbols(&mut self, w: &Json, random: &mut Random) -> Json {
        let mut reader = w.clone();
        self.name(&mut reader, random);
        let mut symbols = w["symbols"].as_array().unwrap().clone();
        if random.below(self.rarity) == 0 && symbols.len() > 1 {
            symbols.remove(random.below(symbols.len()));
        }
        if random.below(self.rarity) == 0 {
            symbols.rotate_left(1);
        }
        if random.below(self.rarity) == 0 {
            symbols.push("NEW".into());
        }
        if random.below(self.rarity) == 0 {
            reader["default"] = symbols[random.below(symbols.len())].clone();
        }
        reader["symbols"] = symbols.into();
        reader
    }

    /// Gives a named type another name, with an alias or without; true if the two still meet.
    fn name(&mut self, reader: &mut Json, random: &mut Random) -> bool {
        let (name, space) = (reader["name"].clone(), reader["namespace"].clone());
        let (name, space) = (name.as_str().unwrap(), space.as_str().unwrap());
        let full = format!("{space}.{name}");
        match random.below(self.rarity * 3) {
            0 => {
                self.added += 1;
                let other = format!("Renamed{}", self.added);
                self.renamed
                    .insert(full.clone(), format!("{space}.{other}"));
                reader["aliases"] = match random.below(2) {
                    0 => json!([name]),
                    _ => json!(["x.Y", full]),
                };
                reader["name"] = other.into();
                true
            }
            1 => {
                let other = format!("else.{space}");
                self.renamed.insert(full, format!("{other}.{name}"));
                reader["namespace"] = other.into();
                false
            }
            2 => {
                self.added += 1;
                let other = format!("Stranger{}", self.added);
                self.renamed.insert(full, format!("{space}.{other}"));
                reader["name"] = other.into();
                false
            }
            _ => true,
        }
    }
}

fn has_names(schemas: &[Json]) -> bool {
    schemas
        .iter()
        .any(|schema| schema.to_string().contains("\"name\":\"T"))
}

/// A type that values of this one become.
fn promoted(w: &Json, random: &mut Random) -> Option<Json> {
    let to: &[&str] = match w.as_str()? {
        "int" => &["long", "float", "double"],
        "long" => &["float", "double"],
        "float" => &["double"],
        "string" => &["bytes"],
        "bytes" => &["string"],
        _ => return None,
    };
    Some(to[random.below(to.len())].into())
}
