//! What the server counts and measures, in the text format of Prometheus (`OpenMetrics` 1.0).

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
struct Asked {
    route: String,
    method: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Stage {
    stage: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Lookup {
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MemoryShare {
    share: &'static str,
}

/// The metrics of one server.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Asked, Counter>,
    seconds: Family<Route, Histogram>,
    stages: Family<Stage, Histogram>,
    batches: Histogram,
    cache: Family<Lookup, Counter>,
    places: Gauge,
    in_work: Gauge,
    memory: Family<MemoryShare, Gauge>,
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
            places: Gauge::default(),
            in_work: Gauge::default(),
            memory: Family::default(),
        };
        let registry = &mut metrics.registry;
        registry.register("requests", "Answered requests", metrics.requests.clone());
        registry.register("request_seconds", "From request to answer", metrics.seconds.clone());
        registry.register(
            "stage_seconds",
            "Parts of the work on a photo: queue, decode, encode, search",
            metrics.stages.clone(),
        );
        registry.register("batch_photos", "Photos encoded at once", metrics.batches.clone());
        registry.register(
            "cache_lookups",
            "Photos that were known (hit) and that were not (miss)",
            metrics.cache.clone(),
        );
        registry.register("free_places", "Photos that could be taken in", metrics.places.clone());
        registry.register(
            "photos_in_work",
            "Photos that wait or are worked on",
            metrics.in_work.clone(),
        );
        registry.register(
            "memory_taken_bytes",
            "What photos take of --memory: uploads, decoding",
            metrics.memory.clone(),
        );
        metrics
    }

    /// A photo was worked on.
    pub(crate) fn worked(&self, stages: &Stages) {
        self.cache.get_or_create(&Lookup { result: "miss" }).inc();
        for (stage, took) in stages.named() {
            self.stages.get_or_create(&Stage { stage }).observe(took.as_secs_f64());
        }
    }

    /// A photo was known.
    pub(crate) fn known(&self) {
        self.cache.get_or_create(&Lookup { result: "hit" }).inc();
    }

    /// So many photos are encoded at once.
    pub(crate) fn batch(&self, photos: usize) {
        self.batches.observe(photos as f64);
    }

    /// So many places are free, of so many.
    pub(crate) fn free_places(&self, free: usize, places: usize) {
        self.places.set(free as i64);
        self.in_work.set(places.saturating_sub(free) as i64);
    }

    /// What is taken of the memory at the moment.
    pub(crate) fn memory_taken(&self, memory: &Memory) {
        for (share, of) in [("uploads", &memory.uploads), ("decoding", &memory.decoding)] {
            let taken = of.all().bytes().saturating_sub(of.free().bytes());
            self.memory.get_or_create(&MemoryShare { share }).set(taken as i64);
        }
    }

    fn answered(&self, asked: &Asked, took: Duration) {
        let route = Route { route: asked.route.clone() };
        self.seconds.get_or_create(&route).observe(took.as_secs_f64());
        self.requests.get_or_create(asked).inc();
    }
}

/// Counts and times a request by the route that it took; what took none is one route together, so that
/// clients cannot make up new ones.
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
    shared.backend.metrics.answered(&Asked { route, method, status }, start.elapsed());
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
    backend.metrics.free_places(backend.free_places(), shared.options.queue);
    backend.metrics.memory_taken(&backend.memory);
    let mut page = String::new();
    text::encode(&mut page, &backend.metrics.registry).map_err(|_| Error::Server)?;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], page).into_response())
}
