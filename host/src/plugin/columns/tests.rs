use arrow::array::{Array, AsArray};
use arrow::datatypes::Int64Type;

use super::*;

fn field(name: &str, format: &str, nullable: bool, children: u32) -> rows::Field {
    rows::Field {
        name: name.into(),
        format: format.into(),
        nullable,
        metadata: vec![],
        children,
    }
}

fn array(len: u32, null_count: u32, buffers: &[&[u8]]) -> rows::Array {
    rows::Array {
        len,
        null_count,
        buffers: buffers.iter().map(|b| b.to_vec()).collect(),
    }
}

fn i64s(values: &[i64]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn i32s(values: &[i32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// A list of structs, as a decoder of orders would make it.
fn orders() -> (Vec<rows::Field>, Vec<rows::Array>) {
    let schema = vec![
        field("id", "l", false, 0),
        field("lines", "+l", true, 1),
        field("item", "+s", false, 2),
        field("sku", "u", false, 0),
        field("n", "i", true, 0),
        field("at", "tsm:UTC", false, 0),
    ];
    let arrays = vec![
        array(2, 0, &[&[], &i64s(&[1, 2])]),
        array(2, 1, &[&[0b01], &i32s(&[0, 2, 2])]),
        array(2, 0, &[&[]]),
        array(2, 0, &[&[], &i32s(&[0, 1, 3]), b"abc"]),
        array(2, 1, &[&[0b10], &i32s(&[0, 7])]),
        array(2, 0, &[&[], &i64s(&[1000, 2000])]),
    ];
    (schema, arrays)
}

fn batch_of(
    fields: Vec<rows::Field>,
    len: u32,
    arrays: Vec<rows::Array>,
) -> Result<RecordBatch, String> {
    record_batch(&schema(fields)?, len, arrays)
}

#[test]
fn nested_rows_arrive() {
    let (fields, arrays) = orders();
    let batch = batch_of(fields, 2, arrays).expect("valid");
    assert_eq!(
        batch.column(0).as_primitive::<Int64Type>().values(),
        &[1, 2]
    );
    let lines = batch.column(1).as_list::<i32>();
    assert!(lines.is_null(1));
    assert_eq!(
        lines
            .value(0)
            .as_struct()
            .column(0)
            .as_string::<i32>()
            .value(1),
        "bc"
    );
    assert!(lines.value(0).as_struct().column(1).is_null(0));
}

#[test]
fn every_way_to_lie_is_an_error() {
    type Lie = (
        &'static str,
        Box<dyn Fn(&mut Vec<rows::Field>, &mut Vec<rows::Array>)>,
    );
    let lies: Vec<Lie> = vec![
        (
            "1 arrays more",
            Box::new(|_, a| a.push(array(2, 0, &[&[]]))),
        ),
        ("array is missing", Box::new(|_, a| drop(a.pop()))),
        (
            "`id` has 1 values for 2 rows",
            Box::new(|_, a| a[0] = array(1, 0, &[&[], &i64s(&[1])])),
        ),
        ("`id`", Box::new(|_, a| a[0].buffers[1].truncate(15))),
        ("values, and", Box::new(|_, a| a[0].len = u32::MAX)),
        (
            "`lines`",
            Box::new(|_, a| a[1].buffers[1] = i32s(&[0, 9, 9])),
        ),
        (
            "`lines`",
            Box::new(|_, a| a[1].buffers[1] = i32s(&[0, 2, 1])),
        ),
        (
            "`lines`",
            Box::new(|_, a| a[1].buffers[1] = i32s(&[-1, 2, 2])),
        ),
        (
            "`lines`: says 0 nulls",
            Box::new(|_, a| a[1].null_count = 0),
        ),
        (
            "`lines`: 1 nulls and no",
            Box::new(|_, a| a[1].buffers[0].clear()),
        ),
        (
            "`sku`",
            Box::new(|_, a| a[3].buffers[2] = b"a\xff\xfe".to_vec()),
        ),
        (
            "`sku`",
            Box::new(|_, a| a[3].buffers[2] = "aé".as_bytes()[..2].to_vec()),
        ),
        ("`sku`", Box::new(|_, a| a[3].buffers.truncate(2))),
        ("`sku`: its buffers", Box::new(|_, a| a[3].buffers.clear())),
        ("`n`", Box::new(|_, a| a[4].buffers.push(vec![0; 8]))),
        ("non-nullable child", Box::new(|f, _| f[4].nullable = false)),
        (
            "`at`: format",
            Box::new(|f, _| f[5].format = "tsm:Mars/Olympus".into()),
        ),
        (
            "`at`: format",
            Box::new(|f, _| f[5].format = "d:99,2".into()),
        ),
        ("`at`: format", Box::new(|f, _| f[5].format = "l\0".into())),
        ("`at`: format", Box::new(|f, _| f[5].format = "w:-1".into())),
        (
            "`at`: format",
            Box::new(|f, _| f[5].format = "+ud:0".into()),
        ),
        ("`lines`", Box::new(|f, _| f[1].children = 9)),
        (
            "`lines`: format `+l` has one child",
            Box::new(|f, _| f[1].children = 0),
        ),
        (
            "`id`: format \"l\" has no children",
            Box::new(|f, _| f[0].children = 1),
        ),
        (
            "a map's child",
            Box::new(|f, _| {
                f[1].format = "+m".into();
                f[3].nullable = true;
            }),
        ),
    ];
    for (i, (expected, lie)) in lies.into_iter().enumerate() {
        let (mut fields, mut arrays) = orders();
        lie(&mut fields, &mut arrays);
        let error =
            batch_of(fields, 2, arrays).expect_err(&format!("lie {i} ({expected}) was believed"));
        assert!(
            error.contains(expected),
            "lie {i}: expected {expected:?} in {error:?}"
        );
    }
}

#[test]
fn depth_and_size_are_bounded() {
    let deep: Vec<_> = (0..100).map(|_| field("x", "+s", false, 1)).collect();
    assert!(schema(deep).expect_err("too deep").contains("deep"));
    let wide: Vec<_> = (0..FIELDS_MAX + 1)
        .map(|_| field("x", "l", false, 0))
        .collect();
    assert!(schema(wide).expect_err("too wide").contains("fields"));
}

#[test]
fn unaligned_and_empty_batches_are_fine() {
    let empty = batch_of(
        vec![field("a", "u", true, 0)],
        0,
        vec![array(0, 0, &[&[], &[], &[]])],
    );
    assert_eq!(empty.expect("valid").num_rows(), 0);
    let no_columns = batch_of(vec![], 3, vec![]);
    assert_eq!(no_columns.expect("valid").num_rows(), 3);
}
