//! `weir bench`.

use clap::{Args, ValueEnum};
use indicatif::MultiProgress;
use serde_json::json;

use super::{CliError, log, show, wiring};
use crate::bench::{Measurement, consume, crossing, decode, encode, event_time, memory, profiles};

#[derive(Args)]
pub(super) struct BenchArgs {
    /// What to measure [default: all but profiles]
    what: Vec<What>,
    /// One JSON object a line, instead of a table
    #[arg(long)]
    json: bool,
    /// Brokers for `consume` and `profiles`, in place of the embedded one; topics weir-bench-… are
    /// made there
    #[arg(long, value_name = "HOST:PORT")]
    bootstrap_servers: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Handing messages to a component: columns against a list of records
    Crossing,
    /// Avro, Protobuf and JSON to columns: the components against native decoders
    Decode,
    /// Columns to Avro, Protobuf and JSON: the components against native row encoders
    Encode,
    /// Memory of each built-in deserializer that has 100 schemas in use
    Memory,
    /// A topic to decoded rows, against a bare consumer loop
    Consume,
    /// Looking at event times, and keeping the watermark of many partitions
    EventTime,
    /// Reading and writing 100 B and 1 kB on 1, 8 and 64 partitions in each profile, against a bare
    /// consumer and producer: takes minutes
    Profiles,
}

pub(super) fn bench(args: &BenchArgs) -> Result<(), CliError> {
    log::start(&MultiProgress::new());
    if cfg!(debug_assertions) {
        show::note("this is a debug build: the figures say little. Build with --release");
    }
    let engine = wiring::engine()?;
    let chosen = |what| args.what.is_empty() || args.what.contains(&what);
    if chosen(What::Crossing) {
        print(
            &crossing::run(&engine).map_err(CliError::failed)?,
            args.json,
        );
    }
    if chosen(What::Decode) {
        print(&decode::run(&engine).map_err(CliError::failed)?, args.json);
    }
    if chosen(What::Encode) {
        print(&encode::run(&engine).map_err(CliError::failed)?, args.json);
    }
    if chosen(What::Memory) {
        print_memory(&memory::run(&engine).map_err(CliError::failed)?, args.json);
    }
    if chosen(What::EventTime) {
        print(&event_time::run().map_err(CliError::failed)?, args.json);
    }
    if chosen(What::Consume) {
        print(
            &consume::run(&engine, args.bootstrap_servers.as_deref()).map_err(CliError::failed)?,
            args.json,
        );
    }
    if args.what.contains(&What::Profiles) {
        let brokers = args.bootstrap_servers.as_deref();
        profiles::run(&engine, brokers, |measured| print(&measured, args.json))
            .map_err(CliError::failed)?;
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the command's answer")]
fn print(measured: &[Measurement], as_json: bool) {
    if !as_json {
        println!("{:50} {:>10} {:>14}", "", "ns/record", "records/s");
    }
    for m in measured {
        let compared: Vec<(&str, f64)> = m
            .baselines
            .iter()
            .filter_map(|name| compare(measured, m, name))
            .collect();
        if as_json {
            print_json(m, &compared);
            continue;
        }
        let mut line = format!(
            "{:50} {:>10.1} {:>14.0}",
            m.name,
            m.ns_per_record,
            m.records_per_s()
        );
        for (name, ratio) in compared {
            let short = name.rsplit('/').next().unwrap_or(name);
            line.push_str(&format!("  {ratio:.2}x {short}"));
        }
        if let Some(cpu) = m.cpu_ns_per_record {
            line.push_str(&format!("  ({cpu:.0} ns CPU)"));
        }
        println!("{line}");
    }
    if !as_json {
        println!();
    }
}

#[expect(clippy::print_stdout, reason = "the command's answer")]
fn print_memory(measured: &[memory::Memory], as_json: bool) {
    if as_json {
        for m in measured {
            let line = json!({
                "name": m.name, "schemas": m.schemas, "opened_bytes": m.opened, "used_bytes": m.used,
                "process_bytes": m.process,
            });
            println!("{line}");
        }
        return;
    }
    let mib = |bytes: i64| {
        let kib = i32::try_from(bytes / 1024).unwrap_or(i32::MAX);
        format!("{:.2}", f64::from(kib) / 1024.0)
    };
    let of = |bytes: usize| mib(i64::try_from(bytes).unwrap_or(i64::MAX));
    println!(
        "{:30} {:>8} {:>12} {:>12} {:>14}",
        "", "schemas", "opened, MiB", "in use, MiB", "process, MiB"
    );
    for m in measured {
        let process = m.process.map_or_else(|| "?".to_owned(), mib);
        println!(
            "{:30} {:>8} {:>12} {:>12} {process:>14}",
            m.name,
            m.schemas,
            of(m.opened),
            of(m.used)
        );
    }
    println!();
}

/// How many times as fast as another one it is.
fn compare<'a>(measured: &'a [Measurement], m: &Measurement, name: &str) -> Option<(&'a str, f64)> {
    let other = measured.iter().find(|other| other.name == name)?;
    Some((&other.name, other.ns_per_record / m.ns_per_record))
}

/// One line; one for each baseline where there are several.
#[expect(clippy::print_stdout, reason = "the command's answer")]
fn print_json(m: &Measurement, compared: &[(&str, f64)]) {
    let mut line = json!({
        "name": m.name, "ns_per_record": m.ns_per_record, "records_per_s": m.records_per_s(),
    });
    if let Some(cpu) = m.cpu_ns_per_record {
        line["cpu_ns_per_record"] = cpu.into();
    }
    for (baseline, ratio) in compared {
        line["baseline"] = (*baseline).into();
        line["ratio"] = (*ratio).into();
        println!("{line}");
    }
    if compared.is_empty() {
        println!("{line}");
    }
}
