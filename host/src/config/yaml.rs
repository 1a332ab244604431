//! YAML as a tree that knows where each part stands.

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle};

/// Nesting that no pipeline file needs: it bounds the recursion.
const MAX_DEPTH: usize = 64;

/// Where a part of the file stands. Lines and columns count from 1, in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) end_line: usize,
    /// One past the last character.
    pub(super) end_column: usize,
}

/// A value and its place.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) span: Span,
    pub(super) value: Value,
}

/// What a node holds.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Text; `plain` when it was written without quotes.
    Scalar { text: String, plain: bool },
    /// A list.
    List(Vec<Node>),
    /// A map, in the file's order, each name once.
    Map(Vec<(Name, Node)>),
}

/// A name in a map, and its place.
#[derive(Clone, Debug)]
pub(super) struct Name {
    pub(super) text: String,
    pub(super) span: Span,
}

/// What is wrong with the YAML itself.
#[derive(Debug)]
pub(super) struct YamlError {
    pub(super) span: Span,
    pub(super) problem: YamlProblem,
}

/// The kinds of [`YamlError`].
#[derive(Debug)]
pub(super) enum YamlProblem {
    /// It is not YAML, or YAML of a kind that weir does not take.
    Syntax(String),
    /// A name stands twice in one map. It is given with the names that lead to it.
    Duplicate { name: String, first_line: usize },
}

impl Node {
    /// Whether nothing was written: `key:` or `key: null`.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, plain: true }
            if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// What it is, for error messages.
    pub(super) fn describe(&self) -> &'static str {
        match &self.value {
            _ if self.is_null() => "nothing",
            Value::Scalar { .. } => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }
}

/// Reads a file of one YAML document. Duplicate names are reported beside the tree,
/// which keeps the first of each.
///
/// # Errors
/// What makes a tree impossible.
pub(super) fn parse(text: &str) -> Result<(Node, Vec<YamlError>), YamlError> {
    let mut builder = Builder {
        parser: Parser::new_from_str(text),
        path: Vec::new(),
        duplicates: Vec::new(),
    };
    let root = builder.document()?;
    Ok((root, builder.duplicates))
}

struct Builder<'a> {
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    /// The names that lead to the node being read.
    path: Vec<String>,
    duplicates: Vec<YamlError>,
}

impl<'a> Builder<'a> {
    fn document(&mut self) -> Result<Node, YamlError> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd => {}
                Event::StreamEnd | Event::Nothing => break,
                _ if root.is_some() => {
                    return Err(refuse(
                        span,
                        "a pipeline file is one YAML document, not several",
                    ));
                }
                event => root = Some(self.node(event, span, 0)?),
            }
        }
        Ok(root.unwrap_or(Node {
            span: Span::at(1, 1),
            value: Value::Map(Vec::new()),
        }))
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, YamlError> {
        if depth > MAX_DEPTH {
            return Err(refuse(span, "nested too deeply"));
        }
        let (value, span) = match event {
            Event::Scalar(_, _, _, Some(_))
            | Event::SequenceStart(_, Some(_))
            | Event::MappingStart(_, Some(_)) => {
                return Err(refuse(
                    span,
                    "YAML tags (`!…`) mean nothing here: remove the tag",
                ));
            }
            Event::Scalar(text, style, ..) => {
                let plain = style == ScalarStyle::Plain;
                let text = text.into_owned();
                (Value::Scalar { text, plain }, span)
            }
            Event::SequenceStart(..) => self.list(span, depth)?,
            Event::MappingStart(..) => self.map(span, depth)?,
            Event::Alias(_) => {
                return Err(refuse(
                    span,
                    "YAML aliases (`*…`) are not supported: write the value out",
                ));
            }
            _ => return Err(refuse(span, "unexpected end")),
        };
        Ok(Node { span, value })
    }

    fn list(&mut self, start: Span, depth: usize) -> Result<(Value, Span), YamlError> {
        let mut nodes: Vec<Node> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                let span = start.to(nodes.last().map_or(span, |last| span.or(last.span)));
                return Ok((Value::List(nodes), span));
            }
            nodes.push(self.node(event, span, depth + 1)?);
        }
    }

    fn map(&mut self, start: Span, depth: usize) -> Result<(Value, Span), YamlError> {
        let mut entries: Vec<(Name, Node)> = Vec::new();
        let mut seen: HashMap<String, usize> = HashMap::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                let span = start.to(entries.last().map_or(span, |(_, last)| span.or(last.span)));
                return Ok((Value::Map(entries), span));
            }
            let Event::Scalar(text, _, _, None) = event else {
                return Err(refuse(span, "a name has to be plain text"));
            };
            let name = Name {
                text: text.into_owned(),
                span,
            };
            self.path.push(name.text.clone());
            let (event, span) = self.next()?;
            let node = self.node(event, span, depth + 1)?;
            let path = self.path.join(".");
            self.path.pop();
            if let Some(&first_line) = seen.get(&name.text) {
                self.duplicates.push(YamlError {
                    span: name.span,
                    problem: YamlProblem::Duplicate {
                        name: path,
                        first_line,
                    },
                });
                continue;
            }
            seen.insert(name.text.clone(), name.span.line);
            entries.push((name, node));
        }
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), YamlError> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, Span::between(&span.start, &span.end))),
            Some(Err(error)) => Err(refuse(
                Span::between(error.marker(), error.marker()),
                &format!("not valid YAML: {}", error.info()),
            )),
            None => Ok((Event::StreamEnd, Span::at(1, 1))),
        }
    }
}

impl Span {
    /// The file as a whole: there is no line to show.
    pub(super) const FILE: Self = Self {
        line: 1,
        column: 1,
        end_line: 0,
        end_column: 0,
    };

    /// One character.
    pub(super) const fn at(line: usize, column: usize) -> Self {
        Self {
            line,
            column,
            end_line: line,
            end_column: column + 1,
        }
    }

    fn between(start: &Marker, end: &Marker) -> Self {
        Self {
            line: start.line(),
            column: start.col() + 1,
            end_line: end.line(),
            end_column: end.col() + 1,
        }
    }

    fn to(self, end: Self) -> Self {
        Self {
            end_line: end.end_line,
            end_column: end.end_column,
            ..self
        }
    }

    /// This span, or `last` where the end of a block is an empty span far below it.
    fn or(self, last: Self) -> Self {
        if (self.line, self.column) == (self.end_line, self.end_column) {
            last
        } else {
            self
        }
    }
}

fn refuse(span: Span, message: &str) -> YamlError {
    YamlError {
        span,
        problem: YamlProblem::Syntax(message.to_owned()),
    }
}
