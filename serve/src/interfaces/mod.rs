//! Interfaces of other servers, for clients that exist: Ollama, `OpenAI`, Hugging Face, `PhotoPrism`.
//!
//! A request has its photos in base64 within JSON; each is captioned like a photo of our own interface, with the same limits,
//! key, queue and metrics. Prompts and unknown fields are ignored, as those servers ignore fields that they do not know.
//! Addresses of photos are refused: the server sends no requests on behalf of others.

pub(crate) mod errors;
pub(crate) mod hugging_face;
pub(crate) mod ollama;
pub(crate) mod openai;
pub(crate) mod photoprism;

use models::Caption;

use crate::backend::{Answer, into_memory};
use crate::memory::Reservation;
use crate::reader::Photo;
use crate::{Error, Shared};

/// The captions of a request's photos.
struct Sentences {
    /// A sentence per photo, in lines.
    text: String,
    answers: Vec<Answer>,
}

impl Sentences {
    /// Captions photos.
    ///
    /// # Errors
    /// The first error of a photo.
    async fn caption(shared: &Shared, photos: Vec<Photo>) -> Result<Self, Error> {
        let photos = photos.into_iter().map(Ok).collect();
        let answers = shared.backend.caption_all(photos, shared.backend.search(None)).await;
        let answers = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
        let best =
            |answer: &Answer| answer.captions.description.captions.first().map(Caption::sentence);
        let text = answers.iter().filter_map(best).collect::<Vec<_>>().join("\n");
        Ok(Self { text, answers })
    }

    /// The memory for the response.
    fn into_memory(self) -> Vec<Reservation> {
        into_memory(self.answers.into_iter().map(Ok).collect())
    }
}
