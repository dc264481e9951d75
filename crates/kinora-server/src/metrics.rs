//! What the server counts, for Prometheus.

use crate::render::{Progress, Stage};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

/// The counts of one server.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    jobs: Family<Word, Counter>,
    requests: Family<Answer, Counter>,
    stage_seconds: Family<Word, Counter<f64, AtomicU64>>,
    steps: Counter,
    queue: Gauge,
    queue_age: Gauge<f64, AtomicU64>,
    memory: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Word {
    kind: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answer {
    method: String,
    route: String,
    status: u16,
}

/// Tells how long each stage of a job takes.
#[derive(Debug)]
pub struct Stages<'a> {
    metrics: &'a Metrics,
    since: Instant,
    last: Option<Progress>,
}

impl Metrics {
    /// Counts from zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("kinora");
        let metrics = Self {
            jobs: Family::default(),
            requests: Family::default(),
            stage_seconds: Family::default(),
            steps: Counter::default(),
            queue: Gauge::default(),
            queue_age: Gauge::default(),
            memory: Gauge::default(),
            registry: Registry::default(),
        };
        registry.register("jobs", "Jobs that ended, by how", metrics.jobs.clone());
        registry.register("requests", "Answers", metrics.requests.clone());
        registry.register(
            "stage_seconds",
            "Seconds of work, by stage",
            metrics.stage_seconds.clone(),
        );
        registry.register("steps", "Sampler steps", metrics.steps.clone());
        registry.register("queue_jobs", "Jobs that wait", metrics.queue.clone());
        registry.register(
            "queue_age_seconds",
            "How long the oldest of them waits",
            metrics.queue_age.clone(),
        );
        registry.register(
            "memory_bytes",
            "Memory of this process",
            metrics.memory.clone(),
        );
        Self {
            registry,
            ..metrics
        }
    }

    pub(crate) fn job(&self, end: &str) {
        let kind = end.to_owned();
        self.jobs.get_or_create(&Word { kind }).inc();
    }

    pub(crate) fn answer(&self, method: &str, route: &str, status: u16) {
        let answer = Answer {
            method: method.to_owned(),
            route: route.to_owned(),
            status,
        };
        self.requests.get_or_create(&answer).inc();
    }

    pub(crate) fn stage(&self, stage: Stage, time: Duration) {
        let kind = match stage {
            Stage::Loading => "loading",
            Stage::Sampling => "sampling",
            Stage::Decoding => "decoding",
            Stage::Encoding => "encoding",
        };
        let kind = kind.to_owned();
        let seconds = self.stage_seconds.get_or_create(&Word { kind });
        seconds.inc_by(time.as_secs_f64());
    }

    pub(crate) fn stages(&self) -> Stages<'_> {
        Stages {
            metrics: self,
            since: Instant::now(),
            last: None,
        }
    }

    /// The page for Prometheus. `memory` is this process's, in bytes.
    pub(crate) fn page(&self, (waiting, age): (i64, Duration), memory: Option<u64>) -> String {
        self.queue.set(waiting);
        self.queue_age.set(age.as_secs_f64());
        if let Some(bytes) = memory {
            self.memory.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        }
        let mut page = String::new();
        encode(&mut page, &self.registry).expect("a string takes all");
        page
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Stages<'_> {
    /// Notes how far the work is.
    pub fn at(&mut self, now: Progress) {
        self.metrics.stage(now.stage, self.since.elapsed());
        if now.stage == Stage::Sampling {
            let before = self.last.filter(|last| last.stage == Stage::Sampling);
            let more = now.done.saturating_sub(before.map_or(0, |last| last.done));
            self.metrics.steps.inc_by(more.into());
        }
        self.since = Instant::now();
        self.last = Some(now);
    }
}
