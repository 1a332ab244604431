use weir_guest::{Sample, Verdict};

use super::*;

/// One message for each list of headers.
fn kept(options: &str, messages: &[&[(&str, Option<&str>)]]) -> Option<Vec<u32>> {
    let mut sample = Sample::of_values(messages.iter().map(|_| "unread"));
    for (message, headers) in sample.messages.iter_mut().zip(messages) {
        message.headers = headers
            .iter()
            .map(|(name, value)| ((*name).into(), value.map(Into::into)))
            .collect();
    }
    let mut plugin = DropByHeader::open(options).unwrap();
    let intercepted = plugin.on_consume(&sample.batch()).unwrap();
    assert!(intercepted.errors.is_empty());
    match intercepted.verdict {
        Verdict::Unchanged => None,
        Verdict::Keep(rows) => Some(rows),
        Verdict::Replace(_) => panic!("nothing is replaced"),
    }
}

#[test]
fn messages_with_the_header_are_dropped() {
    let messages: [&[_]; 4] = [
        &[("x-test", Some("true"))],
        &[],
        &[("other", None), ("x-test", None)],
        &[("X-Test", Some("true"))],
    ];
    assert_eq!(kept(r#"{"name":"x-test"}"#, &messages), Some(vec![1, 3]));
}

#[test]
fn a_value_must_match_in_any_of_the_duplicates() {
    let messages: [&[_]; 4] = [
        &[("x-test", Some("false")), ("x-test", Some("true"))],
        &[("x-test", Some("false"))],
        &[("x-test", None)],
        &[("x-test", Some("true!"))],
    ];
    let options = r#"{"name":"x-test","value":"true"}"#;
    assert_eq!(kept(options, &messages), Some(vec![1, 2, 3]));
}

#[test]
fn an_empty_value_is_not_a_null_one() {
    let messages: [&[_]; 2] = [&[("x", Some(""))], &[("x", None)]];
    assert_eq!(kept(r#"{"name":"x","value":""}"#, &messages), Some(vec![1]));
}

#[test]
fn inverted_it_keeps_what_it_would_drop() {
    let messages: [&[_]; 3] = [&[("keep", None)], &[], &[("other", None)]];
    let options = r#"{"name":"keep","invert":true}"#;
    assert_eq!(kept(options, &messages), Some(vec![0]));
    assert_eq!(kept(options, &[&[], &[]]), Some(vec![]));
    assert_eq!(kept(options, &[&[("keep", None)]]), None);
}

#[test]
fn a_batch_that_loses_nothing_is_unchanged() {
    assert_eq!(kept(r#"{"name":"x"}"#, &[&[], &[]]), None);
    assert_eq!(kept(r#"{"name":"x"}"#, &[&[("y", None)], &[]]), None);
    assert_eq!(kept(r#"{"name":"x"}"#, &[&[("x", None)]]), Some(vec![]));
}

#[test]
fn wrong_options_are_named() {
    let error = |options| DropByHeader::open(options).unwrap_err();
    assert_eq!(error("{}"), "missing field `name`");
    assert_eq!(error(r#"{"name":""}"#), "`name` is empty");
    assert!(error(r#"{"name":"x","invert":"yes"}"#).starts_with("`invert`: "));
    assert!(error(r#"{"nam":"x"}"#).starts_with("unknown field `nam`"));
}
