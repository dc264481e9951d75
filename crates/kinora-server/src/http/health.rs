//! For those who watch over the server.

use super::Refusals;
use crate::app::{App, Caller};
use crate::wire::ApiError;
use axum::extract::State;
use std::sync::Arc;
use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System};

/// Whether the server runs
#[utoipa::path(get, path = "/healthz", tag = "operation", responses((status = 200, body = String)))]
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether it can take requests
#[utoipa::path(get, path = "/readyz", tag = "operation", responses((status = 200, body = String), Refusals))]
pub(super) async fn readyz(State(app): State<Arc<App>>) -> Result<&'static str, ApiError> {
    if *app.stop.borrow() {
        return Err(ApiError::unavailable("the server is stopping"));
    }
    app.store.ping().await?;
    Ok("ok\n")
}

/// Counts, for Prometheus
#[utoipa::path(get, path = "/metrics", tag = "operation", responses((status = 200, body = String), Refusals))]
pub(super) async fn metrics(
    State(app): State<Arc<App>>,
    _caller: Caller,
) -> Result<String, ApiError> {
    let depth = app.store.depth().await?;
    Ok(app.metrics.page(depth, memory()))
}

/// Bytes of memory that this process holds.
pub(super) fn memory() -> Option<u64> {
    let own = sysinfo::get_current_pid().ok()?;
    let mut system = System::new();
    let memory = ProcessRefreshKind::nothing().with_memory();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[own]), true, memory);
    Some(system.process(own)?.memory())
}
