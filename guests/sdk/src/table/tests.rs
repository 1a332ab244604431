use super::*;
use crate::rows::Array;

fn readings() -> Table {
    Table::new(
        7,
        vec![
            Column::utf8("sensor"),
            Column::float64("bar").nullable(),
            Column::bool("ok"),
            Column::list("codes", Column::int32("item").nullable()),
            Column::structure(
                "place",
                vec![Column::int64("x"), Column::utf8("hall").nullable()],
            )
            .nullable(),
        ],
    )
}

fn push(row: &mut Row<'_>, sensor: &str, bar: Option<f64>, codes: &[i32]) -> Result<(), Reason> {
    row.push(sensor)?;
    row.push(bar)?;
    row.push(bar.is_some())?;
    row.push(List(codes.iter().map(|code| (*code != 0).then_some(*code))))?;
    row.push(bar.map(|_| {
        Struct(|fields: &mut Row<'_>| {
            fields.push(5_i64)?;
            fields.push("east")
        })
    }))
}

#[test]
fn fields_are_in_pre_order() {
    let fields: Vec<_> = readings()
        .schema()
        .into_iter()
        .map(|f| (f.name, f.format, f.nullable, f.children))
        .collect();
    let expected = [
        ("sensor", "u", false, 0),
        ("bar", "g", true, 0),
        ("ok", "b", false, 0),
        ("codes", "+l", false, 1),
        ("item", "i", true, 0),
        ("place", "+s", true, 2),
        ("x", "l", false, 0),
        ("hall", "u", true, 0),
    ]
    .map(|(name, format, nullable, children)| (name.into(), format.into(), nullable, children));
    assert_eq!(fields, expected);
}

#[test]
fn buffers_are_arrow_s() {
    let mut table = readings();
    table
        .append(0, |row| push(row, "a", Some(1.5), &[1, 0]))
        .unwrap();
    table.append(1, |row| push(row, "bc", None, &[])).unwrap();
    let group = table.take(2).unwrap();
    assert_eq!((group.schema, group.len), (7, 2));
    assert!(matches!(group.origin, Origin::Identity));

    let i32s = |values: &[i32]| values.iter().flat_map(|v| v.to_le_bytes()).collect();
    let i64s = |values: &[i64]| values.iter().flat_map(|v| v.to_le_bytes()).collect();
    let f64s = |values: &[f64]| values.iter().flat_map(|v| v.to_le_bytes()).collect();
    let expected: [(u32, u32, Vec<Vec<u8>>); 8] = [
        (2, 0, vec![vec![], i32s(&[0, 1, 3]), b"abc".to_vec()]),
        (2, 1, vec![vec![0b01], f64s(&[1.5, 0.0])]),
        (2, 0, vec![vec![], vec![0b01]]),
        (2, 0, vec![vec![], i32s(&[0, 2, 2])]),
        (2, 1, vec![vec![0b01], i32s(&[1, 0])]),
        (2, 1, vec![vec![0b01]]),
        (2, 0, vec![vec![], i64s(&[5, 0])]),
        (2, 1, vec![vec![0b01], i32s(&[0, 4, 4]), b"east".to_vec()]),
    ];
    for (array, (len, null_count, buffers)) in group.arrays.iter().zip(expected) {
        let Array {
            len: l,
            null_count: n,
            buffers: b,
        } = array;
        assert_eq!((*l, *n, b), (len, null_count, &buffers));
    }
    assert_eq!(group.arrays.len(), 8);
}

#[test]
fn nothing_remains_of_a_message_that_failed() {
    let mut expected = readings();
    expected
        .append(0, |row| push(row, "a", None, &[0, 3]))
        .unwrap();
    expected
        .append(3, |row| push(row, "b", Some(2.0), &[4]))
        .unwrap();

    let mut table = readings();
    table
        .append(0, |row| push(row, "a", None, &[0, 3]))
        .unwrap();
    table
        .append(1, |row| push(row, "x", Some(1.0), &[9, 0, 9]))
        .unwrap();
    table
        .append(1, |row| {
            row.push("failing after a list")?;
            row.push(None::<f64>)?;
            row.push(true)?;
            row.push(List([1, 2, 3]))?;
            Err("here".into())
        })
        .unwrap_err();
    table
        .append(2, |row| {
            push(row, "too many", Some(1.0), &[0])?;
            row.push(1_i64)
        })
        .unwrap_err();
    table
        .append(2, |row| {
            row.push("inside of a struct")?;
            row.push(1.0)?;
            row.push(false)?;
            row.push(List([None::<i32>]))?;
            row.push(Struct(|fields: &mut Row<'_>| fields.push(1_i64)))
        })
        .unwrap_err();
    table
        .append(3, |row| push(row, "b", Some(2.0), &[4]))
        .unwrap();

    let (group, expected) = (table.take(4).unwrap(), expected.take(4).unwrap());
    assert!(matches!(&group.origin, Origin::Messages(rows) if rows == &[0, 3]));
    assert_eq!(group.len, 2);
    for (array, expected) in group.arrays.iter().zip(&expected.arrays) {
        assert_eq!(array.len, expected.len);
        assert_eq!(array.null_count, expected.null_count);
        assert_eq!(array.buffers, expected.buffers);
    }
}

#[test]
fn a_table_is_empty_after_it_was_taken() {
    let mut table = readings();
    table
        .append(0, |row| push(row, "a", Some(1.0), &[1]))
        .unwrap();
    let first = table.take(1).unwrap();
    assert!(table.take(1).is_none());
    table
        .append(0, |row| push(row, "a", Some(1.0), &[1]))
        .unwrap();
    let second = table.take(1).unwrap();
    for (first, second) in first.arrays.iter().zip(&second.arrays) {
        assert_eq!(first.buffers, second.buffers);
    }
}

#[test]
fn each_payload_becomes_a_row_an_error_or_nothing() {
    let mut table = Table::new(0, vec![Column::int32("n")]);
    let payloads: Payloads = [
        Some(b"1".as_slice()),
        None,
        Some(b"x"),
        Some(b""),
        Some(b"2"),
    ]
    .into_iter()
    .collect();
    let decoded = table.decode(&payloads, |payload, row| match payload {
        b"" => Ok(()),
        text => row.push(std::str::from_utf8(text)?.parse::<i32>()?),
    });
    assert_eq!(decoded.errors.len(), 1);
    assert_eq!(decoded.errors[0].row, 2);
    assert_eq!(decoded.errors[0].reason, "invalid digit found in string");
    assert_eq!(decoded.groups.len(), 1);
    assert!(matches!(&decoded.groups[0].origin, Origin::Messages(rows) if rows == &[0, 4]));
}

#[test]
fn a_row_that_does_not_suit_the_columns_is_an_error() {
    let error = |fill: fn(&mut Row<'_>) -> Result<(), Reason>| {
        let mut table = Table::new(0, vec![Column::utf8("a"), Column::timestamp_millis("b")]);
        table.append(0, fill).unwrap_err().to_string()
    };
    assert_eq!(
        error(|row| row.push(1)),
        "column `a` holds text, not a 32-bit integer"
    );
    assert_eq!(
        error(|row| row.push(None::<&str>)),
        "column `a` is not nullable"
    );
    assert_eq!(error(|row| row.push("x")), "no value for column `b`");
    assert_eq!(
        error(|row| {
            row.push("x")?;
            row.push(0_i64)?;
            row.push(0_i64)
        }),
        "more values than the 2 columns"
    );
}
