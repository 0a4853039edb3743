//! Counters and measurements of the server, in the text format of Prometheus (`OpenMetrics` 1.0).

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use tokio::time::Instant;

use crate::memory::Memory;
use crate::stages::Stages;
use crate::{Error, Shared};

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    method: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StageLabels {
    stage: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LookupLabels {
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MemoryLabels {
    share: &'static str,
}

/// The metrics of one server.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    seconds: Family<RouteLabels, Histogram>,
    stages: Family<StageLabels, Histogram>,
    batches: Histogram,
    cache: Family<LookupLabels, Counter>,
    free_permits: Gauge,
    in_work: Gauge,
    memory: Family<MemoryLabels, Gauge>,
}

/// A histogram of seconds: from half a millisecond to half a minute.
fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.0005, 2.0, 17))
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("showtell"),
            requests: Family::default(),
            seconds: Family::new_with_constructor(seconds),
            stages: Family::new_with_constructor(seconds),
            batches: Histogram::new(exponential_buckets(1.0, 2.0, 7)),
            cache: Family::default(),
            free_permits: Gauge::default(),
            in_work: Gauge::default(),
            memory: Family::default(),
        };
        let registry = &mut metrics.registry;
        registry.register("requests", "Answered requests", metrics.requests.clone());
        registry.register(
            "request_seconds",
            "Time from request to response",
            metrics.seconds.clone(),
        );
        registry.register(
            "stage_seconds",
            "Parts of the work on a photo: queue, decode, encode, search",
            metrics.stages.clone(),
        );
        registry.register("batch_photos", "Photos encoded at once", metrics.batches.clone());
        registry.register(
            "cache_lookups",
            "Photos whose captions were cached (hit) or not (miss)",
            metrics.cache.clone(),
        );
        registry.register("free_places", "Free permits of --queue", metrics.free_permits.clone());
        registry.register(
            "photos_in_work",
            "Photos that are queued or in work",
            metrics.in_work.clone(),
        );
        registry.register(
            "memory_taken_bytes",
            "Reserved bytes of --memory: uploads, decoding",
            metrics.memory.clone(),
        );
        metrics
    }

    /// Counts a photo that was captioned by the model.
    pub(crate) fn count_captioned(&self, stages: &Stages) {
        self.cache.get_or_create(&LookupLabels { result: "miss" }).inc();
        for (stage, duration) in stages.named() {
            self.stages.get_or_create(&StageLabels { stage }).observe(duration.as_secs_f64());
        }
    }

    /// Counts a photo whose captions were cached.
    pub(crate) fn count_cached(&self) {
        self.cache.get_or_create(&LookupLabels { result: "hit" }).inc();
    }

    /// Records the size of a batch.
    pub(crate) fn record_batch(&self, photos: usize) {
        self.batches.observe(photos as f64);
    }

    /// Sets the free and the used queue permits.
    pub(crate) fn set_queue(&self, free: usize, total: usize) {
        self.free_permits.set(free as i64);
        self.in_work.set(total.saturating_sub(free) as i64);
    }

    /// Sets the reserved bytes of each share.
    pub(crate) fn set_memory(&self, memory: &Memory) {
        for (name, share) in [("uploads", &memory.uploads), ("decoding", &memory.decoding)] {
            let reserved = share.total().bytes().saturating_sub(share.free().bytes());
            self.memory.get_or_create(&MemoryLabels { share: name }).set(reserved as i64);
        }
    }

    fn count_request(&self, request: &RequestLabels, duration: Duration) {
        let route = RouteLabels { route: request.route.clone() };
        self.seconds.get_or_create(&route).observe(duration.as_secs_f64());
        self.requests.get_or_create(request).inc();
    }
}

/// Counts and times a request by its route. All unknown paths are one route, so that clients cannot create new labels.
pub(crate) async fn measure(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    let start = Instant::now();
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or("none", MatchedPath::as_str).to_owned();
    let method = known_method(request.method()).to_owned();
    let response = next.run(request).await;
    let status = response.status().as_u16();
    let labels = RequestLabels { route, method, status };
    shared.backend.metrics.count_request(&labels, start.elapsed());
    response
}

fn known_method(method: &axum::http::Method) -> &str {
    match method.as_str() {
        known @ ("GET" | "HEAD" | "POST" | "OPTIONS") => known,
        _ => "other",
    }
}

/// `GET /metrics`.
pub(crate) async fn show(State(shared): State<Arc<Shared>>) -> Result<Response, Error> {
    let backend = &shared.backend;
    backend.metrics.set_queue(backend.free_permits(), shared.options.queue);
    backend.metrics.set_memory(&backend.memory);
    let mut page = String::new();
    text::encode(&mut page, &backend.metrics.registry).map_err(|_| Error::Server)?;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], page).into_response())
}
