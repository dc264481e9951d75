//! The running server: the listener, its worker, and what is done from time to time.

use crate::app::{App, Settings};
use crate::assets::Assets;
use crate::http::router;
use crate::metrics::Metrics;
use crate::render::Renderer;
use crate::store::Store;
use crate::webhooks::Teller;
use crate::worker::Worker;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::time::sleep;

/// How often expired videos are looked for.
const SWEEP: Duration = Duration::from_secs(30);

/// What a server is made of.
pub struct Server {
    /// The record.
    pub store: Store,
    /// The files.
    pub assets: Assets,
    /// What makes clips.
    pub renderer: Arc<dyn Renderer>,
    /// The operator's wishes.
    pub settings: Settings,
    /// How long results are kept; `None` is until they are deleted.
    pub keep: Option<Duration>,
    /// How long a job may go on once the server is to stop.
    pub grace: Duration,
    /// The name of its worker, of no other worker; `None` leaves the work to others.
    pub worker: Option<String>,
    /// The least priority of its worker's jobs; `None` is any.
    pub min_priority: Option<i64>,
}

/// Why a server can't run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is taken or not this machine's.
    #[error("can't listen on {address}: {source}; name another address")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// Others may reach it, and it has no keys.
    #[error(
        "{0} can be reached from other machines, and there is no API key; make one with `kinora keys add`, or listen on 127.0.0.1"
    )]
    Open(SocketAddr),
    /// The record fails.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    /// The listener fails.
    #[error("the server ended: {0}")]
    Ended(io::Error),
}

impl Server {
    /// Listens on `address` and serves until `stop` is true; then answers what was asked, and ends or hands back the job
    /// at hand. `ready` hears the address.
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
        let (wake, metrics) = (Arc::new(Notify::new()), Arc::new(Metrics::new()));
        let ended = Arc::new(Notify::new());
        let worker = self.worker.map(|name| Worker {
            store: self.store.clone(),
            assets: self.assets.clone(),
            renderer: Arc::clone(&self.renderer),
            name,
            models: names(self.renderer.as_ref()),
            min_priority: self.min_priority,
            keep: self.keep,
            grace: self.grace,
            wake: Arc::clone(&wake),
            ended: Arc::clone(&ended),
            metrics: Arc::clone(&metrics),
        });
        let worker = worker.map(|worker| tokio::spawn(worker.run(stop.clone())));
        let sweeper = tokio::spawn(sweep(self.store.clone(), self.assets.clone(), stop.clone()));
        let teller = Teller {
            store: self.store.clone(),
            reach: self.settings.reach,
            wake: ended,
        };
        let teller = tokio::spawn(teller.run(stop.clone()));
        let app = App::new(
            (self.store, self.assets),
            self.renderer,
            self.settings,
            (wake, metrics),
            stop.clone(),
        );
        let app = Arc::new(app);
        let batches = tokio::spawn(crate::batches::run(Arc::clone(&app)));
        let served = axum::serve(listener, router(app))
            .with_graceful_shutdown(stopped(stop))
            .await;
        if let Some(worker) = worker
            && let Err(error) = worker.await
        {
            tracing::error!(%error, "the worker broke off");
        }
        sweeper.abort();
        teller.abort();
        batches.abort();
        served.map_err(ServeError::Ended)
    }
}

/// Listens on `address`, if its callers can be told apart or are all of this machine. `ready` hears the address.
pub(crate) async fn listen(
    store: &Store,
    address: SocketAddr,
    ready: impl FnOnce(SocketAddr),
) -> Result<TcpListener, ServeError> {
    if !address.ip().is_loopback() && !store.has_keys().await? {
        return Err(ServeError::Open(address));
    }
    let failed = |source| ServeError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    ready(listener.local_addr().map_err(failed)?);
    Ok(listener)
}

/// The names of a renderer's models.
pub(crate) fn names(renderer: &dyn Renderer) -> Vec<String> {
    let cards = renderer.models();
    cards.into_iter().map(|card| card.name).collect()
}

pub(crate) async fn stopped(mut stop: watch::Receiver<bool>) {
    // Without a sender, nobody will ask for the end, and that is an end too.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Removes what has expired, now and then.
async fn sweep(store: Store, assets: Assets, stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        match store.expire().await {
            Ok(gone) => {
                for id in gone {
                    if let Err(error) = assets.remove(&id).await {
                        tracing::warn!(%error, video = id, "files of an expired video are left");
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "expired videos can't be looked for"),
        }
        sleep(SWEEP).await;
    }
}
