//! `GET /metrics` over HTTP.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;

/// What Prometheus and OpenMetrics call the format.
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A port that is taken, and not served yet.
#[derive(Debug)]
pub struct Listener(TcpListener);

impl Listener {
    /// Takes a port; 0 for any that is free.
    ///
    /// # Errors
    /// The system's, when the address is not one of this machine, or the port is taken.
    pub fn bind(address: &str) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(Self(listener))
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The system's.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Answers until the process ends, on a thread of its own.
    ///
    /// # Errors
    /// The system's, when it has no thread to give.
    pub fn serve(self, registry: Registry) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()?;
        let registry = Arc::new(registry);
        let metrics = move || async move { answer(&registry) };
        let app = Router::new()
            .route("/metrics", get(metrics))
            .route("/", get(|| async { "weir: the figures are at /metrics\n" }));
        let run = async move {
            let listener = tokio::net::TcpListener::from_std(self.0)?;
            axum::serve(listener, app).await
        };
        std::thread::Builder::new()
            .name("weir-metrics".into())
            .spawn(move || {
                if let Err(error) = runtime.block_on(run) {
                    tracing::error!("metrics are not served any more: {error}");
                }
            })?;
        Ok(())
    }
}

fn answer(registry: &Registry) -> impl IntoResponse + use<> {
    let mut body = String::new();
    match text::encode(&mut body, registry) {
        Ok(()) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], body).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
