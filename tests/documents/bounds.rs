//! What is no document at all: bombs, endless nesting, bytes that are no text. One clear message each, exit 3.

use flightdeck::strategy::{Document, Sources};
use flightdeck::units::{Kind, yaml};
use std::io::Read;

fn one_message(written: yaml::Written) -> String {
    let troubles = Document::read(&Sources { file: Some(written), ..Sources::default() }).unwrap_err();
    assert_eq!(troubles.len(), 1, "{troubles:?}");
    assert_eq!(troubles[0].kind, Kind::Document);
    troubles[0].to_string()
}

fn parsed(bytes: impl AsRef<[u8]>) -> String {
    one_message(yaml::parse("d.yaml", bytes.as_ref()))
}

#[test]
fn a_hundred_megabytes_are_refused_after_the_first_one() {
    struct Counting(u64);
    impl Read for Counting {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            buffer.fill(b'a');
            self.0 += buffer.len() as u64;
            Ok(if self.0 > 100 << 20 { 0 } else { buffer.len() })
        }
    }
    let mut source = Counting(0);
    assert_eq!(one_message(yaml::read("d.yaml", &mut source)), "d.yaml: larger than 1 MiB: a document has a few lines");
    assert!(source.0 < 4 << 20, "{} bytes were read", source.0);
}

#[test]
fn a_bomb_of_aliases_goes_off_at_its_first_anchor() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for i in 1..30 {
        bomb += &format!("a{i}: &a{i} [{}]\n", vec![format!("*a{}", i - 1); 9].join(", "));
    }
    assert_eq!(parsed(&bomb), "d.yaml:1:9: an anchor (`&`): write the value where it is used; a text that begins with & needs quotes");
}

#[test]
fn endless_nesting_ends_at_32() {
    let says = "nested deeper than 32: a document is two or three deep";
    for (part, column) in [("[", 33), ("{a: ", 129), ("- ", 65)] {
        assert_eq!(parsed(part.repeat(40)), format!("d.yaml:1:{column}: {says}"));
        assert!(parsed(part.repeat(1_000_000 / part.len())).ends_with(says));
    }
    let stairs: String = (0..700).map(|i| format!("{}a:\n", " ".repeat(i))).collect();
    assert_eq!(parsed(stairs), format!("d.yaml:33:33: {says}"));
}

#[test]
fn bytes_that_are_no_text_are_told_with_their_place() {
    assert_eq!(parsed(b"strategy: canary\nto: \xc3\x28"), "d.yaml:2:5: not UTF-8 from here on: save it as UTF-8 text");
    assert_eq!(parsed(b"\xff\xfes\0t\0r\0"), "d.yaml:1:1: not UTF-8 from here on: save it as UTF-8 text");
    assert_eq!(parsed("strategy: \0"), "d.yaml:1:11: a control character (U+0000): remove it");
    assert_eq!(parsed("\x1b[2J".repeat(1000)), "d.yaml:1:1: a control character (U+001B): remove it");
    assert_eq!(parsed("a: \"\\u009b31m\""), "d.yaml:1:4: a control character (U+009B): remove it");
}

#[test]
fn a_mark_of_order_and_the_line_ends_of_windows_are_read() {
    let file = yaml::parse("d.yaml", "\u{FEFF}strategy: canary\r\nstepSize: 20%\r\n".as_bytes());
    assert!(Document::read(&Sources { file: Some(file), ..Sources::default() }).is_ok());
}

#[test]
fn ten_thousand_wrong_keys_are_told_in_a_bounded_answer() {
    let text: String = (0..4_000).map(|i| format!("key{i}: 1\n")).collect();
    let file = yaml::parse("d.yaml", text.as_bytes());
    let troubles = Document::read(&Sources { file: Some(file), ..Sources::default() }).unwrap_err();
    assert_eq!(troubles.len(), 51);
    assert_eq!(troubles[50].to_string(), "d.yaml: 3950 more like these: mend these first");
}

#[test]
fn a_file_that_cannot_be_read_says_why() {
    let says = |kind| one_message(yaml::unreadable("d.yaml", &std::io::Error::from(kind)));
    assert_eq!(says(std::io::ErrorKind::NotFound), "d.yaml: no such file: check the path");
    assert_eq!(says(std::io::ErrorKind::PermissionDenied), "d.yaml: may not be read: check its permissions");
    assert_eq!(says(std::io::ErrorKind::IsADirectory), "d.yaml: this is a directory: name a file in it");
}

#[test]
fn what_messages_quote_can_do_no_harm_to_a_terminal() {
    let says = parsed("strategy: \"can\u{202e}ary\"\n");
    assert!(!says.contains('\u{202e}'), "{says}");
}
