//! The web page. It works without JavaScript: a form that answers with itself.

mod assets;
mod language;
mod weighed;

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};
use minijinja::Environment;
use minijinja::value::Serde;
use serde::{Deserialize, Serialize};

pub(crate) use self::assets::asset;
use self::language::{Language, Texts};
use self::weighed::{Weighed, sentence, weighed};
use crate::backend::{Answer, rooms_of};
use crate::memory::until_sent;
use crate::upload::Uploads;
use crate::{Error, ModelInfo, Options, Shared};

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
    /// Scores by name, as the language writes numbers.
    scores: Vec<(&'a str, String)>,
}

#[derive(Serialize)]
struct LanguageLink<'a> {
    code: Language,
    name: &'a str,
}

/// What a submitted photo became. The photo itself is not sent back: its place among those that were sent says which
/// it is.
#[derive(Default, Serialize)]
struct Shown {
    caption: String,
    weighed: Vec<Weighed>,
    /// Why there is no caption.
    problem: Option<String>,
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
    pub(crate) fn new(options: &Options) -> Result<Self, Error> {
        let mut templates = Environment::new();
        templates.add_template(TEMPLATE, include_str!("page.html"))?;
        Ok(Self { templates, texts: Texts::new(options)? })
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
        let scores = model.scores.iter();
        let scores = scores
            .map(|(name, score)| (name.as_str(), language.decimal(&format!("{score:.1}"))))
            .collect();
        let view = View { language, languages: languages.into(), t, shown, model, scores };
        let page = self.templates.get_template(TEMPLATE)?.render(Serde(&view))?;
        let headers =
            [(header::CONTENT_LANGUAGE, language.code()), (header::VARY, "Accept-Language")];
        Ok((headers, Html(page)).into_response())
    }

    /// What became of a photo, for people.
    fn shown(&self, language: Language, answer: Result<&Answer, &Error>) -> Shown {
        match answer {
            Ok(answer) => {
                let captions = &answer.found.captions;
                let caption = captions.first().map(|best| sentence(&best.text));
                let (caption, weighed) = (caption.unwrap_or_default(), weighed(captions, language));
                Shown { caption, weighed, problem: None }
            }
            Err(error) => self.problem(language, error),
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
    let (status, shown, rooms) = match photos {
        Ok(Uploads(photos)) => {
            let answers = backend.caption_all(photos).await;
            let status = status_of(&answers);
            let shown = answers.iter().map(|answer| pages.shown(language, answer.as_ref()));
            let shown = shown.collect::<Vec<_>>();
            (status, shown, rooms_of(answers))
        }
        Err(error) => (error.status(), vec![pages.problem(language, &error)], Vec::new()),
    };
    let page = pages.draw(backend.info(), language, &shown)?;
    Ok(until_sent((status, page).into_response(), rooms))
}

/// That of the first error if there is no caption at all.
fn status_of(answers: &[Result<Answer, Error>]) -> StatusCode {
    let refused = |answer: &Result<Answer, Error>| answer.as_ref().err().map(Error::status);
    let refused = answers.iter().map(refused).collect::<Option<Vec<_>>>();
    refused.and_then(|refused| refused.first().copied()).unwrap_or(StatusCode::OK)
}
