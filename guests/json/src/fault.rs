//! What is wrong with a message, where in it, and at which value.

use std::fmt;

use weir_guest::columns::ColumnFull;

/// A message that cannot be decoded. Boxed wherever it is returned: it is rare.
#[derive(Debug)]
pub(crate) struct Fault {
    /// Byte of the message, from 0, after its framing.
    position: usize,
    what: String,
    /// Names and indexes from the value at fault up to the root.
    path: Vec<String>,
}

impl Fault {
    #[cold]
    #[inline(never)]
    pub(crate) fn new(position: usize, what: impl Into<String>) -> Box<Self> {
        Box::new(Self {
            position,
            what: what.into(),
            path: Vec::new(),
        })
    }

    /// The value lies in this field or item of another.
    #[cold]
    #[inline(never)]
    pub(crate) fn within(mut self: Box<Self>, segment: impl fmt::Display) -> Box<Self> {
        self.path.push(segment.to_string());
        self
    }
}

/// A column that is full is a fault of the message that would not fit.
impl From<ColumnFull> for Box<Fault> {
    fn from(full: ColumnFull) -> Self {
        Fault {
            position: 0,
            what: full.to_string(),
            path: Vec::new(),
        }
        .into()
    }
}

impl fmt::Display for Fault {
    /// The path is a JSON Pointer (RFC 6901), as in a validator's errors.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            f.write_str("`")?;
            for segment in self.path.iter().rev() {
                write!(f, "/{}", segment.replace('~', "~0").replace('/', "~1"))?;
            }
            f.write_str("`, ")?;
        }
        write!(f, "byte {}: {}", self.position, self.what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_json_pointers() {
        let fault = Fault::new(7, "odd")
            .within("a/b~c")
            .within(2)
            .within("items");
        assert_eq!(fault.to_string(), "`/items/2/a~1b~0c`, byte 7: odd");
        assert_eq!(Fault::new(0, "odd").to_string(), "byte 0: odd");
    }
}
