//! Permits and memory of photos: when they are taken and released.

use std::sync::mpsc;
use std::time::Duration;

use ::tests::small_model;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use models::{Caption, CaptionedBatch, CaptionerOptions, Description};
use tokio::time::sleep;
use tower::ServiceExt as _;

use super::*;
use crate::Draining;
use crate::reader::Photo;

fn captioner() -> Arc<Captioner> {
    let folder = tempfile::tempdir().unwrap();
    small_model::write(folder.path());
    Arc::new(Captioner::open(folder.path(), &CaptionerOptions::default()).unwrap())
}

fn png(shade: u8) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let image = image::RgbImage::from_pixel(30, 20, image::Rgb([shade, 90, 20]));
    image.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

fn captions(photos: &[Prepared]) -> CaptionedBatch {
    let caption = Caption {
        text: "a dog".into(),
        log_probability: -1.0,
        score: -1.0,
        finished: true,
        confidence: None,
        words: vec![],
    };
    let description = Description { captions: vec![caption], ..Description::default() };
    let photos = vec![description; photos.len()];
    CaptionedBatch { photos, encode: Duration::ZERO, search: Duration::ZERO }
}

/// A backend whose model captions one batch for each message on the channel.
fn held(options: &Options) -> (Backend, mpsc::Sender<()>) {
    let (go, gone) = mpsc::channel::<()>();
    let caption = move |photos: &[Prepared], _: &SearchOptions| {
        let _ = gone.recv();
        Ok(captions(photos))
    };
    (Backend::with_captioner("held", captioner(), SearchOptions::default(), caption, options), go)
}

impl Backend {
    fn upload(&self, shade: u8) -> Photo {
        let bytes = png(shade);
        let uploads = &self.memory.uploads;
        let upload = uploads.try_reserve(bytes.len() as u64).unwrap();
        Photo { bytes: bytes.into(), response: uploads.try_reserve(1).unwrap(), upload }
    }

    /// Reserved bytes for uploads and for decoding.
    fn reserved(&self) -> (u64, u64) {
        let reserved = |share: &memory::Share| share.total().bytes() - share.free().bytes();
        (reserved(&self.memory.uploads), reserved(&self.memory.decoding))
    }

    /// Waits until all permits and all memory are released.
    async fn wait_until_idle(&self, options: &Options) {
        let all = (options.queue, options.decoders(), (0, 0));
        let now =
            || (self.free_permits(), self.decoder_permits.available_permits(), self.reserved());
        for _ in 0..2000 {
            if now() == all {
                return;
            }
            sleep(Duration::from_millis(5)).await;
        }
        panic!("in use: {:?} of {all:?}", now());
    }
}

async fn until(done: impl Fn() -> bool) {
    for _ in 0..2000 {
        if done() {
            return;
        }
        sleep(Duration::from_millis(5)).await;
    }
    panic!("the condition was not met in 10 s");
}

#[tokio::test]
async fn running_work_keeps_its_permit_and_memory_when_the_connection_is_closed() {
    let options = Options { queue: 1, ..Options::default() };
    let (backend, go) = held(&options);
    let tensor = 4 * 3 * (small_model::SIZE * small_model::SIZE) as u64;
    {
        let mut first = Box::pin(backend.caption(backend.upload(1), backend.search(None)));
        let in_model = || backend.reserved() == (1024, tensor.next_multiple_of(1024));
        tokio::select! {
            _ = &mut first => panic!("the model is held"),
            () = until(in_model) => {}
        }
    }
    // The connection is closed.
    for shade in [2, 3] {
        let refused = backend.caption(backend.upload(shade), backend.search(None)).await;
        assert!(matches!(refused, Err(Error::QueueFull)), "{refused:?}");
    }
    assert_eq!(backend.reserved(), (0, tensor.next_multiple_of(1024)));
    go.send(()).unwrap();
    backend.wait_until_idle(&options).await;
    go.send(()).unwrap();
    assert!(backend.caption(backend.upload(4), backend.search(None)).await.is_ok());
}

#[tokio::test]
async fn running_work_keeps_its_permit_when_the_deadline_passes() {
    let deadline = Duration::from_millis(300).into();
    let options = Options { queue: 1, deadline, ..Options::default() };
    let (backend, go) = held(&options);
    let late = backend.caption(backend.upload(1), backend.search(None)).await;
    assert!(matches!(late, Err(Error::Deadline)), "{late:?}");
    assert_eq!(backend.free_permits(), 0);
    drop(go);
    backend.wait_until_idle(&options).await;
}

#[tokio::test]
async fn queued_work_is_dropped_with_its_connection() {
    let options = Options { decoders: Some(1), ..Options::default() };
    let (backend, go) = held(&options);
    drop(go);
    let decoder = Arc::clone(&backend.decoder_permits).acquire_owned().await.unwrap();
    {
        let mut waits = Box::pin(backend.caption(backend.upload(1), backend.search(None)));
        tokio::select! {
            _ = &mut waits => panic!("there is no decoder"),
            () = until(|| backend.free_permits() < options.queue) => {}
        }
    }
    assert_eq!((backend.free_permits(), backend.reserved()), (options.queue, (0, 0)));
    drop(decoder);

    // With a decoder, but no memory.
    let memory =
        backend.memory.decoding.reserve(backend.memory.decoding.total().bytes()).await.unwrap();
    {
        let mut waits = Box::pin(backend.caption(backend.upload(2), backend.search(None)));
        tokio::select! {
            _ = &mut waits => panic!("there is no memory"),
            () = until(|| backend.decoder_permits.available_permits() == 0) => {}
        }
    }
    until(|| backend.free_permits() == options.queue && backend.reserved().0 == 0).await;
    drop(memory);
    backend.wait_until_idle(&options).await;
}

#[tokio::test]
async fn photos_of_one_request_wait_for_permits_and_others_do_not() {
    let options = Options { queue: 2, ..Options::default() };
    let (backend, go) = held(&options);
    let photos = |from: u8| (from..from + 5).map(|shade| Ok(backend.upload(shade))).collect();
    let (all, refused, ()) = tokio::join!(
        backend.caption_all(photos(0), backend.search(None)),
        async {
            until(|| backend.free_permits() < 2).await;
            let one = backend.caption(backend.upload(100), backend.search(None)).await;
            let none_free = until(|| backend.free_permits() == 0);
            tokio::time::timeout(Duration::from_millis(50), none_free).await.ok();
            one
        },
        async {
            for _ in 0..6 {
                sleep(Duration::from_millis(20)).await;
                let _ = go.send(());
            }
        }
    );
    assert!(all.iter().all(Result::is_ok), "{all:?}");
    // A request takes half of the permits; the other half is for other requests.
    assert!(refused.is_ok(), "{refused:?}");
    drop((all, refused));
    backend.wait_until_idle(&options).await;
}

fn app_of(backend: Backend, options: &Options) -> Router {
    crate::app(backend, options.clone(), Draining::default()).unwrap()
}

async fn ask(app: &Router, request: Request<Body>) -> (StatusCode, String) {
    let response = app.clone().oneshot(request).await.unwrap();
    let retry = response.headers().get(header::RETRY_AFTER);
    let retry = retry.map_or("", |value| value.to_str().unwrap()).to_owned();
    (response.status(), retry)
}

#[tokio::test]
async fn a_model_that_panics_ends_the_server() {
    let options = Options::default();
    let panics = |_: &[Prepared], _: &SearchOptions| -> models::Result<CaptionedBatch> {
        panic!("the model is broken")
    };
    let backend =
        Backend::with_captioner("broken", captioner(), SearchOptions::default(), panics, &options);
    let ended = backend.model_ended();
    let app = app_of(backend, &options);
    let (get, post) = (
        |path: &str| Request::get(path).body(Body::empty()).unwrap(),
        |shade| Request::post("/api/caption").body(Body::from(png(shade))).unwrap(),
    );
    assert_eq!(ask(&app, get("/health")).await.0, StatusCode::OK);
    let first = ask(&app, post(1)).await;
    assert_eq!(first, (StatusCode::SERVICE_UNAVAILABLE, "1".to_owned()));
    for request in [get("/health"), get("/ready"), post(1), post(2)] {
        assert_eq!(ask(&app, request).await.0, StatusCode::SERVICE_UNAVAILABLE);
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let never = std::future::pending();
    let end = crate::run(listener, app, &options, never, ended).await;
    assert!(matches!(end, Err(crate::StopError::ModelPanicked)), "{end:?}");
}

#[tokio::test]
async fn an_upload_without_memory_is_refused_before_it_is_read() {
    let options = Options::default();
    let (backend, go) = held(&options);
    drop(go);
    let uploads = Arc::clone(&backend.memory);
    let app = app_of(backend, &options);
    let all = uploads.uploads.free().bytes();
    let mut taken = uploads.uploads.try_reserve(all).unwrap();
    let unread = || {
        let unread =
            futures_util::stream::poll_fn(|_| -> std::task::Poll<Option<Result<Bytes, Error>>> {
                panic!("the body is read")
            });
        Body::from_stream(unread)
    };
    let request = |path: &str, body, length: Option<u64>| {
        let form = ["multipart/form-data; boundary=x", ""][usize::from(path == "/api/caption")];
        let request = Request::post(path).header(header::CONTENT_TYPE, form);
        match length {
            Some(length) => request.header(header::CONTENT_LENGTH, length),
            None => request,
        }
        .body(body)
        .unwrap()
    };
    let busy = (StatusCode::TOO_MANY_REQUESTS, "1".to_owned());
    for path in ["/", "/api/caption", "/api/captions"] {
        let refused = ask(&app, request(path, unread(), Some(1000))).await;
        assert_eq!(refused.0, busy.0, "{path}");
    }
    // Of an unknown length.
    assert_eq!(ask(&app, request("/api/caption", unread(), None)).await, busy);
    // One with too large a declared length is not read either.
    for path in ["/", "/api/caption", "/api/captions"] {
        let (status, _) = ask(&app, request(path, unread(), Some(50 << 20))).await;
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{path}");
    }

    // One that grows beyond the free memory.
    taken.shrink_to(all - 200 * 1024);
    let parts = || futures_util::stream::iter((0..9).map(|_| Ok::<_, Error>(vec![0; 30_000])));
    let grows = request("/api/caption", Body::from_stream(parts()), None);
    assert_eq!(ask(&app, grows).await, busy);
    let small = request("/api/caption", Body::from(png(7)), None);
    assert_eq!(ask(&app, small).await.0, StatusCode::OK);
    drop(taken);
    let grows = request("/api/caption", Body::from_stream(parts()), None);
    assert_eq!(ask(&app, grows).await.0, StatusCode::BAD_REQUEST);
    until(|| uploads.uploads.free() == uploads.uploads.total()).await;
}

#[tokio::test]
async fn a_response_keeps_its_memory_until_it_is_sent() {
    let options = Options::default();
    let (backend, go) = held(&options);
    drop(go);
    let memory = Arc::clone(&backend.memory);
    let app = app_of(backend, &options);
    let request = Request::post("/api/caption").body(Body::from(png(1))).unwrap();
    let response = app.oneshot(request).await.unwrap();
    assert!(response.headers().contains_key(header::CONTENT_LENGTH));
    let kept = || memory.uploads.total().bytes() - memory.uploads.free().bytes();
    assert_eq!(kept(), memory::RESPONSE.bytes());
    let bytes = http_body_util::BodyExt::collect(response.into_body()).await.unwrap();
    drop(bytes);
    assert_eq!(kept(), 0);
}
