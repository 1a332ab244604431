//! The text of a file of an edition, as one that a parser of proto2 takes.
//!
//! Editions have the grammar of proto2 but for a few words: fields have no label, which proto2
//! wants; reserved names have no quotes; since 2024 types are `export` or `local`, and imports may
//! be those of options. What is written in place of those stays on its line, so that errors name
//! the right one.

use std::ops::Range;

use super::{number, unknown};

/// What a file turned out to be.
pub(crate) struct Front {
    /// The number of its edition.
    pub(crate) edition: i32,
    /// The same file in proto2.
    pub(crate) text: String,
}

/// The file, if its first statement names an edition.
///
/// # Errors
/// For people: the edition is unknown, or a word is none of editions.
pub(crate) fn front(text: &str) -> Option<Result<Front, String>> {
    let mut tokens = Tokens { text, at: 0 }.peekable();
    let edition = tokens.next_if(|token| token.word(text) == Some("edition"))?;
    tokens.next_if(|token| token.kind == Kind::Symbol('='))?;
    let named = tokens.next_if(|token| token.kind == Kind::Text)?;
    let name = text[named.at.clone()].trim_matches(['"', '\'']);
    let Some(number) = number(name) else {
        return Some(Err(unknown(name)));
    };
    let mut rewriter = Rewriter {
        text,
        tokens: tokens.collect(),
        edits: vec![(edition.at, "syntax"), (named.at, "\"proto2\"")],
        has_visibility: name != "2023",
    };
    Some(rewriter.run().map(|()| Front {
        edition: number,
        text: rewriter.edited(),
    }))
}

/// The names and values of a message in text format whose values are names of enums. What is of
/// other forms, such as extensions, is left out.
pub(super) fn members(text: &str) -> Vec<(&str, &str)> {
    let (mut members, mut depth) = (Vec::new(), 0_usize);
    let mut name = None;
    let mut tokens = Tokens { text, at: 0 }.peekable();
    while let Some(token) = tokens.next() {
        match token.kind {
            Kind::Symbol('{' | '<' | '[') => depth += 1,
            Kind::Symbol('}' | '>' | ']') => depth = depth.saturating_sub(1),
            Kind::Symbol(':') => continue,
            Kind::Word if depth == 0 => {
                let word = &text[token.at.clone()];
                let named = tokens.peek().map(|next| next.kind) == Some(Kind::Symbol(':'));
                match name.take() {
                    _ if named => name = Some(word),
                    Some(name) => members.push((name, word)),
                    None => {}
                }
                continue;
            }
            _ => {}
        }
        name = None;
    }
    members
}

/// What statements there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    File,
    Message,
    Enum,
    Extend,
    Oneof,
    /// Of services, and values of options.
    Other,
}

struct Rewriter<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    edits: Vec<(Range<usize>, &'static str)>,
    /// Whether types may be `export` and `local`.
    has_visibility: bool,
}

impl Rewriter<'_> {
    fn run(&mut self) -> Result<(), String> {
        let mut bodies = vec![Body::File];
        // What the braces of the current statement will hold, and whether one begins.
        let (mut next, mut begins) = (Body::Other, false);
        let mut at = 0;
        while at < self.tokens.len() {
            let body = bodies.last().copied().unwrap_or(Body::File);
            match self.tokens[at].kind {
                Kind::Symbol('{') => {
                    bodies.push(std::mem::replace(&mut next, Body::Other));
                    begins = true;
                }
                Kind::Symbol('}') => {
                    bodies.pop();
                    (next, begins) = (Body::Other, true);
                }
                Kind::Symbol(';') => (next, begins) = (Body::Other, true),
                Kind::Word | Kind::Symbol('.') if begins && body != Body::Other => {
                    at += self.visibility(at);
                    next = self.statement(body, at)?;
                    begins = false;
                }
                _ => begins = false,
            }
            at += 1;
        }
        Ok(())
    }

    /// Takes away `export` or `local` before a type; how many words that are.
    fn visibility(&mut self, at: usize) -> usize {
        let is_it = self.has_visibility
            && matches!(self.word(at), Some("export" | "local"))
            && matches!(self.word(at + 1), Some("message" | "enum"))
            && self.word(at + 2).is_some();
        if is_it {
            self.edits.push((self.tokens[at].at.clone(), ""));
        }
        usize::from(is_it)
    }

    /// Looks at the first words of a statement. Returns what its braces hold.
    fn statement(&mut self, body: Body, at: usize) -> Result<Body, String> {
        let has_name = self.word(at + 1).is_some();
        let first = self.word(at);
        match (body, first) {
            (Body::File, Some("import")) if self.word(at + 1) == Some("option") => {
                self.edits.push((self.tokens[at + 1].at.clone(), ""));
            }
            (Body::File | Body::Message, Some("message")) if has_name => return Ok(Body::Message),
            (Body::File | Body::Message, Some("enum")) if has_name => return Ok(Body::Enum),
            (Body::File | Body::Message, Some("extend")) => return Ok(Body::Extend),
            (Body::Message, Some("oneof")) if has_name => return Ok(Body::Oneof),
            (Body::Message | Body::Enum, Some("reserved")) if has_name => self.names(at + 1),
            (Body::Message, Some("extensions" | "reserved")) if !has_name => {}
            (Body::Message | Body::Oneof, Some("option")) => {}
            (Body::Message, Some("map")) if self.is(at + 1, '<') => {}
            (
                Body::Message | Body::Extend | Body::Oneof,
                Some(label @ ("optional" | "required")),
            ) if has_name || self.is(at + 1, '.') => {
                return Err(self.refused(
                    at,
                    &format!(
                        "fields have no label `{label}` in editions, but features.field_presence"
                    ),
                ));
            }
            (Body::Message | Body::Extend | Body::Oneof, _) if self.is_group(at) => {
                return Err(self.refused(
                    at,
                    "there are no groups in editions, but features.message_encoding = DELIMITED",
                ));
            }
            (Body::Message | Body::Extend, Some("repeated")) => {}
            (Body::Message | Body::Extend, _) => {
                let start = self.tokens[at].at.start;
                self.edits.push((start..start, "optional "));
            }
            _ => {}
        }
        Ok(Body::Other)
    }

    /// Whether a field begins here that is a group: `repeated group Name = 1 {`.
    fn is_group(&self, at: usize) -> bool {
        let at = at + usize::from(self.word(at) == Some("repeated"));
        self.word(at) == Some("group") && self.word(at + 1).is_some() && self.is(at + 2, '=') && {
            let mut rest = self.tokens[at..].iter().map(|token| token.kind);
            rest.find(|kind| matches!(kind, Kind::Symbol(';' | '{'))) == Some(Kind::Symbol('{'))
        }
    }

    /// Puts reserved names in quotes.
    fn names(&mut self, from: usize) {
        let names = self.tokens[from..].iter();
        for name in names.take_while(|token| token.kind != Kind::Symbol(';')) {
            if name.kind == Kind::Word {
                let Range { start, end } = name.at;
                self.edits.extend([(start..start, "\""), (end..end, "\"")]);
            }
        }
    }

    fn word(&self, at: usize) -> Option<&str> {
        self.tokens.get(at)?.word(self.text)
    }

    fn is(&self, at: usize, symbol: char) -> bool {
        let token = self.tokens.get(at);
        token.is_some_and(|token| token.kind == Kind::Symbol(symbol))
    }

    fn refused(&self, at: usize, why: &str) -> String {
        let before = &self.text[..self.tokens[at].at.start];
        format!("line {}: {why}", before.matches('\n').count() + 1)
    }

    fn edited(&self) -> String {
        let mut edits = self.edits.clone();
        edits.sort_by_key(|(range, _)| range.start);
        let mut text = String::with_capacity(self.text.len() + 9 * edits.len());
        let mut done = 0;
        for (Range { start, end }, new) in edits {
            text.push_str(&self.text[done..start]);
            text.push_str(new);
            done = end;
        }
        text.push_str(&self.text[done..]);
        text
    }
}

#[derive(Clone, Debug)]
struct Token {
    kind: Kind,
    at: Range<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Word,
    Number,
    Text,
    Symbol(char),
}

impl Token {
    fn word<'a>(&self, text: &'a str) -> Option<&'a str> {
        (self.kind == Kind::Word).then(|| &text[self.at.clone()])
    }
}

/// Tokens that are no comments. What is no Protobuf has some too: who parses it says what is wrong.
struct Tokens<'a> {
    text: &'a str,
    at: usize,
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        let rest = loop {
            let rest = self.text[self.at..]
                .trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
            let end = if rest.starts_with("//") {
                rest.find('\n')
            } else if rest.starts_with("/*") {
                rest.find("*/").map(|end| end + 2)
            } else {
                break rest;
            };
            self.at = self.text.len() - rest.len() + end.unwrap_or(rest.len());
        };
        let start = self.text.len() - rest.len();
        let first = rest.chars().next()?;
        let (kind, length) = match first {
            '"' | '\'' => (Kind::Text, quoted(rest, first)),
            c if c.is_ascii_digit() => (Kind::Number, word(rest)),
            c if c.is_ascii_alphabetic() || c == '_' => (Kind::Word, word(rest)),
            other => (Kind::Symbol(other), other.len_utf8()),
        };
        self.at = start + length;
        Some(Token {
            kind,
            at: start..self.at,
        })
    }
}

fn word(text: &str) -> usize {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    end.unwrap_or(text.len())
}

/// How long a literal is, quotes included.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\n' => return at,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lowered(text: &str) -> String {
        front(text).unwrap().unwrap().text
    }

    #[test]
    fn words_of_editions_become_those_of_proto2() {
        let text = r#"// edition = "2022";
edition = "2024"; /* ; */ package p;
import option "o.proto"; import public "p.proto";
option (x) = { a: 1; b { optional: 2 } };
export message M {
  reserved foo, bar; reserved 4, 7 to max; extensions 100 to 200 [verification = DECLARATION];
  string s = 1 [(x) = { a: 1; b: 2 }, default = "; string t"]; .p.M m = 2;
  repeated int32 r = 3; map<int32, M> q = 5; map maps = 6; export exports = 9;
  local enum E { option allow_alias = true; reserved X; A = 0; B = 0 [deprecated = true]; }
  oneof o { int32 x = 7; M y = 8; }
  extend M { M ext = 100; }
}
local enum L { Z = 0; }
service S { rpc R(M) returns (M) { option (y) = 1; } }
"#;
        let expected = r#"// edition = "2022";
syntax = "proto2"; /* ; */ package p;
import  "o.proto"; import public "p.proto";
option (x) = { a: 1; b { optional: 2 } };
 message M {
  reserved "foo", "bar"; reserved 4, 7 to max; extensions 100 to 200 [verification = DECLARATION];
  optional string s = 1 [(x) = { a: 1; b: 2 }, default = "; string t"]; optional .p.M m = 2;
  repeated int32 r = 3; map<int32, M> q = 5; optional map maps = 6; optional export exports = 9;
   enum E { option allow_alias = true; reserved "X"; A = 0; B = 0 [deprecated = true]; }
  oneof o { int32 x = 7; M y = 8; }
  extend M { optional M ext = 100; }
}
 enum L { Z = 0; }
service S { rpc R(M) returns (M) { option (y) = 1; } }
"#;
        assert_eq!(lowered(text), expected);
    }

    #[test]
    fn what_editions_do_not_have_is_named_with_its_line() {
        for (text, why) in [
            (
                "edition = \"2019\";",
                "the edition 2019, and weir reads 2023 and 2024",
            ),
            (
                "edition = \"2023\";\nmessage M {\n optional int32 x = 1; }",
                "line 3: fields have no label `optional`",
            ),
            (
                "edition = \"2023\"; message M { repeated group G = 1 { int32 x = 2; } }",
                "line 1: there are no groups in editions",
            ),
        ] {
            let error = front(text).unwrap().err().unwrap();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn members_of_features() {
        let text = " field_presence: IMPLICIT, [pb.go] { api_level: API_OPEN } enum_type : CLOSED";
        let expected = [("field_presence", "IMPLICIT"), ("enum_type", "CLOSED")];
        assert_eq!(members(text), expected);
        assert_eq!(members("a: { b: C } : d e: 1 f"), []);
    }

    #[test]
    fn other_texts_are_left_alone() {
        for text in [
            "",
            "syntax = \"proto3\";",
            "edition",
            "edition = ",
            "message edition {}",
            "/* edition = \"2023\";",
            "\"",
        ] {
            assert!(front(text).is_none(), "{text}");
        }
        for text in [
            "edition = \"2023\"",
            "edition = \"2023\"; }}} { ;",
            "edition='2023';message",
        ] {
            let _ = lowered(text);
        }
    }
}
