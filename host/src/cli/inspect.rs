//! `weir plugin inspect`.

use indicatif::{HumanBytes, MultiProgress};
use serde_json::{Value, json};

use super::{CliError, log, wiring};
use crate::plugin::{Plugin, builtin_names, serializer_names};

pub(super) fn inspect(reference: &str, as_json: bool) -> Result<(), CliError> {
    log::start(&MultiProgress::new());
    // A file in the current directory is what the user of this command most likely means.
    let path = std::path::Path::new(reference);
    let engine = wiring::engine()?;
    if path.is_file() {
        let plugin = Plugin::load_file(&engine, path).map_err(CliError::config)?;
        show(&plugin, as_json);
        return Ok(());
    }
    let is_serializer = serializer_names().any(|name| name == reference);
    if !is_serializer || builtin_names().any(|name| name == reference) {
        show(
            &Plugin::load(&engine, reference).map_err(CliError::config)?,
            as_json,
        );
    }
    // A format that is read and written has one name for both.
    if is_serializer {
        let plugin = Plugin::load_serializer(&engine, reference).map_err(CliError::config)?;
        show(&plugin, as_json);
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the command's answer")]
fn show(plugin: &Plugin, as_json: bool) {
    let about = plugin.description();
    let schema: Value = serde_json::from_str(&about.options_schema).unwrap_or(Value::Null);
    if as_json {
        let facts = json!({
            "name": about.name,
            "version": about.version,
            "summary": about.summary,
            "kind": plugin.kind().to_string(),
            "world": plugin.kind().world(),
            "imports": plugin.imports(),
            "exports": plugin.exports(),
            "digest": format!("sha256:{}", plugin.digest()),
            "size": plugin.size(),
            "options": schema,
        });
        println!("{facts}");
        return;
    }
    println!("{} {}: {}", about.name, about.version, about.summary);
    println!("  kind     {}", plugin.kind());
    println!("  world    {}", plugin.kind().world());
    println!("  asks for {}", interfaces(&rights(plugin.imports())));
    println!("  exports  {}", interfaces(plugin.exports()));
    println!("  digest   sha256:{}", plugin.digest());
    println!("  size     {}", HumanBytes(plugin.size() as u64));
    print!("{}", options(&schema));
}

/// The imports that do something. The others are the types of the contract.
fn rights(imports: &[String]) -> Vec<String> {
    let types = ["types", "messages", "rows", "interception"]
        .map(|name| format!("weir:connector/{name}@0.1.0"));
    let mut imports = imports.to_vec();
    imports.retain(|name| !types.contains(name));
    imports
}

fn interfaces(names: &[String]) -> String {
    let short = |name: &String| {
        name.trim_start_matches("weir:connector/")
            .trim_end_matches("@0.1.0")
            .to_owned()
    };
    match names {
        [] => "nothing".into(),
        _ => names.iter().map(short).collect::<Vec<_>>().join(", "),
    }
}

/// The properties of an options schema, a line each.
fn options(schema: &Value) -> String {
    let Some(properties) = schema
        .get("properties")
        .and_then(Value::as_object)
        .filter(|p| !p.is_empty())
    else {
        return "  options  none\n".into();
    };
    let required = schema.get("required").and_then(Value::as_array);
    let mut text = "  options\n".to_owned();
    for (name, property) in properties {
        let is_required = required.is_some_and(|names| names.iter().any(|n| n == name));
        let kind = match property.get("type") {
            Some(Value::String(kind)) => kind.clone(),
            Some(kinds) => kinds.to_string(),
            None => "any".into(),
        };
        let default = property
            .get("default")
            .map(|d| format!(", default {d}"))
            .unwrap_or_default();
        let need = if is_required { ", required" } else { "" };
        let doc = property
            .get("description")
            .and_then(Value::as_str)
            .unwrap_or_default();
        text.push_str(&format!("    {name} ({kind}{need}{default})  {doc}\n"));
    }
    text
}
