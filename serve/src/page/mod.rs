//! The web page. It works without JavaScript: a form that answers with itself.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::Environment;
use minijinja::value::Serde;
use models::Caption;
use serde::Serialize;

use crate::upload::Upload;
use crate::{Error, ModelInfo, Shared};

const TEMPLATE: &str = "page.html";

/// The page's template.
#[derive(Debug)]
pub(crate) struct Pages(Environment<'static>);

/// What the template sees.
#[derive(Serialize)]
struct View<'a> {
    shown: Option<&'a Shown>,
    problem: Option<&'a str>,
    model: &'a ModelInfo,
}

/// What a submitted photo became.
#[derive(Serialize)]
struct Shown {
    /// The photo as a `data:` address, so that nothing is kept on the server. It is made here and
    /// of base64 letters alone, so the template need not escape it.
    photo: String,
    caption: String,
    others: Vec<Other>,
}

#[derive(Serialize)]
struct Other {
    text: String,
    percent: String,
}

impl Pages {
    pub(crate) fn new() -> Result<Self, Error> {
        let mut templates = Environment::new();
        templates.add_template(TEMPLATE, include_str!("page.html"))?;
        Ok(Self(templates))
    }

    fn draw(
        &self,
        shared: &Shared,
        shown: Option<&Shown>,
        problem: Option<&str>,
    ) -> Result<Html<String>, Error> {
        let view = View { shown, problem, model: shared.backend.info() };
        let template = self.0.get_template(TEMPLATE)?;
        Ok(Html(template.render(Serde(&view))?))
    }
}

pub(crate) async fn show(State(shared): State<Arc<Shared>>) -> Result<Html<String>, Error> {
    shared.pages.draw(&shared, None, None)
}

pub(crate) async fn submit(
    State(shared): State<Arc<Shared>>,
    upload: Result<Upload, Error>,
) -> Result<Response, Error> {
    match answer(&shared, upload).await {
        Ok(shown) => Ok(shared.pages.draw(&shared, Some(&shown), None)?.into_response()),
        Err(error) => {
            let page = shared.pages.draw(&shared, None, Some(&error.to_string()))?;
            Ok((error.status(), page).into_response())
        }
    }
}

pub(crate) async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("style.css"))
}

async fn answer(shared: &Shared, upload: Result<Upload, Error>) -> Result<Shown, Error> {
    let Upload(image) = upload?;
    let captioned = shared.backend.caption(image.clone()).await?;
    let mut captions = captioned.captions.iter();
    let best = captions.next().ok_or(Error::Model)?;
    Ok(Shown {
        photo: data_address(&image),
        caption: sentence(&best.text),
        others: captions.map(other).collect(),
    })
}

fn other(caption: &Caption) -> Other {
    let percent = 100.0 * caption.log_probability.exp();
    let percent =
        if percent < 0.001 { "under 0.001 %".to_owned() } else { format!("{percent:.3} %") };
    Other { text: sentence(&caption.text), percent }
}

/// The words as a sentence: first letter large, a full stop.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(char::to_uppercase).into_iter().flatten();
    first.chain(letters).chain(['.']).collect()
}

/// The image as an address that holds it. Browsers look at the bytes to tell its format.
fn data_address(image: &Bytes) -> String {
    format!("data:image/*;base64,{}", STANDARD.encode(image))
}
