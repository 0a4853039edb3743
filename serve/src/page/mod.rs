//! The web page. It works without JavaScript: a form that answers with itself.

mod assets;
mod language;

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::Environment;
use minijinja::value::Serde;
use models::Caption;
use serde::{Deserialize, Serialize};

pub(crate) use self::assets::asset;
use self::language::{Language, Texts};
use crate::backend::Answer;
use crate::upload::{Photo, Uploads};
use crate::{Error, ModelInfo, Shared};

const TEMPLATE: &str = "page.html";

/// The page's template and its texts.
#[derive(Debug)]
pub(crate) struct Pages {
    templates: Environment<'static>,
    texts: Texts,
}

/// What the template sees.
#[derive(Serialize)]
struct View<'a> {
    language: Language,
    languages: Vec<LanguageLink<'a>>,
    t: &'a toml::Table,
    shown: &'a [Shown],
    model: &'a ModelInfo,
}

#[derive(Serialize)]
struct LanguageLink<'a> {
    code: Language,
    name: &'a str,
}

/// What a submitted photo became.
#[derive(Default, Serialize)]
struct Shown {
    /// The photo as a `data:` address, so that nothing is kept on the server. It is made here and
    /// of base64 letters alone, so the template need not escape it.
    photo: String,
    caption: String,
    /// All captions, with their shares of the probability that they have together.
    weighed: Vec<Weighed>,
    /// Why there is no caption.
    problem: Option<String>,
}

#[derive(Serialize)]
struct Weighed {
    text: String,
    share: f32,
    percent: String,
}

/// What an address may say after its question mark.
#[derive(Deserialize)]
pub(crate) struct Wish {
    language: Language,
}

/// A wish that is not understood is none.
type Wished = Result<Query<Wish>, QueryRejection>;

/// The language that the address says, or else the browser's.
fn language(wish: Wished, headers: &HeaderMap) -> Language {
    wish.map_or_else(|_| Language::accepted(headers), |Query(Wish { language })| language)
}

impl Pages {
    pub(crate) fn new() -> Result<Self, Error> {
        let mut templates = Environment::new();
        templates.add_template(TEMPLATE, include_str!("page.html"))?;
        Ok(Self { templates, texts: Texts::new()? })
    }

    fn draw(
        &self,
        model: &ModelInfo,
        language: Language,
        shown: &[Shown],
    ) -> Result<Response, Error> {
        let languages =
            Language::ALL.map(|code| LanguageLink { code, name: self.texts.get(code, "name") });
        let t = self.texts.of(language);
        let view = View { language, languages: languages.into(), t, shown, model };
        let page = self.templates.get_template(TEMPLATE)?.render(Serde(&view))?;
        let headers =
            [(header::CONTENT_LANGUAGE, language.code()), (header::VARY, "Accept-Language")];
        Ok((headers, Html(page)).into_response())
    }

    /// What became of a photo, for people.
    fn shown(&self, language: Language, photo: &Bytes, answer: Result<Answer, Error>) -> Shown {
        match answer {
            Ok(answer) => {
                let weighed = weighed(&answer.found.captions, language);
                let caption = weighed.first().map_or_else(String::new, |best| best.text.clone());
                Shown { photo: data_address(photo), caption, weighed, problem: None }
            }
            Err(error) => self.problem(language, &error),
        }
    }

    fn problem(&self, language: Language, error: &Error) -> Shown {
        let problem = self.texts.error(language, error.code()).to_owned();
        Shown { problem: Some(problem), ..Shown::default() }
    }
}

/// `GET /`.
pub(crate) async fn show(
    State(shared): State<Arc<Shared>>,
    wish: Wished,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let language = language(wish, &headers);
    shared.pages.draw(shared.backend.info(), language, &[])
}

/// `POST /`: the form, for browsers without JavaScript.
pub(crate) async fn submit(
    State(shared): State<Arc<Shared>>,
    wish: Wished,
    headers: HeaderMap,
    photos: Result<Uploads, Error>,
) -> Result<Response, Error> {
    let language = language(wish, &headers);
    let (pages, backend) = (&shared.pages, &shared.backend);
    let (status, shown) = match photos {
        Ok(Uploads(photos)) => {
            let bytes = |photo: &Result<Photo, _>| photo.as_ref().map_or_else(|_| Bytes::new(), |photo| photo.bytes.clone());
            let sent = photos.iter().map(bytes).collect::<Vec<_>>();
            let answers = backend.caption_all(photos).await;
            let status = status_of(&answers);
            let shown = sent
                .iter()
                .zip(answers)
                .map(|(photo, answer)| pages.shown(language, photo, answer));
            (status, shown.collect())
        }
        Err(error) => (error.status(), vec![pages.problem(language, &error)]),
    };
    Ok((status, pages.draw(backend.info(), language, &shown)?).into_response())
}

/// That of the first error if there is no caption at all.
fn status_of(answers: &[Result<Answer, Error>]) -> StatusCode {
    let refused = |answer: &Result<Answer, Error>| answer.as_ref().err().map(Error::status);
    let refused = answers.iter().map(refused).collect::<Option<Vec<_>>>();
    refused.and_then(|refused| refused.first().copied()).unwrap_or(StatusCode::OK)
}

fn weighed(captions: &[Caption], language: Language) -> Vec<Weighed> {
    let best = captions.first().map_or(0.0, |best| best.log_probability);
    let beside_best = |caption: &Caption| (caption.log_probability - best).exp();
    let all = captions.iter().map(beside_best).sum::<f32>();
    let weighed = captions.iter().map(|caption| {
        let share = beside_best(caption) / all;
        let percent = language.decimal(&format!("{:.1} %", 100.0 * share));
        Weighed { text: sentence(&caption.text), share, percent }
    });
    weighed.collect()
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
