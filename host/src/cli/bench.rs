//! `weir bench`.

use clap::{Args, ValueEnum};
use indicatif::MultiProgress;
use serde_json::json;

use super::{CliError, log, show, wiring};
use crate::bench::{Measurement, consume, crossing, decode};

#[derive(Args)]
pub(super) struct BenchArgs {
    /// What to measure [default: all]
    what: Vec<What>,
    /// One JSON object a line, instead of a table
    #[arg(long)]
    json: bool,
    /// Brokers for `consume`, in place of the embedded one; a topic weir-bench-… is made there
    #[arg(long, value_name = "HOST:PORT")]
    bootstrap_servers: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Handing messages to a component: columns against a list of records
    Crossing,
    /// Avro to columns: the component against native decoders
    Decode,
    /// A topic to decoded rows, against a bare consumer loop
    Consume,
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
    if chosen(What::Consume) {
        print(
            &consume::run(&engine, args.bootstrap_servers.as_deref()).map_err(CliError::failed)?,
            args.json,
        );
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the command's answer")]
fn print(measured: &[Measurement], as_json: bool) {
    let ratio = |m: &Measurement| {
        let baseline = measured
            .iter()
            .find(|other| Some(&other.name) == m.baseline.as_ref())?;
        Some(baseline.ns_per_record / m.ns_per_record)
    };
    if !as_json {
        println!("{:58} {:>12} {:>14}  against", "", "ns/record", "records/s");
    }
    for m in measured {
        let ratio = ratio(m);
        if as_json {
            let mut line = json!({
                "name": m.name, "ns_per_record": m.ns_per_record, "records_per_s": m.records_per_s(),
            });
            if let Some(cpu) = m.cpu_ns_per_record {
                line["cpu_ns_per_record"] = cpu.into();
            }
            if let (Some(baseline), Some(ratio)) = (&m.baseline, ratio) {
                line["baseline"] = baseline.as_str().into();
                line["ratio"] = ratio.into();
            }
            println!("{line}");
            continue;
        }
        let cpu = m
            .cpu_ns_per_record
            .map_or(String::new(), |cpu| format!("  ({cpu:.0} ns CPU)"));
        let against = match (&m.baseline, ratio) {
            (Some(baseline), Some(ratio)) => {
                let short = baseline.rsplit('/').next().unwrap_or(baseline);
                format!("{ratio:.2}x as fast as {short}")
            }
            _ => String::new(),
        };
        println!(
            "{:58} {:>12.1} {:>14.0}  {against}{cpu}",
            m.name,
            m.ns_per_record,
            m.records_per_s()
        );
    }
    if !as_json {
        println!();
    }
}
