//! What a worker by itself answers to those who watch over it. It takes no work from here.

use super::health::{healthz, memory};
use crate::app::Caller;
use crate::metrics::Metrics;
use crate::serve::{ServeError, listen, stopped};
use crate::store::Store;
use crate::wire::ApiError;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::{Router, routing::get};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tokio::sync::watch;

/// A worker's `/healthz`, `/readyz` and `/metrics`.
#[derive(Debug)]
pub struct Watch {
    /// The record.
    pub store: Store,
    /// The worker's counts.
    pub metrics: Arc<Metrics>,
}

#[derive(Debug)]
struct Watched {
    watch: Watch,
    /// Whether there are keys, once there are.
    keyed: AtomicBool,
}

impl Watch {
    /// Listens on `address` until `stop` is true. `ready` hears the address.
    ///
    /// # Errors
    /// When it can't listen, or may not.
    pub async fn run(
        self,
        address: SocketAddr,
        stop: watch::Receiver<bool>,
        ready: impl FnOnce(SocketAddr),
    ) -> Result<(), ServeError> {
        let listener = listen(&self.store, address, ready).await?;
        let watched = Watched {
            watch: self,
            keyed: AtomicBool::new(false),
        };
        let router = Router::new()
            .route("/healthz", get(healthz))
            .route("/readyz", get(readyz))
            .route("/metrics", get(metrics))
            .with_state(Arc::new(watched));
        let served = axum::serve(listener, router).with_graceful_shutdown(stopped(stop));
        served.await.map_err(ServeError::Ended)
    }
}

impl FromRequestParts<Arc<Watched>> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, own: &Arc<Watched>) -> Result<Self, ApiError> {
        Self::admit(parts, &own.watch.store, &own.keyed).await
    }
}

async fn readyz(State(own): State<Arc<Watched>>) -> Result<&'static str, ApiError> {
    own.watch.store.ping().await?;
    Ok("ok\n")
}

async fn metrics(State(own): State<Arc<Watched>>, _caller: Caller) -> Result<String, ApiError> {
    let depth = own.watch.store.depth().await?;
    Ok(own.watch.metrics.page(depth, memory()))
}
