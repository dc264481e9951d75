//! Requests that are refused before their body's end. A server that closes the connection then lets the client's system
//! throw the answer away, so what is left of the body is read first, within bounds.

use axum::body::{Body, BodyDataStream, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, EXPECT};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::{Stream, StreamExt, stream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::timeout;

/// Most bytes that are read for nobody.
const MOST: usize = 64 << 20;
/// How long that may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A body that two hold: who reads the request, and who reads on if it is refused.
#[derive(Clone)]
struct Shared(Arc<Mutex<Begun>>);

struct Begun {
    body: BodyDataStream,
    begun: bool,
}

/// Reads a refused request to its end before the answer is sent.
pub(super) async fn read_on(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    if body.is_end_stream() {
        return next.run(Request::from_parts(parts, body)).await;
    }
    let length = parts.headers.get(CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let endless = length.is_some_and(|length| length > MOST as u64);
    // Who waits to hear whether the body is wanted hears the answer in its place.
    let waits = parts.headers.contains_key(EXPECT);
    let shared = Shared(Arc::new(Mutex::new(Begun {
        body: body.into_data_stream(),
        begun: false,
    })));
    let lent = Body::from_stream(shared.clone().stream());
    let response = next.run(Request::from_parts(parts, lent)).await;
    let refused = response.status().is_client_error() || response.status().is_server_error();
    if refused && !endless && (shared.begun() || !waits) {
        // That there is no end, or none in time, is the client's loss.
        let _ = timeout(PATIENCE, discard(shared.stream())).await;
    }
    response
}

async fn discard(mut rest: impl Stream<Item = Result<Bytes, axum::Error>> + Unpin) {
    let mut room = MOST;
    while let Some(Ok(bytes)) = rest.next().await {
        let Some(left) = room.checked_sub(bytes.len()) else {
            return;
        };
        room = left;
    }
}

impl Shared {
    fn begun(&self) -> bool {
        let begun = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        begun.begun
    }

    fn stream(self) -> impl Stream<Item = Result<Bytes, axum::Error>> + Unpin + Send + 'static {
        stream::poll_fn(move |context| {
            let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            shared.begun = true;
            shared.body.poll_next_unpin(context)
        })
    }
}
