//! The command line: what each command takes, and what it exits with.

mod bench;
mod check;
mod connect;
mod decode;
mod demo;
mod encode;
mod inspect;
mod keys;
mod log;
mod reload;
mod run;
mod show;
mod signals;
mod wiring;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

/// Exit codes, as the help lists them.
const EXIT_FAILED: u8 = 1;
const EXIT_CONFIG: u8 = 2;

const AFTER_HELP: &str = "\
Start here:
  weir demo                             real records through a sandboxed plug-in, no Kafka needed
  weir check orders.yaml                is this pipeline file right? Needs no network
  weir check --connect orders.yaml      and do brokers and registry let it do what it has to?
  weir run orders.yaml                  run it
  weir decode --plugin ./mine.wasm --lines samples.txt
                                        try a deserializer on a few payloads, no Kafka needed

A pipeline file can be as short as this:
  source:
    bootstrap.servers: localhost:9092
    topics: [orders]
  schema.registry.url: http://localhost:8081
  deserializer: avro

Exit codes:
  0    done, or stopped as asked
  1    it failed while it ran; what was delivered until then is committed. For check --connect:
       something that a run needs is not there or not allowed
  2    the command line, the pipeline file or a plug-in is not right
  130  ended by a second Ctrl-C or SIGTERM, without waiting for what was under way

Environment:
  WEIR_LOG        what to log: error, warn (the default), info, debug, or weir=debug,kafka=info
  WEIR_CACHE_DIR  where compiled plug-ins and schemas are kept, in place of the user's cache directory";

/// Kafka topics through sandboxed WebAssembly plug-ins, to rows, files and topics.
#[derive(Parser)]
#[command(name = "weir", version, after_help = AFTER_HELP, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a pipeline
    ///
    /// Reads Kafka in a consumer group, decodes in plug-ins, writes to the sink, and commits
    /// offsets once the sink has the rows. Ctrl-C or SIGTERM deliver what is under way,
    /// commit it, and end; a second one ends at once.
    Run(RunArgs),
    /// Check a pipeline file, without any network
    ///
    /// Shows every mistake with file, line and the nearest valid name, loads the plug-ins and
    /// lets them check their options. With --connect it also asks brokers and registry.
    Check(CheckArgs),
    /// List the keys of pipeline files
    ///
    /// With what they take and their defaults; as a table, Markdown, JSON, or a JSON Schema for
    /// editors.
    Keys(keys::KeysArgs),
    /// Put payloads through a deserializer, without Kafka
    ///
    /// Rows go to standard output as JSON lines, faults to standard error. Exits with 1 when a
    /// payload could not be decoded.
    Decode(decode::DecodeArgs),
    /// Put rows through a serializer, without Kafka
    ///
    /// Payloads go to standard output, each in hexadecimal on a line, faults to standard error.
    /// Exits with 1 when a row could not be encoded.
    Encode(encode::EncodeArgs),
    /// Look at plug-ins
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Watch real records flow through a plug-in; needs neither Kafka nor Java nor a network
    ///
    /// Starts a broker inside this process, publishes a week of earthquakes as Avro, and runs
    /// examples/earthquakes/pipeline.yaml on it. Ends by itself.
    Demo(demo::DemoArgs),
    /// Measure weir on this machine
    ///
    /// Both sides of each comparison run in turns, on the same data; the fastest of several rounds
    /// counts. Meant for release builds on a quiet machine.
    Bench(bench::BenchArgs),
}

#[derive(Args)]
struct RunArgs {
    /// The pipeline file
    file: PathBuf,
    /// Threads that decode [default: one for each core, at most 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: Option<u16>,
}

#[derive(Args)]
struct CheckArgs {
    /// The pipeline file
    file: PathBuf,
    /// Print every property that librdkafka gets, and why it has its value
    #[arg(long)]
    explain: bool,
    /// Go on to the brokers and the schema registry: does a run get in, may it do all that it
    /// has to, what would it read from where to where? Joins no group, and writes nothing
    #[arg(long)]
    connect: bool,
    /// How long --connect may take, in seconds
    #[arg(long, value_name = "S", default_value_t = 30, requires = "connect",
          value_parser = clap::value_parser!(u16).range(1..=3600))]
    timeout: u16,
}

#[derive(Subcommand)]
enum PluginCommand {
    /// Show what a plug-in is, asks for and takes as options
    Inspect {
        /// A .wasm file, or the name of a built-in plug-in
        plugin: String,
        /// One JSON object instead of text
        #[arg(long)]
        json: bool,
    },
}

/// Why a command ends, and with which exit code.
enum CliError {
    /// The command line, the pipeline file or a plug-in is not right.
    Config(String),
    /// It failed while it ran.
    Failed(String),
}

impl CliError {
    fn config(error: impl std::fmt::Display) -> Self {
        CliError::Config(error.to_string())
    }

    fn failed(error: impl std::fmt::Display) -> Self {
        CliError::Failed(error.to_string())
    }
}

/// Runs the command that the process was started with.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        Command::Run(args) => run::run(&args.file, args.workers.map(usize::from)),
        Command::Check(args) => check::check(&args),
        Command::Keys(args) => keys::keys(&args),
        Command::Decode(args) => decode::decode(&args),
        Command::Encode(args) => encode::encode(&args),
        Command::Plugin(PluginCommand::Inspect { plugin, json }) => inspect::inspect(&plugin, json),
        Command::Demo(args) => demo::demo(&args),
        Command::Bench(args) => bench::bench(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let (text, code) = match error {
                CliError::Config(text) => (text, EXIT_CONFIG),
                CliError::Failed(text) => (text, EXIT_FAILED),
            };
            show::error(&text);
            ExitCode::from(code)
        }
    }
}
