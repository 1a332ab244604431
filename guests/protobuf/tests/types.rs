//! What becomes of each type, and of fields that come otherwise than expected.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use serde_json::json;
use support::{Registry, Wire, decode, errors, framed, outline, reason, row, rows, schema};
use weir_guest::confluent::Format;
use weir_protobuf::{Decoder, ProtobufFormat, TimeUnit};

fn wire() -> Wire {
    Wire::default()
}

const MANY: &str = r#"syntax = "proto3";
import "google/protobuf/timestamp.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/wrappers.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/any.proto";
import "google/protobuf/field_mask.proto";
message M {
  bool b = 1; int32 i = 2; uint32 ui = 3; sfixed64 l = 4; fixed64 ul = 5; float f = 6; double d = 7;
  string s = 8; bytes z = 9; E e = 10; optional int64 o = 11;
  N n = 12; repeated N ns = 13; map<int32, string> m = 14; repeated sint32 r = 15;
  oneof one { string os = 16; N on = 17; }
  google.protobuf.Timestamp at = 18; google.protobuf.Duration span = 19;
  google.protobuf.StringValue w = 20; google.protobuf.Struct json = 21;
  google.protobuf.Any any = 22; google.protobuf.FieldMask mask = 23;
  M self = 24; repeated M selves = 25; repeated google.protobuf.Timestamp times = 26;
  enum E { ZERO = 0; ONE = 1; }
  message N { int32 x = 1; repeated string t = 2; }
}"#;

#[test]
fn columns() {
    let expected = [
        "b: b",
        "i: i",
        "ui: I",
        "l: l",
        "ul: L",
        "f: f",
        "d: g",
        "s: u",
        "z: z",
        "e: u",
        "o: l?",
        "n: +s?",
        " x: i",
        " t: +l",
        "  item: u",
        "ns: +l",
        " item: +s",
        "  x: i",
        "  t: +l",
        "   item: u",
        "m: +m",
        " entries: +s",
        "  key: i",
        "  value: u",
        "r: +l",
        " item: i",
        "os: u?",
        "on: +s?",
        " x: i",
        " t: +l",
        "  item: u",
        "at: tsn:UTC?",
        "span: tDn?",
        "w: u?",
        "json: u? arrow.json",
        "any: +s?",
        " type_url: u",
        " value: z",
        "mask: +s?",
        " paths: +l",
        "  item: u",
        "self: u? arrow.json",
        "selves: +l",
        " item: u arrow.json",
        "times: +l",
        " item: tsn:UTC",
    ];
    assert_eq!(outline(MANY), expected);
}

#[test]
fn what_is_not_there_is_null_or_the_default() {
    let expected = json!({
        "b": false, "i": 0, "ui": 0, "l": 0, "ul": 0, "f": {"float": 0}, "d": {"float": 0}, "s": "",
        "z": {"hex": ""}, "e": "ZERO", "o": null, "n": null, "ns": [], "m": [], "r": [], "os": null,
        "on": null, "at": null, "span": null, "w": null, "json": null, "any": null, "mask": null,
        "self": null, "selves": [], "times": [],
    });
    assert_eq!(row(MANY, &[]), expected);
}

#[test]
fn proto2_has_presence_everywhere_and_its_defaults_stay_null() {
    let text = r#"syntax = "proto2";
message M {
  required int32 a = 1; optional string b = 2 [default = "x"]; optional E e = 3;
  repeated E es = 4; map<string, E> em = 8;
  optional group G = 5 { optional int32 x = 1; }
  repeated group L = 6 { optional int32 y = 2; }
  extensions 100 to 200;
  enum E { ONE = 1; TWO = 2; }
}
message Other { extend M { optional M nested = 101; } }
extend M { repeated int32 more = 100; }"#;
    assert_eq!(
        outline(text),
        [
            "a: i?",
            "b: u?",
            "e: u?",
            "es: +l",
            " item: u",
            "em: +m",
            " entries: +s",
            "  key: u",
            "  value: u",
            "g: +s?",
            " x: i?",
            "l: +l",
            " item: +s",
            "  y: i?",
            "[more]: +l",
            " item: i",
            "[Other.nested]: u? arrow.json"
        ]
    );
    let none = json!({"a": null, "b": null, "e": null, "es": [], "em": [], "g": null, "l": [],
        "[more]": [], "[Other.nested]": null});
    assert_eq!(row(text, &[]), none);

    // A closed enum does not have 9, so such fields, items and entries are unknown.
    let message = wire()
        .varint(3, 9)
        .bytes(4, [1, 9, 2])
        .varint(4, 9)
        .bytes(8, wire().bytes(1, "k").varint(2, 9))
        .bytes(8, wire().bytes(1, "l").varint(2, 2))
        .bytes(8, wire().bytes(1, "l").varint(2, 0))
        .bytes(8, wire().bytes(1, "m"))
        .group(5, &wire().varint(1, 7).group(9, &wire().varint(1, 1)))
        .group(6, &wire())
        .group(6, &wire().varint(2, 8))
        .bytes(100, [4, 5])
        .bytes(101, wire().varint(1, 3));
    let found = row(text, &message.0);
    let expected = json!({"a": null, "b": null, "e": null, "es": ["ONE", "TWO"], "em": [["l", "TWO"], ["m", "ONE"]],
        "g": {"x": 7}, "l": [{"y": null}, {"y": 8}], "[more]": [4, 5], "[Other.nested]": {"a": 3}});
    assert_eq!(found, expected);
}

#[test]
fn open_enums_show_numbers_without_a_name() {
    let text = r#"syntax = "proto3"; message M { E e = 1; repeated E l = 2; }
        enum E { option allow_alias = true; A = 0; B = 1; C = 1; D = -3; }"#;
    let message = wire()
        .varint(1, 1)
        .bytes(2, wire().raw_varint(7).raw_varint(3u64.wrapping_neg()));
    assert_eq!(row(text, &message.0), json!({"e": "B", "l": ["7", "D"]}));
}

#[test]
fn the_last_one_wins_and_pieces_are_merged() {
    let message = wire()
        .varint(2, 1)
        .bytes(8, "first")
        .bytes(12, wire().varint(1, 5).bytes(2, "a"))
        .bytes(15, [2])
        .varint(2, 2)
        .bytes(8, "")
        .bytes(12, wire().bytes(2, "b"))
        .varint(15, 4)
        .bytes(15, [6, 8])
        .bytes(14, wire().varint(1, 1).bytes(2, "x"))
        .bytes(14, wire().bytes(2, "no key"))
        .bytes(14, wire().varint(1, 1))
        .bytes(18, wire().varint(1, 3))
        .bytes(18, wire().varint(2, 4))
        .bytes(24, wire().varint(2, 9))
        .bytes(24, wire().bytes(8, "s"))
        .bytes(24, wire().varint(3, 1));
    let found = row(MANY, &message.0);
    assert_eq!(found["i"], 2);
    assert_eq!(found["s"], "");
    assert_eq!(found["n"], json!({"x": 5, "t": ["a", "b"]}));
    assert_eq!(found["r"], json!([1, 2, 3, 4]));
    assert_eq!(found["m"], json!([["0", "no key"], ["1", ""]]));
    assert_eq!(found["at"], 3_000_000_004i64);
    assert_eq!(found["self"], json!({"i": 9, "s": "s", "ui": 1}));
}

#[test]
fn of_a_oneof_only_the_last_is_there() {
    let nested = |x| wire().varint(1, x).bytes(2, "t");
    let message = wire().bytes(17, nested(1)).bytes(16, "s");
    let found = row(MANY, &message.0);
    assert_eq!((&found["os"], &found["on"]), (&json!("s"), &json!(null)));
    // What came before the other member is gone: it is not merged.
    let message = wire()
        .bytes(17, nested(1))
        .bytes(16, "s")
        .bytes(17, wire().bytes(2, "u"))
        .bytes(17, wire().bytes(2, "v"));
    let found = row(MANY, &message.0);
    assert_eq!(found["os"], json!(null));
    assert_eq!(found["on"], json!({"x": 0, "t": ["u", "v"]}));
}

#[test]
fn a_key_keeps_its_last_value_in_small_and_large_maps() {
    let text = r#"syntax = "proto3"; message M { repeated L l = 1; }
        message L { map<string, V> m = 1; } message V { repeated int32 r = 1; map<bool, string> i = 2; }"#;
    let entry = |key: String, value: u64| {
        let inner = |v: &str| wire().varint(1, 1).bytes(2, v);
        let value = wire().varint(1, value).varint(1, value + 1);
        let value = value.bytes(2, inner("a")).bytes(2, inner("b"));
        wire().bytes(1, wire().bytes(1, key).bytes(2, value).0)
    };
    for count in [3u64, 40] {
        let list = (0..count).fold(wire(), |list, n| {
            let more = entry(format!("k{}", n % (count - 1)), n * 10);
            Wire([list.0, more.0].concat())
        });
        let message = wire().bytes(1, &list).bytes(1, wire()).bytes(1, &list);
        let decoded = decode(
            &mut Decoder::default(),
            &Registry::of(text),
            &[framed(&message.0)],
        );
        let group = &decoded.groups[0];
        // Fields l, item, m, entries: the number of entries, each key once.
        assert_eq!(u64::from(group.arrays[3].len), 2 * (count - 1));
        let found = row(text, &message.0);
        let last = 10 * (count - 1);
        let first = &found["l"][2]["m"][0];
        assert_eq!(
            *first,
            json!(["k0", {"r": [last, last + 1], "i": [["true", "b"]]}])
        );
        assert_eq!(found["l"][1]["m"], json!([]));
        assert_eq!(found["l"][0], found["l"][2]);
    }
}

#[test]
fn known_fields_of_another_wire_type_are_skipped() {
    let message = wire()
        .bytes(2, "xx")
        .fixed32(8, 5)
        .varint(12, 3)
        .group(13, &wire().varint(1, 1))
        .varint(25, 1)
        .bytes(10, [1])
        .varint(1, 7);
    let found = row(MANY, &message.0);
    assert_eq!(
        (
            &found["i"],
            &found["s"],
            &found["n"],
            &found["ns"],
            &found["b"],
            &found["e"]
        ),
        (
            &json!(0),
            &json!(""),
            &json!(null),
            &json!([]),
            &json!(true),
            &json!("ZERO")
        )
    );
}

#[test]
fn numbers_are_cut_to_their_width() {
    let message = wire()
        .varint(2, 0x1_0000_0005)
        .varint(3, u64::MAX)
        .varint(1, 1 << 40);
    let found = row(MANY, &message.0);
    assert_eq!(
        (&found["i"], &found["ui"], &found["b"]),
        (&json!(5), &json!(u32::MAX), &json!(true))
    );
}

#[test]
fn well_known_types() {
    let text = |value: &str| wire().bytes(3, value);
    let entry = |key: &str, value: Wire| wire().bytes(1, wire().bytes(1, key).bytes(2, value));
    let message = wire()
        .bytes(
            19,
            wire()
                .varint(1, 2u64.wrapping_neg())
                .varint(2, 5u64.wrapping_neg()),
        )
        .bytes(20, wire())
        .bytes(21, entry("a", text("b")))
        .bytes(22, wire().bytes(1, "u").bytes(2, [1, 2]))
        .bytes(23, wire().bytes(1, "a.b").bytes(1, "c"))
        .bytes(26, wire())
        .bytes(26, wire().varint(1, 1));
    let found = row(MANY, &message.0);
    assert_eq!(found["span"], -2_000_000_005i64);
    assert_eq!(found["w"], "");
    assert_eq!(found["json"], json!({"a": "b"}));
    assert_eq!(
        found["any"],
        json!({"type_url": "u", "value": {"hex": "0102"}})
    );
    assert_eq!(found["mask"], json!({"paths": ["a.b", "c"]}));
    assert_eq!(found["times"], json!([0, 1_000_000_000]));

    let text = r#"syntax = "proto3"; import "google/protobuf/struct.proto";
        message M { google.protobuf.Value v = 1; repeated google.protobuf.ListValue l = 2; }"#;
    assert_eq!(
        row(text, &wire().bytes(1, wire()).0),
        json!({"v": null, "l": []})
    );
    let message = wire()
        .bytes(1, wire().fixed64(2, 2.5f64.to_bits()))
        .bytes(2, wire());
    assert_eq!(row(text, &message.0), json!({"v": 2.5, "l": [[]]}));
}

#[test]
fn instants_beyond_a_unit_are_errors_of_their_message() {
    let text = r#"syntax = "proto3"; import "google/protobuf/timestamp.proto";
        message M { google.protobuf.Timestamp at = 1; }"#;
    let end_of_time = wire().bytes(1, wire().varint(1, 253_402_300_799).varint(2, 999_999_999));
    assert_eq!(
        reason(text, &end_of_time.0),
        "field `at`: a timestamp of 253402300799 s does not fit in 64 bits of ns; the option \
         `time.unit: us` has room for it"
    );
    let format = ProtobufFormat::new(None, TimeUnit::Microseconds, false);
    let mut decoder = Decoder::new(format);
    let decoded = decode(&mut decoder, &Registry::of(text), &[framed(&end_of_time.0)]);
    let found = rows(&decoder, &decoded);
    assert_eq!(found, [(0, json!({"at": 253_402_300_799_999_999i64}))]);
}

#[test]
fn each_fault_has_its_reason() {
    let byte = |byte: u8| Wire(vec![byte]);
    let join = |parts: &[&Wire]| Wire(parts.iter().flat_map(|part| part.0.clone()).collect());
    for (message, expected) in [
        (
            byte(0),
            "byte 6: field number 0 is not between 1 and 536870911",
        ),
        (
            wire().raw_varint(1 << 33),
            "byte 6: field number 1073741824 is not between 1 and 536870911",
        ),
        (wire().tag(50, 7), "byte 6: wire type 7 does not exist"),
        (wire().tag(2, 6), "byte 6: wire type 6 does not exist"),
        (
            wire().tag(2, 4),
            "byte 6: the end of group 2, which was not begun",
        ),
        (
            wire().tag(50, 3).tag(51, 4),
            "byte 6: the end of group 51, which was not begun",
        ),
        (
            wire().tag(50, 3).varint(1, 1),
            "byte 6: group 50 has no end",
        ),
        (
            Wire([0xb3, 6].repeat(101)),
            "byte 6: messages are nested more than 100 deep",
        ),
        (
            byte(0x80),
            "byte 6: the message ends in the middle of a value",
        ),
        (
            wire().tag(2, 0),
            "field `i`, byte 7: the message ends in the middle of a value",
        ),
        (
            join(&[&wire().tag(4, 1), &Wire(vec![0; 7])]),
            "field `l`, byte 7: the message ends in the middle of a value",
        ),
        (
            join(&[&wire().tag(2, 0), &Wire(vec![0xff; 11])]),
            "field `i`, byte 7: a variable-length integer has more than 64 bits",
        ),
        (
            wire().tag(8, 2).raw_varint(1),
            "field `s`, byte 7: a length reaches beyond the end of the message",
        ),
        (
            wire().tag(12, 2).raw_varint(u64::MAX),
            "field `n`, byte 7: a length reaches beyond the end of the message",
        ),
        (
            wire().bytes(12, wire().tag(2, 2).raw_varint(9)),
            "field `n.t.item`, byte 9: a length reaches beyond the end of the message",
        ),
        (
            join(&[&wire().tag(15, 2).raw_varint(2), &Wire(vec![0x80; 2])]),
            "field `r.item`, byte 8: the message ends in the middle of a value",
        ),
        (
            wire().bytes(8, [0xff]),
            "field `s`, byte 8: a string is not valid UTF-8",
        ),
        (
            wire().bytes(13, wire().bytes(2, "ok").bytes(2, [0xc3])),
            "field `ns.item.t.item`, byte 14: a string is not valid UTF-8",
        ),
    ] {
        assert_eq!(reason(MANY, &message.0), expected, "{message:?}");
    }
    let json = reason(MANY, &wire().bytes(24, [8]).0);
    assert!(
        json.starts_with("field `self`, byte 9: as JSON: "),
        "{json}"
    );
}

#[test]
fn empty_items_cannot_take_all_memory() {
    let fields: String = (1..100).map(|n| format!("int64 f{n} = {n};")).collect();
    let text =
        format!(r#"syntax = "proto3"; message M {{ repeated N n = 1; }} message N {{ {fields} }}"#);
    let message = wire().bytes(1, []).0.repeat(200_000);
    assert!(
        reason(&text, &message)
            .ends_with("its repeated messages would take more than 16777216 values")
    );
    assert_eq!(
        row(&text, &message[..2_000])["n"].as_array().unwrap().len(),
        1_000
    );
}

#[test]
fn messages_that_have_no_arrow_form_are_refused() {
    let mut text = "syntax = \"proto3\"; message M { A0 a = 1; A0 b = 2; }".to_owned();
    for n in 0..14 {
        text += &format!("message A{n} {{ A{0} a = 1; A{0} b = 2; }}", n + 1);
    }
    text += "message A14 { int32 x = 1; }";
    assert_eq!(
        reason(&text, &[]),
        "schema id 1 cannot be used: message `M`: it has more than 10000 fields, with types that \
         are named twice counted twice"
    );
    let deep: String = (0..70)
        .map(|n| format!("message D{n} {{ D{} d = 1; }}", n + 1))
        .collect();
    let text = format!("syntax = \"proto3\"; {deep} message D70 {{}}");
    assert!(reason(&text, &[]).ends_with("its types are nested more than 64 deep"));
}

#[test]
fn schemas_and_what_they_import() {
    let compile = |text: &str, references: &[(&str, &str)]| {
        let compiled = ProtobufFormat::default().compile(1, &schema(text, references));
        compiled.err().unwrap_or_default()
    };
    let money = r#"syntax = "proto3"; package a.b; message Money { int64 units = 1; }"#;
    let order = r#"syntax = "proto3"; package a; import "a/money.proto";
        import "google/protobuf/timestamp.proto"; message Order { b.Money total = 1; }"#;
    assert_eq!(compile(order, &[("a/money.proto", money)]), "");
    assert_eq!(
        compile(order, &[]),
        "schema.proto imports a/money.proto, which is not among the schema's references: register \
         it under a subject and refer to it"
    );
    // Some register what comes with the language, or what Confluent's clients have built in.
    let timestamp =
        r#"syntax = "proto3"; package google.protobuf; message Timestamp { int64 seconds = 1; }"#;
    let known = ("google/protobuf/timestamp.proto", timestamp);
    assert_eq!(compile(order, &[known, ("a/money.proto", money)]), "");
    let meta = r#"syntax = "proto3"; import "confluent/meta.proto"; import "confluent/type/decimal.proto";
        message M { confluent.type.Decimal d = 1 [(confluent.field_meta).doc = "x"]; }"#;
    assert_eq!(compile(meta, &[]), "");
    assert!(
        compile("message M {\n int32 a = ; }", &[]).starts_with("schema.proto:2:12: expected ")
    );
    assert!(compile("message M { int32 a = 1; ", &[]).starts_with("schema.proto: expected "));
    let nothing = compile("message M { optional Nothing a = 1; }", &[]);
    assert_eq!(nothing, "schema.proto:1:22: name 'Nothing' is not defined");
}

#[test]
fn a_schema_may_be_an_encoded_descriptor() {
    use base64::Engine as _;
    use prost::Message as _;
    let file = protox_parse::parse("x.proto", "syntax = \"proto3\"; message M { int32 a = 1; }");
    let text = base64::engine::general_purpose::STANDARD.encode(file.unwrap().encode_to_vec());
    // As protoc writes it, types are resolved: protox-parse leaves that to others.
    assert_eq!(row(&text, &[8, 5]), json!({"a": 5}));
}

#[test]
fn errors_do_not_touch_other_messages() {
    let good = || framed(&wire().bytes(8, "ä").bytes(13, wire().bytes(2, "t")).0);
    let messages = [
        good(),
        framed(&wire().bytes(8, [0xc3]).0),
        framed(&wire().bytes(13, wire().varint(1, 1)).tag(8, 2).0),
        good(),
    ];
    let mut decoder = Decoder::default();
    for _ in 0..2 {
        let decoded = decode(&mut decoder, &Registry::of(MANY), &messages);
        let found: Vec<_> = errors(&decoded).into_iter().map(|(row, _)| row).collect();
        assert_eq!(found, [1, 2]);
        let rows = rows(&decoder, &decoded);
        assert_eq!(rows.iter().map(|(row, _)| *row).collect::<Vec<_>>(), [0, 3]);
        assert_eq!(rows[0].1, rows[1].1);
        assert_eq!(rows[0].1["ns"], json!([{"x": 0, "t": ["t"]}]));
    }
}
