//! What the columns of a schema are.

use thiserror::Error;

use super::{Shape, Storage};
use crate::rows::Field;

/// How deeply columns may be nested: the host takes no more levels.
pub const MAX_DEPTH: usize = 64;

/// How many Arrow fields, at all levels, a schema may have, as for the host. A schema that names
/// a type twice has its columns twice, so a short text can ask for very many.
pub const MAX_FIELDS: usize = 10_000;

/// Why a schema has no Arrow form. The texts reach the person who reads the dead letter.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum LayoutError {
    /// Types are nested more than [`MAX_DEPTH`] deep.
    #[error("its types are nested more than {MAX_DEPTH} deep")]
    TooDeep,
    /// There are more than [`MAX_FIELDS`] fields.
    #[error("it has more than {MAX_FIELDS} fields, with types that are named twice counted twice")]
    TooManyFields,
}

/// The columns of a schema, in pre-order. Column `i` belongs to field `i`.
#[derive(Debug, Default)]
pub struct Layout {
    /// The Arrow fields, as the WIT interface `rows` wants them.
    pub fields: Vec<Field>,
    /// How their values are held.
    pub shapes: Vec<Shape>,
    /// Columns above the next one.
    depth: usize,
}

impl Layout {
    /// Adds a column below those whose `children` are being added, and returns
    /// its index. `format` is that of the Arrow C data interface.
    ///
    /// # Errors
    /// There are too many, or it lies too deep.
    pub fn field(
        &mut self,
        name: &str,
        format: &str,
        nullable: bool,
        storage: Storage,
    ) -> Result<u32, LayoutError> {
        if self.depth >= MAX_DEPTH {
            return Err(LayoutError::TooDeep);
        }
        if self.fields.len() == MAX_FIELDS {
            return Err(LayoutError::TooManyFields);
        }
        let column = index(self.fields.len());
        self.fields.push(Field {
            name: name.to_owned(),
            format: format.to_owned(),
            nullable,
            metadata: Vec::new(),
            children: 0,
        });
        self.shapes.push(Shape::new(storage, nullable, column));
        Ok(column)
    }

    /// Adds a column of strings.
    ///
    /// # Errors
    /// As [`field`](Self::field).
    pub fn text(&mut self, name: &str, nullable: bool) -> Result<u32, LayoutError> {
        let column = self.field(name, "u", nullable, Storage::Variable)?;
        self.shapes[column as usize].text = true;
        Ok(column)
    }

    /// The fields that are added from now on lie below the last one.
    pub fn open(&mut self) {
        self.depth += 1;
    }

    /// Ends what [`open`](Self::open) began: all fields since `column` lie below it, `children`
    /// of them directly.
    ///
    /// # Panics
    /// If there is no such column.
    pub fn close(&mut self, column: u32, children: u32) {
        self.depth -= 1;
        self.fields[column as usize].children = children;
        self.shapes[column as usize].end = index(self.shapes.len());
    }

    /// Gives a column an Arrow extension type.
    ///
    /// # Panics
    /// If there is no such column.
    pub fn extension(&mut self, column: u32, name: &str) {
        let metadata = [
            ("ARROW:extension:name", name),
            ("ARROW:extension:metadata", ""),
        ];
        self.fields[column as usize].metadata = metadata
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into();
    }

    /// The columns that are not below another.
    pub fn roots(&self) -> impl Iterator<Item = u32> {
        let first = (!self.shapes.is_empty()).then_some(0);
        std::iter::successors(first, |root| {
            let end = self.shapes[*root as usize].end;
            ((end as usize) < self.shapes.len()).then_some(end)
        })
    }

    /// The names from a top-level column down to this one, such as `items.item.sku`.
    #[must_use]
    pub fn path(&self, column: u32) -> String {
        let above = self.shapes.iter().zip(&self.fields).enumerate();
        let names: Vec<&str> = above
            .take(column as usize + 1)
            .filter(|(_, (shape, _))| column < shape.end)
            .map(|(_, (_, field))| field.name.as_str())
            .collect();
        names.join(".")
    }
}

/// Positions within a layout, which the field limit keeps far below `u32::MAX`.
fn index(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}
