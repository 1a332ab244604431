//! Every type that a column may be declared with: what it takes, and what it says of what it
//! does not take.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use serde_json::{Value, json};
use support::{Registry, decode, decoder, one, outline, render::hex};

fn float(value: f64) -> Value {
    support::render::float(value)
}

/// The value of one column of this type, from the text of a value.
fn value(ty: &Value, text: &str) -> Result<Value, String> {
    let mut decoder = decoder(&json!({ "columns": { "v": ty } }));
    let row = one(&mut decoder, format!("{{\"v\":{text}}}").as_bytes());
    row.map(|row| row["v"].clone())
}

#[test]
fn values_of_every_type() {
    for (ty, text, expected) in [
        (json!("boolean"), "true", json!(true)),
        (json!("int8"), "-128", json!(-128)),
        (json!("int16"), "32767", json!(32767)),
        (json!("int32"), "-2147483648", json!(i32::MIN)),
        (json!("int64"), "9223372036854775807", json!(i64::MAX)),
        (
            json!("int64"),
            "9007199254740993",
            json!(9_007_199_254_740_993i64),
        ),
        (json!("int64"), "1e3", json!(1000)),
        (json!("int64"), "-10.0", json!(-10)),
        (json!("uint8"), "255", json!(255)),
        (json!("uint16"), "65535", json!(65535)),
        (json!("uint32"), "4294967295", json!(u32::MAX)),
        (json!("uint64"), "18446744073709551615", json!(u64::MAX)),
        (json!("float32"), "0.1", float(f64::from(0.1f32))),
        (json!("float64"), "0.1", float(0.1)),
        (json!("float64"), "-1.7976931348623157e308", float(f64::MIN)),
        (json!("decimal(10,2)"), "12345678.9", json!("1234567890")),
        (json!("decimal(10,2)"), "\"-0.01\"", json!("-1")),
        (
            json!("decimal(38,0)"),
            "99999999999999999999999999999999999999",
            json!("9".repeat(38)),
        ),
        (
            json!("utf8"),
            r#""a\"\\\/\b\f\n\r\té\u00e9\ud834\udd1e""#,
            json!("a\"\\/\u{8}\u{c}\n\r\té\u{e9}\u{1d11e}"),
        ),
        (
            json!("utf8"),
            r#""a text of more than thirty-two bytes, without escapes""#,
            json!("a text of more than thirty-two bytes, without escapes"),
        ),
        (json!("binary"), r#""AP8=""#, hex(&[0, 255])),
        (
            json!("uuid"),
            r#""00112233-4455-6677-8899-AABBCCDDEEFF""#,
            hex(&0x0011_2233_4455_6677_8899_aabb_ccdd_eeff_u128.to_be_bytes()),
        ),
        (json!("date"), r#""1970-01-02""#, json!(1)),
        (json!("date"), "19000", json!(19000)),
        (json!("time(s)"), r#""00:00:01""#, json!(1)),
        (json!("time(ms)"), "86399999", json!(86_399_999)),
        (json!("time(us)"), r#""00:00:01.5""#, json!(1_500_000)),
        (json!("time(ns)"), r#""00:00:00.000000001""#, json!(1)),
        (
            json!("timestamp(s)"),
            r#""1970-01-01T01:00:00+01:00""#,
            json!(0),
        ),
        (
            json!("timestamp(ms)"),
            "1700000000000",
            json!(1_700_000_000_000i64),
        ),
        (
            json!("timestamp(us)"),
            r#""1970-01-01T00:00:00.0000019Z""#,
            json!(1),
        ),
        (
            json!("timestamp(ns)"),
            r#""1970-01-01 00:00:00.1z""#,
            json!(100_000_000),
        ),
        (
            json!("local-timestamp(ms)"),
            r#""1970-01-01T00:00:01""#,
            json!(1000),
        ),
        (
            json!("json"),
            r#"{ "a": [1, 1e2] }"#,
            json!({"a": [1, 100.0]}),
        ),
        (json!(["int64"]), "[1, null ,3]", json!([1, null, 3])),
        (
            json!([["utf8"]]),
            r#"[[],null,["a"]]"#,
            json!([[], null, ["a"]]),
        ),
        (
            json!({"a": "int64", "b": {"c": "utf8"}}),
            r#"{"b":{"c":"x"},"a":1}"#,
            json!({"a": 1, "b": {"c": "x"}}),
        ),
        (json!({"a": "int64"}), "{}", json!({"a": null})),
        (
            json!({"*": "int64"}),
            r#"{"x":1,"y":null}"#,
            json!([["x", 1], ["y", null]]),
        ),
        (
            json!([{"*": {"a": "utf8"}}]),
            r#"[{"k":{"a":"v"}},{}]"#,
            json!([[["k", {"a": "v"}]], []]),
        ),
    ] {
        assert_eq!(value(&ty, text), Ok(expected), "{ty} {text}");
        assert_eq!(value(&ty, "null"), Ok(Value::Null), "{ty}");
        let spaced = format!(" \n{text}\t\r ");
        assert!(value(&ty, &spaced).is_ok(), "{ty} {spaced}");
    }
}

#[test]
fn what_does_not_fit_names_its_place_and_what_was_found() {
    for (ty, text, expected) in [
        (
            json!("int64"),
            r#""7""#,
            "expected an integer, found the string \"7\"",
        ),
        (json!("int64"), "1.5", "expected an integer, found 1.5"),
        (
            json!("int64"),
            "9223372036854775808",
            "expected an integer of 64 bits, found 9223372036854775808",
        ),
        (json!("int64"), "true", "expected an integer, found true"),
        (
            json!("int8"),
            "128",
            "expected an integer of 8 bits, found 128",
        ),
        (
            json!("uint8"),
            "-1",
            "expected an unsigned integer of 8 bits, found -1",
        ),
        (
            json!("boolean"),
            "0",
            "expected a boolean, found the number 0",
        ),
        (
            json!("float64"),
            "1e400",
            "1e400 is out of the range of a float of 64 bits",
        ),
        (
            json!("float32"),
            "1e39",
            "1e39 is out of the range of a float of 32 bits",
        ),
        (
            json!("float64"),
            r#""NaN""#,
            "expected a number, found the string \"NaN\"",
        ),
        (
            json!("float64"),
            "NaN",
            "expected a JSON value, found `NaN`, which is not JSON",
        ),
        (
            json!("decimal(5,2)"),
            "1000",
            "expected at most 5 digits, 2 of them behind the point, found 1000",
        ),
        (
            json!("decimal(5,2)"),
            "1.005",
            "expected at most 2 digits behind the point, found 1.005",
        ),
        (
            json!("decimal(5,2)"),
            r#""1,5""#,
            "expected a decimal, found \"1,5\"",
        ),
        (
            json!("decimal(38,0)"),
            "1e38",
            "expected at most 38 digits, 0 of them behind the point, found 1e38",
        ),
        (json!("utf8"), "[1]", "expected a string, found an array"),
        (json!("binary"), r#""a""#, "expected base64, found \"a\""),
        (
            json!("uuid"),
            r#""0011223344556677-8899-AABBCCDDEEFF""#,
            "expected a UUID, found \"0011223344556677-8899-AABBCCDDEEFF\"",
        ),
        (
            json!("date"),
            r#""2024-02-30""#,
            "expected a date such as 2024-12-31, found \"2024-02-30\"",
        ),
        (
            json!("time(ms)"),
            "86400000",
            "expected a time of day below 86400000, found 86400000",
        ),
        (
            json!("timestamp(ms)"),
            r#""2024-01-01T00:00:00""#,
            "expected a date and time with an offset, such as 2024-12-31T23:59:59Z, found \"2024-01-01T00:00:00\"",
        ),
        (
            json!("local-timestamp(ms)"),
            r#""2024-01-01T00:00:00Z""#,
            "expected a date and time without an offset, such as 2024-12-31T23:59:59, found \"2024-01-01T00:00:00Z\"",
        ),
        (json!(["int64"]), "{}", "expected an array, found an object"),
        (
            json!({"a": "utf8"}),
            "[]",
            "expected an object, found an array",
        ),
        (
            json!({"*": "utf8"}),
            "1",
            "expected an object, found the number 1",
        ),
    ] {
        let expected = format!("`/v`, byte 5: {expected}");
        assert_eq!(value(&ty, text), Err(expected), "{ty} {text}");
    }
    let deep = json!({"a/b": [{"*": {"x~y": "int64"}}]});
    assert_eq!(
        value(&deep, r#"{"a/b":[{},{"k":{"x~y":""}}]}"#),
        Err("`/v/a~1b/1/k/x~0y`, byte 28: expected an integer, found the string \"\"".to_owned())
    );
    let long = format!("\"{}\"", "ä".repeat(100));
    let error = value(&json!("int64"), &long).unwrap_err();
    assert!(error.ends_with(&format!("{}…", "ä".repeat(59))), "{error}");
}

#[test]
fn of_two_fields_with_one_name_the_last_counts() {
    let columns = json!({"a": "int64", "l": ["utf8"], "o": {"x": "utf8", "y": ["int64"]}, "m": {"*": ["int64"]}});
    let mut decoder = decoder(&json!({ "columns": columns }));
    let text = r#"{"a":1,"o":{"x":"1","y":[1,2],"x":"2"},"l":["a","b"],"a":null,"a":3,"l":["c"],
        "o":{"y":[1],"y":[5,6]},"m":{"k":[1],"j":[2],"k":[3,4]}}"#;
    let row = json!({"a": 3, "l": ["c"], "o": {"x": null, "y": [5, 6]}, "m": [["j", [2]], ["k", [3, 4]]]});
    let messages = vec![Some(text.as_bytes().to_vec()); 3];
    let (rows, errors) = decode(&mut decoder, &Registry::default(), &messages);
    assert!(errors.is_empty(), "{errors:?}");
    assert!(rows.iter().all(|(_, it)| *it == row), "{rows:?}");
    // Also in a map with many entries.
    let entries: Vec<String> = (0..40).map(|i| format!("\"k{}\":[{i}]", i % 25)).collect();
    let text = format!("{{\"m\":{{{}}}}}", entries.join(","));
    let row = one(&mut decoder, text.as_bytes()).unwrap();
    assert_eq!(row["m"].as_array().unwrap().len(), 25);
    assert_eq!(row["m"][0], json!(["k0", [25]]));
}

#[test]
fn what_is_no_column_is_left_out_kept_or_an_error() {
    let columns = json!({"a": "int64", "o": {"x": "utf8"}});
    let text = br#"{"z":[1, 2],"o":{"q":{"r":null},"x":"1"},"a":1,"\u007a2":"\n"}"#;
    let with = |unknown: &str| decoder(&json!({"columns": columns, "unknown.fields": unknown}));
    let plain = json!({"a": 1, "o": {"x": "1"}});
    assert_eq!(one(&mut with("ignore"), text), Ok(plain));
    assert_eq!(
        one(&mut with("error"), text),
        Err("`/z`, byte 5: the field is not in the schema, and unknown.fields is error".to_owned())
    );
    assert_eq!(
        one(&mut with("error"), br#"{"o":{"q":1}}"#),
        Err(
            "`/o/q`, byte 10: the field is not in the schema, and unknown.fields is error"
                .to_owned()
        )
    );
    let mut extra = with("extra");
    assert_eq!(
        one(&mut extra, text),
        Ok(json!({
            "a": 1, "o": {"x": "1", "_extra": {"q": {"r": null}}},
            "_extra": {"z": [1, 2], "z2": "\n"},
        }))
    );
    assert_eq!(
        one(&mut extra, br#"{"o":{}}"#),
        Ok(json!({"a": null, "o": {"x": null, "_extra": null}, "_extra": null}))
    );
    let options = json!({"columns": {"_extra": "utf8"}, "unknown.fields": "extra"});
    let options = weir_json::Options::parse(&options.to_string()).unwrap();
    let error = weir_json::Decoder::new(options).err().unwrap();
    assert!(
        error.starts_with("`columns`: it has a field `_extra`"),
        "{error}"
    );
}

#[test]
fn json_text_stays_as_it_was_written() {
    let decoder = &mut decoder(&json!({"columns": {"j": "json"}}));
    let text = br#"{"j":{"b": 1.00,"a":1e2, "b":123456789012345678901234567890}}"#;
    let decoded =
        support::try_decode(decoder, &Registry::default(), &[Some(text.to_vec())]).unwrap();
    let data = &decoded.groups[0].arrays[0].buffers[2];
    assert_eq!(data, &text[5..text.len() - 1]);
}

#[test]
fn without_columns_a_message_is_one_value() {
    let mut decoder = decoder(&json!({"framing": "raw"}));
    assert_eq!(outline(&decoder), ["value: u? arrow.json"]);
    let messages: Vec<_> = ["{\"a\":1}", "[", "null", " 7 ", ""]
        .map(|it| Some(it.as_bytes().to_vec()))
        .into();
    let (rows, errors) = decode(&mut decoder, &Registry::default(), &messages);
    let value = |value: Value| json!({ "value": value });
    assert_eq!(
        rows,
        [
            (0, value(json!({"a": 1}))),
            (2, value(Value::Null)),
            (3, value(json!(7)))
        ]
    );
    assert_eq!(
        errors,
        [
            (
                1,
                "byte 1: expected a JSON value, found the end of the message".to_owned()
            ),
            (
                4,
                "byte 0: expected a JSON value, found the end of the message".to_owned()
            ),
        ]
    );
}

#[test]
fn rows_are_objects() {
    let mut decoder = decoder(&json!({"columns": {"a": "int64"}}));
    for (text, expected) in [
        (&b"[]"[..], "byte 0: expected an object, found an array"),
        (b"null", "byte 0: expected an object, found null"),
        (
            b"{\"a\":1}}",
            "byte 7: there is more after the end of the JSON value",
        ),
        (b"{\"a\":\"\xff\"}", "byte 6: the message is not UTF-8"),
        (
            b"\xef\xbb\xbf{}",
            "byte 0: expected a JSON value, found '\\u{feff}'",
        ),
        (
            b"{\"a\":1,}",
            "byte 7: expected the name of a field, found '}'",
        ),
    ] {
        assert_eq!(one(&mut decoder, text), Err(expected.to_owned()));
    }
}
