//! `.proto` files and their imports.

use std::path::Path;

use super::{Loader, Schema, SchemaType};

/// What comes with the language: plug-ins have these files themselves.
pub(super) const WELL_KNOWN: &str = "google/protobuf/";

pub(super) fn read(loader: &mut Loader<'_>, own: &Path) -> Result<Schema, String> {
    let name = own.file_name().unwrap_or_default();
    loader.begin(name.to_string_lossy().into_owned());
    let text = read_file(loader, own)?;
    Ok(Schema {
        schema_type: SchemaType::Protobuf,
        text,
        references: std::mem::take(&mut loader.references),
    })
}

/// The text of a file, after all that it imports was added.
fn read_file(loader: &mut Loader<'_>, path: &Path) -> Result<String, String> {
    let text = loader.text(path)?;
    for import in imports(&text) {
        if import.path.starts_with(WELL_KNOWN) {
            continue;
        }
        let place = format!("{}:{}", path.display(), import.line);
        let found = loader.look_for(&import.path, path, &place)?;
        loader.add(import.path, &found, &place, |loader| {
            read_file(loader, &found)
        })?;
    }
    Ok(text)
}

#[derive(Debug, PartialEq, Eq)]
struct Import {
    path: String,
    /// Counted from 1.
    line: usize,
}

/// The `import` statements of a file. What is not Protobuf has none: who compiles it says so.
fn imports(text: &str) -> Vec<Import> {
    let mut imports = Vec::new();
    let mut depth = 0_usize;
    // Whether the next word begins a statement, and whether it belongs to an import.
    let (mut at_start, mut importing) = (true, false);
    let mut tokens = Tokens {
        rest: text,
        line: 1,
    };
    while let Some((token, line)) = tokens.next() {
        let ends = matches!(token, Token::Other(';' | '{' | '}'));
        match token {
            Token::Text(path) if importing => {
                imports.push(Import { path, line });
                importing = false;
            }
            Token::Word("import") if at_start && depth == 0 => importing = true,
            Token::Word("public" | "weak" | "option") if importing => {}
            Token::Other('{') => depth += 1,
            Token::Other('}') => depth = depth.saturating_sub(1),
            _ => importing = false,
        }
        at_start = ends;
    }
    imports
}

enum Token<'a> {
    Word(&'a str),
    Text(String),
    Other(char),
}

struct Tokens<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Tokens<'a> {
    /// The next token that is no comment, and its line.
    fn next(&mut self) -> Option<(Token<'a>, usize)> {
        loop {
            let blank = self.rest.len() - self.rest.trim_start().len();
            self.take(blank);
            if self.rest.starts_with("//") {
                let end = self.rest.find('\n').unwrap_or(self.rest.len());
                self.take(end);
            } else if self.rest.starts_with("/*") {
                let end = self.rest.find("*/").map_or(self.rest.len(), |end| end + 2);
                self.take(end);
            } else {
                break;
            }
        }
        let line = self.line;
        let first = self.rest.chars().next()?;
        let token = match first {
            '"' | '\'' => Token::Text(self.text(first)),
            c if c.is_alphanumeric() || c == '_' => {
                let end = self
                    .rest
                    .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.')))
                    .unwrap_or(self.rest.len());
                Token::Word(self.take(end))
            }
            // A byte order mark stands before everything.
            '\u{feff}' => {
                self.take(first.len_utf8());
                return self.next();
            }
            other => {
                self.take(other.len_utf8());
                Token::Other(other)
            }
        };
        Some((token, line))
    }

    /// A literal between quotes.
    fn text(&mut self, quote: char) -> String {
        self.take(1);
        let mut text = String::new();
        let mut escaped = false;
        let mut length = 0;
        for c in self.rest.chars() {
            length += c.len_utf8();
            match c {
                _ if escaped => {
                    text.push(c);
                    escaped = false;
                }
                '\\' => escaped = true,
                '\n' => break,
                c if c == quote => break,
                c => text.push(c),
            }
        }
        self.take(length);
        text
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.line += taken.matches('\n').count();
        self.rest = rest;
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_found_among_what_looks_like_them() {
        let text = r#"// import "comment.proto";
syntax = "proto3"; /* import "comment.proto"; */ package import.x;
import "a.proto";
import public 'b/b.proto'; import weak "c.proto";
import /* here */
    "d.proto" ;
option (text) = "import \"e.proto\";";
message M {
  string import = 1;
  message import { string public = 1; }
  import x = 2;
}
import option "f.proto";
import "g.proto"#;
        let found: Vec<_> = imports(text)
            .into_iter()
            .map(|i| (i.path, i.line))
            .collect();
        let expected = [
            ("a.proto", 3),
            ("b/b.proto", 4),
            ("c.proto", 4),
            ("d.proto", 6),
            ("f.proto", 13),
            ("g.proto", 14),
        ];
        assert_eq!(found, expected.map(|(path, line)| (path.to_owned(), line)));
    }

    #[test]
    fn no_text_is_too_strange() {
        for text in [
            "",
            "\"",
            "'\\",
            "/*",
            "//",
            "}}}{",
            "import",
            "\u{feff}import \"a\";é",
        ] {
            let _ = imports(text);
        }
        assert_eq!(imports("\u{feff}import \"a\";").len(), 1);
    }
}
