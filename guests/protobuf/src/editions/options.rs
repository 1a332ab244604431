//! Features in options as a parser leaves them, with names and values that nobody looked at.

use prost_reflect::{DynamicMessage, Value};

use super::text::members;
use super::{set, text_of};

/// Makes of each option of features in a file, `features = { enum_type: CLOSED }`, those that it
/// stands for, `features.enum_type = CLOSED`, since prost-reflect reads no text format here. Removes
/// those that say nothing about messages and that nobody needs to know: `features.(pb.go).api_level`,
/// whose file need not be there, and `features.enforce_naming_style`.
pub(super) fn plain(message: &mut DynamicMessage) {
    for (field, value) in message.fields_mut() {
        let are_options = field.name() == "uninterpreted_option";
        match value {
            Value::List(items) if are_options => {
                let all = std::mem::take(items).into_iter();
                items.extend(all.flat_map(|option| match option {
                    Value::Message(option) => plain_option(option),
                    other => vec![other],
                }));
            }
            Value::List(items) => {
                let below = items.iter_mut().filter_map(Value::as_message_mut);
                below.for_each(plain);
            }
            Value::Message(below) => plain(below),
            _ => {}
        }
    }
}

fn plain_option(option: DynamicMessage) -> Vec<Value> {
    let name = name_of(&option);
    let [(first, false), rest @ ..] = &name[..] else {
        return vec![Value::Message(option)];
    };
    match rest {
        _ if first != "features" => vec![Value::Message(option)],
        [] => {
            let text = text_of(&option, "aggregate_value").unwrap_or_default();
            let members = members(&text).into_iter();
            let members = members.filter(|(name, _)| matters(name, false));
            members
                .map(|(name, value)| Value::Message(feature(&option, name, value)))
                .collect()
        }
        [(name, extension), ..] => {
            let kept = matters(name, *extension);
            kept.then_some(Value::Message(option)).into_iter().collect()
        }
    }
}

fn matters(name: &str, is_extension: bool) -> bool {
    !is_extension && !matches!(name, "enforce_naming_style" | "default_symbol_visibility")
}

/// The parts of an option's name, and which of them are extensions.
fn name_of(option: &DynamicMessage) -> Vec<(String, bool)> {
    let name = option.get_field_by_name("name");
    let parts = name.as_deref().and_then(Value::as_list).unwrap_or_default();
    let parts = parts.iter().filter_map(Value::as_message).map(|part| {
        let name = text_of(part, "name_part").unwrap_or_default();
        let extension = part.get_field_by_name("is_extension");
        let extension = extension.and_then(|it| it.as_bool()).unwrap_or_default();
        (name, extension)
    });
    parts.collect()
}

/// The option `features.name = value` in place of one that has several.
fn feature(option: &DynamicMessage, name: &str, value: &str) -> DynamicMessage {
    let mut feature = option.clone();
    feature.clear_field_by_name("aggregate_value");
    let value = Value::String(value.to_owned());
    set(&mut feature, &["identifier_value"], value);
    if let Some(Value::List(parts)) = feature.get_field_by_name_mut("name")
        && let Some(Value::Message(first)) = parts.first().cloned()
    {
        let mut second = first;
        set(&mut second, &["name_part"], Value::String(name.to_owned()));
        parts.push(Value::Message(second));
    }
    feature
}
