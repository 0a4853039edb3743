//! The web page. It works without JavaScript, as a form whose response is the page with captions.

mod assets;
mod language;
mod reference;
mod weights;

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use minijinja::Environment;
use minijinja::value::Serde;
use models::{Caption, Description};
use serde::{Deserialize, Serialize};

pub(crate) use self::assets::asset;
use self::language::{Language, Texts, Translations};
use self::weights::{WeightedCaption, weigh};
use crate::backend::{Answer, into_memory};
use crate::memory::hold_until_sent;
use crate::upload::Uploads;
use crate::{Error, ModelInfo, Options, Shared};

const TEMPLATE: &str = "page.html";

/// The page's template and its texts, and the reference of the API.
#[derive(Debug)]
pub(crate) struct Pages {
    templates: Environment<'static>,
    texts: Translations,
    /// Whether requests need a key.
    needs_key: bool,
    /// The rendered reference.
    reference: Bytes,
}

/// The confidence below which the page says that it is not sure.
const UNSURE: f32 = 0.25;

/// The variables of the template.
#[derive(Serialize)]
struct View<'a> {
    language: Language,
    languages: Vec<LanguageLink<'a>>,
    t: &'a Texts,
    results: &'a [PhotoView],
    unsure_below: f32,
    model: &'a ModelInfo,
    /// Scores by name, in the number format of the language.
    scores: Vec<(&'a str, String)>,
    needs_key: bool,
}

#[derive(Serialize)]
struct LanguageLink<'a> {
    code: Language,
    name: &'a str,
}

/// The result for a submitted photo. The photo itself is not sent back; it is identified by its position.
#[derive(Default, Serialize)]
struct PhotoView {
    caption: String,
    /// Whether the confidence in the caption is low.
    unsure: bool,
    /// Whether nothing like the photo was in the training photos.
    unfamiliar: bool,
    /// The names of the probable classes, each with its probability.
    tags: Vec<(String, String)>,
    weighed: Vec<WeightedCaption>,
    /// The reason why there is no caption.
    problem: Option<String>,
}

/// The query parameters of the page.
#[derive(Deserialize)]
pub(crate) struct PageQuery {
    language: Language,
}

/// The query parameters; invalid ones are ignored.
type OptionalQuery = Result<Query<PageQuery>, QueryRejection>;

/// The language of the query, or else of the browser.
fn language(query: OptionalQuery, headers: &HeaderMap) -> Language {
    query.map_or_else(|_| Language::accepted(headers), |Query(PageQuery { language })| language)
}

impl Pages {
    pub(crate) fn new(options: &Options) -> Result<Self, Error> {
        let mut templates = Environment::new();
        templates.add_template(TEMPLATE, include_str!("page.html"))?;
        let texts = Translations::new(options)?;
        let reference = reference::render(&mut templates, texts.get(Language::En))?.into();
        Ok(Self { templates, texts, needs_key: options.api_key.is_some(), reference })
    }

    fn render(
        &self,
        model: &ModelInfo,
        language: Language,
        results: &[PhotoView],
    ) -> Result<Response, Error> {
        let languages = Language::ALL
            .map(|code| LanguageLink { code, name: self.texts.get(code).text("name") });
        let t = self.texts.get(language);
        let scores = model.scores.iter();
        let scores = scores
            .map(|(name, score)| (name.as_str(), language.decimal(&format!("{score:.1}"))))
            .collect();
        let languages = languages.into();
        let (unsure_below, needs_key) = (UNSURE, self.needs_key);
        let view = View { language, languages, t, results, unsure_below, model, scores, needs_key };
        let page = self.templates.get_template(TEMPLATE)?.render(Serde(&view))?;
        let headers =
            [(header::CONTENT_LANGUAGE, language.code()), (header::VARY, "Accept-Language")];
        Ok((headers, Html(page)).into_response())
    }

    /// The view of a photo's result.
    fn photo_view(&self, language: Language, answer: Result<&Answer, &Error>) -> PhotoView {
        match answer {
            Ok(answer) => {
                let Description { captions, tags, unfamiliar } = &answer.captions.description;
                let caption = captions.first().map(Caption::sentence);
                let (caption, weighed) = (caption.unwrap_or_default(), weigh(captions, language));
                let confidence = captions.first().and_then(|best| best.confidence);
                let unsure = confidence.is_some_and(|confidence| confidence < UNSURE);
                let percent = |share: f32| format!("{:.0}%", 100.0 * share);
                let tags = tags.iter().flatten();
                let tags = tags.map(|tag| (tag.name.clone(), percent(tag.probability)));
                let (unfamiliar, tags) = (*unfamiliar, tags.collect());
                PhotoView { caption, unsure, unfamiliar, tags, weighed, problem: None }
            }
            Err(error) => self.error_view(language, error),
        }
    }

    fn error_view(&self, language: Language, error: &Error) -> PhotoView {
        let problem = self.texts.get(language).error(error.code()).to_owned();
        PhotoView { problem: Some(problem), ..PhotoView::default() }
    }
}

/// `GET /`.
pub(crate) async fn show(
    State(shared): State<Arc<Shared>>,
    query: OptionalQuery,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let language = language(query, &headers);
    shared.pages.render(shared.backend.info(), language, &[])
}

/// `GET /docs`: the reference of the API, in English.
pub(crate) async fn reference(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    ([(header::CONTENT_LANGUAGE, "en")], Html(shared.pages.reference.clone()))
}

/// `POST /`: the form, for browsers without JavaScript.
pub(crate) async fn submit(
    State(shared): State<Arc<Shared>>,
    query: OptionalQuery,
    headers: HeaderMap,
    photos: Result<Uploads, Error>,
) -> Result<Response, Error> {
    let language = language(query, &headers);
    let (pages, backend) = (&shared.pages, &shared.backend);
    let (status, results, memory) = match photos {
        Ok(Uploads(photos)) => {
            let answers = backend.caption_all(photos, backend.search(None)).await;
            let status = status_of(&answers);
            let views = answers.iter().map(|answer| pages.photo_view(language, answer.as_ref()));
            let views = views.collect::<Vec<_>>();
            (status, views, into_memory(answers))
        }
        Err(error) => (error.status(), vec![pages.error_view(language, &error)], Vec::new()),
    };
    let page = pages.render(backend.info(), language, &results)?;
    Ok(hold_until_sent((status, page).into_response(), memory))
}

/// The status of the first error if no photo has a caption, else 200.
fn status_of(answers: &[Result<Answer, Error>]) -> StatusCode {
    let status = |answer: &Result<Answer, Error>| answer.as_ref().err().map(Error::status);
    let statuses = answers.iter().map(status).collect::<Option<Vec<_>>>();
    statuses.and_then(|statuses| statuses.first().copied()).unwrap_or(StatusCode::OK)
}
