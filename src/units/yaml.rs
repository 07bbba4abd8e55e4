//! YAML that people write, as one tree of nodes with line, column and the scalar's original text. JSON is read too.
//!
//! Limits come first (size, characters, depth, nodes; no aliases, anchors or tags), so that a bomb costs nothing. What is wrong
//! is collected in [`Troubles`], all of it. Never gives a scalar a type: `5`, `yes` and `0x10` are texts until a reader asks.
//! Known weakness: where the parser itself gives up, only that first place is told.

use super::written::{Wrong, nearest, quoted};
use super::{Kind, Place, Trouble, clean};
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError};
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};

/// Bytes that a text may have.
pub const MOST_BYTES: u64 = 1 << 20;
/// How deep nodes may nest.
pub const MOST_DEPTH: usize = 32;
/// Nodes that a text may have.
pub const MOST_NODES: usize = 10_000;
/// Troubles that are kept; the rest is counted.
const MOST_TROUBLES: usize = 50;

/// A place in the text, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// Its line.
    pub line: u32,
    /// Its column, in characters.
    pub column: u32,
}

/// A value in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Where it begins.
    pub at: Mark,
    /// What it is.
    pub value: Value,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing was written, or `~` or `null`.
    Nothing,
    /// One text; numbers too, as they were written.
    Text(String),
    /// `[a, b]`, or lines with `-`.
    List(Vec<Node>),
    /// Keys with values, each key once.
    Map(Vec<(Name, Node)>),
}

/// A key in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// Where it begins.
    pub at: Mark,
    /// The key.
    pub text: String,
}

/// All that is wrong with one text, collected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Troubles {
    name: String,
    kind: Kind,
    found: Vec<Trouble>,
    more: usize,
}

impl Troubles {
    /// None yet, for the text that is called `name` (a file, `standard input`).
    pub fn new(name: impl Into<String>) -> Troubles {
        Troubles { name: name.into(), kind: Kind::Document, found: Vec::new(), more: 0 }
    }
    /// The same for words on the command line, called `name`.
    pub fn of_option(name: impl Into<String>) -> Troubles {
        Troubles { kind: Kind::Usage, ..Troubles::new(name) }
    }
    /// What the text is called.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// The place of a mark in this text.
    pub fn place(&self, at: Mark) -> Place {
        if at == Mark::default() { Place::named(&self.name) } else { Place::at(&self.name, at.line, at.column) }
    }
    /// One more, at a mark of this text; [`Mark::default`] stands for the text as a whole.
    pub fn at(&mut self, at: Mark, wrong: Wrong) {
        let place = self.place(at);
        self.add(Trouble::new(self.kind, place, wrong.cause, wrong.remedy));
    }
    /// One more.
    pub fn add(&mut self, trouble: Trouble) {
        if self.found.len() < MOST_TROUBLES { self.found.push(trouble) } else { self.more += 1 }
    }
    /// What is wrong with another text too.
    pub fn absorb(&mut self, other: Troubles) {
        self.more += other.more;
        other.found.into_iter().for_each(|t| self.add(t));
    }
    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }
    /// `value` when nothing is wrong; else all that is, in the order of the text.
    pub fn or<T>(mut self, value: Option<T>) -> Result<T, Vec<Trouble>> {
        match value {
            Some(value) if self.is_empty() => Ok(value),
            _ => {
                self.found.sort_by_key(|t| (t.place.line, t.place.column));
                if self.more > 0 {
                    let more = format!("{} more like these", self.more);
                    self.found.push(Trouble::new(self.kind, Place::named(&self.name), more, "mend these first"));
                }
                Err(self.found)
            }
        }
    }
}

/// A text as read: its tree, when it could be read at all, and what is wrong with it so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The tree.
    pub root: Option<Node>,
    /// What is wrong.
    pub troubles: Troubles,
}

impl Written {
    fn wrong(mut troubles: Troubles, at: Mark, cause: impl Into<String>, remedy: impl Into<String>) -> Written {
        troubles.at(at, Wrong::new(cause, remedy));
        Written { root: None, troubles }
    }
}

/// Reads at most [`MOST_BYTES`] and parses them. `name` is what messages call the text.
pub fn read(name: &str, source: impl Read) -> Written {
    let mut bytes = Vec::new();
    match source.take(MOST_BYTES + 1).read_to_end(&mut bytes) {
        Ok(_) => parse(name, &bytes),
        Err(error) => unreadable(name, &error),
    }
}

/// A file that cannot be opened or read.
pub fn unreadable(name: &str, error: &io::Error) -> Written {
    let (cause, remedy) = match error.kind() {
        io::ErrorKind::NotFound => ("no such file".into(), "check the path"),
        io::ErrorKind::IsADirectory => ("this is a directory".into(), "name a file in it"),
        io::ErrorKind::PermissionDenied => ("may not be read".into(), "check its permissions"),
        _ => (format!("cannot be read: {}", clean(&error.to_string(), 120)), ""),
    };
    Written::wrong(Troubles::new(name), Mark::default(), cause, remedy)
}

/// Parses one document.
pub fn parse(name: &str, bytes: &[u8]) -> Written {
    let troubles = Troubles::new(name);
    if bytes.len() as u64 > MOST_BYTES {
        return Written::wrong(troubles, Mark::default(), "larger than 1 MiB", "a document has a few lines");
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.strip_prefix('\u{FEFF}').unwrap_or(text),
        Err(error) => {
            let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            return Written::wrong(troubles, end_of(&before), "not UTF-8 from here on", "save it as UTF-8 text");
        }
    };
    if let Some(bad) = text.find(|c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r')) {
        let code = text[bad..].chars().next().map_or(0, u32::from);
        return Written::wrong(troubles, end_of(&text[..bad]), format!("a control character (U+{code:04X})"), "remove it");
    }
    Builder { troubles, stack: Vec::new(), root: None, nodes: 0, documents: 0 }.run(text)
}

/// The mark just behind a text.
fn end_of(text: &str) -> Mark {
    let line = text.matches('\n').count() as u32 + 1;
    let column = text.rsplit('\n').next().unwrap_or_default().chars().count() as u32 + 1;
    Mark { line, column }
}

/// A list or map that is not closed yet.
enum Open {
    List(Mark, Vec<Node>),
    Map { at: Mark, entries: Vec<(Name, Node)>, lines: BTreeMap<String, u32>, key: Option<Name>, twice: bool },
}

struct Builder {
    troubles: Troubles,
    stack: Vec<Open>,
    root: Option<Node>,
    nodes: usize,
    documents: usize,
}

impl Builder {
    fn run(mut self, text: &str) -> Written {
        let mut parser = Parser::new_from_str(text);
        loop {
            let step = match parser.next_event() {
                None | Some(Ok((Event::StreamEnd, _))) => break,
                Some(Ok((event, span))) => {
                    let at = mark(&span.start);
                    self.event(event, at).map_err(|wrong| (at, wrong))
                }
                Some(Err(error)) => Err((mark(error.marker()), unparsed(text, &error))),
            };
            if let Err((at, wrong)) = step {
                self.troubles.at(at, wrong);
                return Written { root: None, troubles: self.troubles };
            }
        }
        if self.root.is_none() {
            self.troubles.at(Mark::default(), Wrong::new("nothing is written in it", "begin with a key and its value"));
        }
        Written { root: self.root, troubles: self.troubles }
    }

    fn event(&mut self, event: Event<'_>, at: Mark) -> Result<(), Wrong> {
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(Wrong::new("a second document begins here", "one document per file"));
                }
            }
            Event::Alias(_) => return Err(Wrong::new("an alias (`*`)", "write the value itself; a text that begins with * needs quotes")),
            Event::Scalar(_, _, anchor, ref tag) | Event::SequenceStart(anchor, ref tag) | Event::MappingStart(anchor, ref tag) => {
                if anchor > 0 {
                    return Err(Wrong::new("an anchor (`&`)", "write the value where it is used; a text that begins with & needs quotes"));
                }
                if tag.is_some() {
                    return Err(Wrong::new("a tag (`!`)", "leave it out; a text that begins with ! needs quotes"));
                }
                self.nodes += 1;
                if self.nodes > MOST_NODES {
                    return Err(Wrong::new(format!("more than {MOST_NODES} values"), "a document has a few lines"));
                }
                match event {
                    Event::Scalar(text, style, ..) => self.scalar(&text, style, at)?,
                    _ if self.stack.len() == MOST_DEPTH => {
                        return Err(Wrong::new(format!("nested deeper than {MOST_DEPTH}"), "a document is two or three deep"));
                    }
                    _ if self.awaits_key() => return Err(Wrong::new("a key that is a list or a map", "a key is one word")),
                    Event::SequenceStart(..) => self.stack.push(Open::List(at, Vec::new())),
                    _ => self.stack.push(Open::Map { at, entries: Vec::new(), lines: BTreeMap::new(), key: None, twice: false }),
                }
            }
            Event::SequenceEnd | Event::MappingEnd => match self.stack.pop() {
                Some(Open::List(at, items)) => self.put(Node { at, value: Value::List(items) }),
                Some(Open::Map { at, entries, .. }) => self.put(Node { at, value: Value::Map(entries) }),
                None => {}
            },
            _ => {}
        }
        Ok(())
    }

    fn awaits_key(&self) -> bool {
        matches!(self.stack.last(), Some(Open::Map { key: None, .. }))
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, at: Mark) -> Result<(), Wrong> {
        // an escape in double quotes can bring back what the first look refused
        if let Some(c) = text.chars().find(|c| c.is_control() && !matches!(c, '\t' | '\n')) {
            return Err(Wrong::new(format!("a control character (U+{:04X})", u32::from(c)), "remove it"));
        }
        let nothing = style == ScalarStyle::Plain && matches!(text, "" | "~" | "null" | "Null" | "NULL");
        if let Some(Open::Map { lines, key: key @ None, twice, .. }) = self.stack.last_mut() {
            if nothing || text.trim().is_empty() {
                return Err(Wrong::new("a value without a key", "write `key: value`"));
            }
            if let Some(first) = lines.insert(text.to_owned(), at.line) {
                lines.insert(text.to_owned(), first);
                *twice = true;
                let text = clean(text, 60);
                self.troubles.at(at, Wrong::new(format!("{text} is given twice, first in line {first}"), "keep one of them"));
            }
            *key = Some(Name { at, text: text.to_owned() });
        } else {
            self.put(Node { at, value: if nothing { Value::Nothing } else { Value::Text(text.to_owned()) } });
        }
        Ok(())
    }

    /// Puts a finished node where it belongs; of a key that is given twice the first value stays.
    fn put(&mut self, node: Node) {
        match self.stack.last_mut() {
            None => self.root = Some(node),
            Some(Open::List(_, items)) => items.push(node),
            Some(Open::Map { entries, key, twice, .. }) => {
                if let Some(name) = key.take()
                    && !std::mem::take(twice)
                {
                    entries.push((name, node));
                }
            }
        }
    }
}

fn mark(marker: &Marker) -> Mark {
    Mark { line: marker.line() as u32, column: marker.col() as u32 + 1 }
}

/// What the parser could not read, in words for people.
fn unparsed(text: &str, error: &ScanError) -> Wrong {
    let line = text.lines().nth(error.marker().line().saturating_sub(1)).unwrap_or_default();
    let here = line.chars().nth(error.marker().col());
    let info = error.info();
    match here {
        Some('\t') => Wrong::new("a tab where lines are indented", "indent with blanks"),
        Some(c @ ('@' | '`' | '%' | '*' | '&' | '!')) => Wrong::new(format!("a value cannot begin with {c}"), "write it in quotes"),
        _ if info.contains("tab") => Wrong::new("a tab where lines are indented", "indent with blanks"),
        _ if info.contains("recursion limit") => Wrong::new(format!("nested deeper than {MOST_DEPTH}"), "a document is two or three deep"),
        _ if info.contains("mapping values are not allowed") => Wrong::new(
            "a second `:` in one line, or a line that is indented too far",
            "one `key: value` a line, all equally far in; quotes around a text with `: `",
        ),
        _ if info.contains("unexpected end") || info.contains("unexpected eof") || info.contains("indentation in quoted") => {
            Wrong::new("a quote is not closed", "close it")
        }
        _ if info.contains("trailing content") => Wrong::new("something follows a closing quote", "put a comma or a new line between"),
        _ if info.contains("flow") => {
            Wrong::new("a list or map in brackets is not right here", "close each bracket, and put commas between")
        }
        _ => Wrong::new(format!("this cannot be read ({})", clean(info, 80)), "write `key: value`, one a line"),
    }
}

/// The entries of a map while they are read; it remembers what was asked for, so that what nobody asked for is found.
pub struct Fields<'n> {
    entries: &'n [(Name, Node)],
    asked: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    /// The value of a key, whatever it is.
    pub fn get(&mut self, key: &'static str) -> Option<&'n Node> {
        self.asked.push(key);
        self.entries.iter().find(|(name, _)| name.text == key).map(|(_, node)| node)
    }
    /// The value of a key that has one text.
    pub fn read<T>(&mut self, key: &'static str, troubles: &mut Troubles, parse: impl FnOnce(&str) -> Result<T, Wrong>) -> Option<T> {
        self.get(key)?.read(key, troubles, parse)
    }
    /// All keys were asked for: what is left over is unknown.
    pub fn finish(self, troubles: &mut Troubles) {
        for (name, _) in self.entries.iter().filter(|(name, _)| !self.asked.contains(&name.text.as_str())) {
            troubles.at(name.at, unknown(&name.text, &self.asked));
        }
    }
}

/// What is said about a key that is not known.
pub fn unknown(key: &str, known: &[&str]) -> Wrong {
    let remedy = match nearest(key, known.iter().copied()) {
        Some(meant) => format!("did you mean {meant}?"),
        None => format!("known here: {}", known.join(", ")),
    };
    Wrong::new(format!("unknown key {}", clean(key, 60)), remedy)
}

impl Node {
    /// A text that was not written in a file.
    pub fn text_of(text: impl Into<String>) -> Node {
        Node { at: Mark::default(), value: Value::Text(text.into()) }
    }
    /// Its text, when it is one.
    pub fn text(&self) -> Option<&str> {
        if let Value::Text(text) = &self.value { Some(text) } else { None }
    }
    /// Its one text, read by `parse`; `key` is what messages call it.
    pub fn read<T>(&self, key: &str, troubles: &mut Troubles, parse: impl FnOnce(&str) -> Result<T, Wrong>) -> Option<T> {
        let result = match &self.value {
            Value::Text(text) => parse(text),
            Value::Nothing => Err(Wrong::new("no value", "write one, or leave the line out")),
            other => Err(Wrong::new(format!("{} where one value belongs", other.word()), "write one value")),
        };
        result.map_err(|wrong| troubles.at(self.at, Wrong::new(format!("{key}: {}", wrong.cause), wrong.remedy))).ok()
    }
    /// Its items, when it is a list; a single text is not one.
    pub fn items(&self, key: &str, troubles: &mut Troubles) -> Option<&[Node]> {
        if let Value::List(items) = &self.value {
            return Some(items);
        }
        let remedy = self.text().map_or_else(|| "write [a, b]".into(), |text| format!("write [{}]", clean(text, 60)));
        troubles.at(self.at, Wrong::new(format!("{key}: {} where a list belongs", self.value.word()), remedy));
        None
    }
    /// Its entries, when it is a map.
    pub fn fields(&self, key: &str, troubles: &mut Troubles) -> Option<Fields<'_>> {
        if let Value::Map(entries) = &self.value {
            return Some(Fields { entries, asked: Vec::new() });
        }
        troubles.at(
            self.at,
            Wrong::new(format!("{key}: {} where keys with values belong", self.value.word()), "write `key: value`, one a line"),
        );
        None
    }
}

impl Value {
    fn word(&self) -> String {
        match self {
            Value::Nothing => "nothing".into(),
            Value::Text(text) => quoted(text),
            Value::List(_) => "a list".into(),
            Value::Map(_) => "keys with values".into(),
        }
    }
}

impl fmt::Display for Node {
    /// In one line, so that it reads back as it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Value::Nothing => f.write_str("~"),
            Value::Text(text) => word(text, f),
            Value::List(items) => {
                f.write_str("[")?;
                for (i, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if i > 0 { ", " } else { "" })?;
                }
                f.write_str("]")
            }
            Value::Map(entries) => {
                f.write_str("{")?;
                for (i, (name, node)) in entries.iter().enumerate() {
                    f.write_str(if i > 0 { ", " } else { " " })?;
                    word(&name.text, f)?;
                    write!(f, ": {node}")?;
                }
                f.write_str(" }")
            }
        }
    }
}

/// A text, in quotes where YAML would take it for something else.
fn word(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let plain = text.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_'))
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, ' ' | '/' | '.' | '_' | '-' | '%' | '+'))
        && text.ends_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '%'))
        && !matches!(text, "null" | "Null" | "NULL");
    if plain { f.write_str(text) } else { write!(f, "{}", serde_json::Value::from(text)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn first(text: impl AsRef<[u8]>) -> String {
        parse("f", text.as_ref()).troubles.or(None::<()>).unwrap_err()[0].to_string()
    }

    #[test]
    fn scalars_keep_their_original_text_and_place() {
        let tree = parse("f", b"a: 0x10\nb:\n  - yes\n  - '5%'\n\tc: 1\n".as_ref());
        assert!(!tree.troubles.is_empty(), "tabs do not indent");
        let root = parse("f", b"a: 0x10\nb:\n  - yes\n  - '5%'\nc:\n").root.unwrap();
        assert_eq!(root.to_string(), "{ a: 0x10, b: [yes, 5%], c: ~ }");
        let Value::Map(entries) = &root.value else { panic!() };
        let Value::List(items) = &entries[1].1.value else { panic!() };
        assert_eq!(items[1].at, Mark { line: 4, column: 5 });
    }

    #[test]
    fn json_is_read_with_tabs_and_without_blanks() {
        let root = parse("f", b"{\n\t\"strategy\":\"canary\",\n\t\"regions\":[\"a\",\n\t\t\"b\"], \"x\": {\"y\": 1.50}\n}\n").root.unwrap();
        assert_eq!(root.to_string(), "{ strategy: canary, regions: [a, b], x: { y: 1.50 } }");
    }

    #[test]
    fn what_is_no_document_gets_one_clear_message() {
        assert_eq!(first(""), "f: nothing is written in it: begin with a key and its value");
        assert_eq!(first("a: \x07b"), "f:1:4: a control character (U+0007): remove it");
        assert_eq!(first("a: \"\\e[31m\""), "f:1:4: a control character (U+001B): remove it");
        assert_eq!(first(b"a: 1\nb: \xff\xfe".as_ref()), "f:2:4: not UTF-8 from here on: save it as UTF-8 text");
        assert_eq!(first("a: 1\n---\nb: 2"), "f:2:1: a second document begins here: one document per file");
        assert_eq!(first("a: &x 1"), "f:1:7: an anchor (`&`): write the value where it is used; a text that begins with & needs quotes");
        assert_eq!(first("a: !!int 1"), "f:1:10: a tag (`!`): leave it out; a text that begins with ! needs quotes");
        assert_eq!(first("a: @sha256:1"), "f:1:4: a value cannot begin with @: write it in quotes");
        assert_eq!(first("a: 1\na: 2\na: 3"), "f:2:1: a is given twice, first in line 1: keep one of them");
        assert_eq!(first("[".repeat(40)), "f:1:33: nested deeper than 32: a document is two or three deep");
        assert_eq!(first("- ".repeat(40)), "f:1:65: nested deeper than 32: a document is two or three deep");
        assert_eq!(first("? [a]\n: b"), "f:1:3: a key that is a list or a map: a key is one word");
        assert_eq!(first(format!("[{}]", "a,".repeat(10_001))), "f:1:20000: more than 10000 values: a document has a few lines");
    }

    #[test]
    fn a_source_without_end_is_read_to_the_limit_only() {
        let read = read("f", std::io::repeat(b'a'));
        assert_eq!(read.troubles.or(None::<()>).unwrap_err()[0].to_string(), "f: larger than 1 MiB: a document has a few lines");
    }

    #[test]
    fn every_key_that_nobody_asked_for_is_told() {
        let Written { root, mut troubles } = parse("f", b"stepsize: 1\nfoo: 2\nto: [a]\n");
        let root = root.unwrap();
        let mut fields = root.fields("it", &mut troubles).unwrap();
        fields.read("to", &mut troubles, |t| Ok(t.to_owned()));
        assert!(fields.get("stepSize").is_none());
        fields.finish(&mut troubles);
        let told: Vec<_> = troubles.or(Some(())).unwrap_err().iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "f:1:1: unknown key stepsize: did you mean stepSize?",
                "f:2:1: unknown key foo: known here: to, stepSize",
                "f:3:5: to: a list where one value belongs: write one value",
            ]
        );
    }

    #[test]
    fn a_megabyte_of_anything_comes_to_an_end() {
        let most = MOST_BYTES as usize;
        let lines: String = (0..60_000).map(|i| format!("k{i}: v{i}\n")).collect();
        let mut inputs: Vec<String> = [
            "[",
            "{",
            "- ",
            "a: ",
            "? ",
            "- - a\n",
            "a\n",
            "\n",
            " ",
            "\t",
            "#",
            "'",
            "\"",
            "|\n",
            "[a,",
            "{a: b,",
            "[a: b,",
            "a,",
            "[[],",
            ": ",
            "-\n",
            "a: b\n",
            "\\",
            "%",
            "\u{1F680}",
            "\r",
        ]
        .iter()
        .map(|part| part.repeat(most / part.len()))
        .collect();
        inputs.push(lines);
        inputs.push(format!("[{}]", "a,".repeat(most / 2 - 2)));
        inputs.push(format!("{{{}}}", "a: b,".repeat(most / 5 - 2)));
        inputs.push(format!("a: |\n{}", " x\n".repeat(most / 3 - 5)));
        inputs.push(format!("a: \"{}\"", "\\n".repeat(most / 2 - 5)));
        inputs.push((0..1000).map(|i| format!("{}- a\n", " ".repeat(i))).collect());
        for input in inputs {
            let written = parse("f", input.as_bytes());
            assert!(written.root.is_some() || !written.troubles.is_empty(), "{:?}…", &input.chars().take(12).collect::<String>());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn any_bytes_end_in_a_tree_or_in_troubles(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let written = parse("f", &bytes);
            prop_assert!(written.root.is_some() || !written.troubles.is_empty());
        }

        #[test]
        fn any_heap_of_yaml_signs_ends_in_a_tree_that_reads_back_as_it_is(text in "([\\[\\]{}:,?|>'\"&*!%#@`~ \\n\\t-]|: |- |\\n  |ab|0|\\.\\.\\.|---|\\\\)*") {
            let written = parse("f", text.as_bytes());
            prop_assert!(written.root.is_some() || !written.troubles.is_empty());
            if let (Some(root), true) = (written.root, written.troubles.is_empty()) {
                let line = root.to_string();
                let again = parse("f", line.as_bytes()).root.map(|n| n.to_string());
                prop_assert_eq!(again, Some(line));
            }
        }
    }
}
