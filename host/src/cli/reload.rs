//! Files that change while a pipeline runs: certificates and secrets are looked at every
//! second, the pipeline file's rate limits when SIGHUP says so.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;

use super::{show, wiring};
use crate::config::{
    ClientProperties, Identity, PipelineConfig, RateLimit, RegistryConfig, SchemasConfig,
    SinkConfig,
};
use crate::kafka::{Renewal, try_connection};
use crate::pipeline::{RateLimits, Running};
use crate::schemas::SchemaSource;

/// How often files are looked at. What changed has to be the same twice.
const LOOK: Duration = Duration::from_secs(1);
/// How long a connection with what is new may take.
const TRY_WITHIN: Duration = Duration::from_secs(10);
/// How long to wait before something that did not work is tried again. It doubles each time:
/// whoever shows a wrong password too often may be locked out.
const TRY_AGAIN: Duration = Duration::from_secs(5);
/// How far that doubling goes.
const TRY_AGAIN_MAX: Duration = Duration::from_secs(300);

/// Watches from now on, on a thread of its own; what is returned is for SIGHUP.
pub(super) fn watch(
    file: &Path,
    config: &PipelineConfig,
    running: &Running,
) -> std::io::Result<impl FnMut() + Send + use<>> {
    let renewals = running.renewals();
    let mut clients = vec![WatchedClient::new(
        "the source",
        &config.source.client,
        renewals.source,
    )];
    if let SinkConfig::Kafka(sink) = &config.sink {
        clients.push(WatchedClient::new("the sink", &sink.client, renewals.sink));
    }
    let mut reload = Reload {
        path: file.to_owned(),
        text: again(file),
        limits: limits(config),
        rate_limits: running.rate_limits(),
        clients,
        registry: Watched::new(
            "the client of the schema registry",
            registry(config).map(Identity::of_registry),
        ),
        schemas: running.schemas(),
        complaint: None,
    };
    let (hang_up, hung_up) = mpsc::channel();
    std::thread::Builder::new()
        .name("weir-reload".into())
        .spawn(move || {
            loop {
                match hung_up.recv_timeout(LOOK) {
                    Ok(()) => reload.everything(),
                    Err(RecvTimeoutError::Timeout) => reload.look(Instant::now()),
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        })?;
    Ok(move || {
        // The thread ends with the process only.
        let _ = hang_up.send(());
    })
}

fn limits(config: &PipelineConfig) -> [RateLimit; 2] {
    [config.source.rate_limit, config.rate_limit]
}

fn registry(config: &PipelineConfig) -> Option<&RegistryConfig> {
    match &config.schemas {
        SchemasConfig::Registry(registry) => Some(registry),
        SchemasConfig::None | SchemasConfig::Files(_) => None,
    }
}

/// The text of a pipeline file; nothing of one that can be read once only.
fn again(file: &Path) -> String {
    if file.is_file() {
        fs::read_to_string(file).unwrap_or_default()
    } else {
        String::new()
    }
}

struct Reload {
    path: PathBuf,
    /// The pipeline file as it was when it was last taken; empty if it is no file, such as a
    /// shell's `<(…)`.
    text: String,
    /// Of the source and of the sink.
    limits: [RateLimit; 2],
    rate_limits: RateLimits,
    clients: Vec<WatchedClient>,
    /// The registry's client, where there is a registry.
    registry: Watched,
    schemas: Arc<dyn SchemaSource>,
    /// What was wrong with the files, and whether it was told: the first time, somebody may
    /// be at writing them.
    complaint: Option<(String, bool)>,
}

/// Something new that did not work.
struct Refused {
    identity: Identity,
    /// When to try it again.
    again: Instant,
    /// How long that is from the last time.
    pause: Duration,
}

/// Somebody who proves who it is, and what it has of its files.
struct Watched {
    whose: &'static str,
    /// `None` when files could not be read at the start.
    has: Option<Identity>,
    /// What was there at the last look, where that is something new.
    candidate: Option<Identity>,
    refused: Option<Refused>,
}

/// One Kafka client.
struct WatchedClient {
    watched: Watched,
    client: ClientProperties,
    renewals: Sender<Renewal>,
}

impl Reload {
    /// On SIGHUP: the pipeline file, and all that it names.
    fn everything(&mut self) {
        let path = self.path.display();
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) => return show::error(&format!("{path}: {error}")),
        };
        let config = match PipelineConfig::parse(&text, &self.path, &wiring::env) {
            Ok(config) => config,
            Err(errors) => return show::error(&errors.to_string()),
        };
        self.text = text;
        if limits(&config) == self.limits {
            show::note(&format!(
                "{path}: its rate limits are as before; anything else in it but certificates and \
                 secrets takes a new start"
            ));
        } else {
            self.limits = limits(&config);
            show::note(&format!("{path}: took its rate limits"));
            self.rate_limits.set(&config);
        }
        self.take(&config, Instant::now(), true);
    }

    fn look(&mut self, now: Instant) {
        if self.text.is_empty() {
            return;
        }
        match PipelineConfig::parse(&self.text, &self.path, &wiring::env) {
            Ok(config) => self.take(&config, now, false),
            Err(errors) => self.complain(errors.to_string()),
        }
    }

    fn take(&mut self, config: &PipelineConfig, now: Instant, at_once: bool) {
        let sink = match &config.sink {
            SinkConfig::Kafka(sink) => Some(&sink.client),
            SinkConfig::Stdout | SinkConfig::File(_) => None,
        };
        let new = [Some(&config.source.client), sink].into_iter().flatten();
        let mut wrong = None;
        for (watched, new) in self.clients.iter_mut().zip(new) {
            if let Err(error) = watched.look(new, now, at_once) {
                wrong.get_or_insert(error);
            }
        }
        if let Some(new) = registry(config) {
            let schemas = &self.schemas;
            let accept = |_: &Identity, _: &[String]| schemas.renew(new).map(Some);
            let identity = Identity::of_registry(new);
            if let Err(error) = self.registry.look(identity, now, at_once, accept) {
                wrong.get_or_insert(error);
            }
        }
        match wrong {
            None => self.complaint = None,
            Some(wrong) => self.complain(wrong),
        }
    }

    /// Once for each thing that is wrong, and not for what passes by itself.
    fn complain(&mut self, wrong: String) {
        let told = match &self.complaint {
            Some((known, told)) if *known == wrong => {
                if !told {
                    show::error(&wrong);
                }
                true
            }
            _ => false,
        };
        self.complaint = Some((wrong, told));
    }
}

impl WatchedClient {
    fn new(whose: &'static str, client: &ClientProperties, renewals: Sender<Renewal>) -> Self {
        Self {
            watched: Watched::new(whose, Identity::of(client).ok()),
            client: client.clone(),
            renewals,
        }
    }

    /// As [`Watched::look`]; brokers have to accept it.
    fn look(&mut self, new: &ClientProperties, now: Instant, at_once: bool) -> Result<(), String> {
        let mut client = self.client.clone();
        client.take_security_of(new);
        let accept = |identity: &Identity, changed: &[String]| {
            try_connection(&client, Instant::now() + TRY_WITHIN)?;
            // Somebody may have gone on writing meanwhile: then what was tried is not what is there.
            Ok((Identity::of(new).as_ref() == Ok(identity))
                .then(|| Renewal::of(changed, client.clone())))
        };
        let renewal = self
            .watched
            .look(Identity::of(new)?, now, at_once, accept)?;
        if let Some(renewal) = renewal {
            // It may have ended meanwhile.
            let _ = self.renewals.send(renewal);
            self.client = client;
        }
        Ok(())
    }
}

impl Watched {
    fn new(whose: &'static str, has: Option<Identity>) -> Self {
        Self {
            whose,
            has,
            candidate: None,
            refused: None,
        }
    }

    /// Takes what is new once it has settled and is accepted: `accept` says why not, `None` when
    /// it is not there any more, and what is made of it. The error says what is wrong with it; the
    /// client goes on with what it has.
    fn look<T>(
        &mut self,
        identity: Identity,
        now: Instant,
        at_once: bool,
        accept: impl FnOnce(&Identity, &[String]) -> Result<Option<T>, String>,
    ) -> Result<Option<T>, String> {
        let Some(has) = &self.has else {
            self.has = Some(identity);
            return Ok(None);
        };
        let changed = identity.changed_since(has);
        if changed.is_empty() {
            (self.candidate, self.refused) = (None, None);
            return Ok(None);
        }
        let is_settled = at_once || self.candidate.as_ref() == Some(&identity);
        self.candidate = Some(identity.clone());
        if !is_settled {
            return Ok(None);
        }
        let known = self
            .refused
            .take()
            .filter(|refused| refused.identity == identity);
        if let Some(refused) = &known
            && now < refused.again
            && !at_once
        {
            self.refused = known;
            return Ok(None);
        }
        match accept(&identity, &changed) {
            Err(why) => {
                let pause = match &known {
                    Some(refused) => (refused.pause * 2).min(TRY_AGAIN_MAX),
                    None => {
                        show::error(&format!(
                            "new {} not taken, {} goes on with the old: {why}",
                            changed.join(", "),
                            self.whose
                        ));
                        TRY_AGAIN
                    }
                };
                self.refused = Some(Refused {
                    identity,
                    again: Instant::now() + pause,
                    pause,
                });
                Ok(None)
            }
            Ok(None) => Ok(None),
            Ok(Some(taken)) => {
                show::note(&format!("{} takes new {}", self.whose, changed.join(", ")));
                self.has = Some(identity);
                (self.candidate, self.refused) = (None, None);
                Ok(Some(taken))
            }
        }
    }
}
