//! The lessons of teachers as a file, so that they are asked once.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use common::{Size, files};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};

use super::SoftTargets;
use crate::dataset::{Caption, TrainingImage};
use crate::settings::Distillation;
use crate::{Error, Result};

/// The largest file of lessons.
const LIMIT: Size = Size::mib(16 << 10);
/// The key in the metadata of the file.
const KEY: &str = "showtell.lessons";
/// The tensors of the file: of each caption its set, row, number of words and whether the teachers found it; of each word
/// the probable words and their probabilities, `[R, K]`.
const NAMES: [&str; 7] = ["set", "row", "length", "found", "word", "soft_words", "soft_values"];

/// The captions that teachers teach.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lessons {
    /// A lesson of each image.
    pub lessons: Vec<Lesson>,
}

/// The captions of an image.
#[derive(Debug, Clone, PartialEq)]
pub struct Lesson {
    /// Its data set.
    pub set: usize,
    /// Its row in the store of the set.
    pub row: usize,
    /// Its captions.
    pub captions: Vec<TaughtCaption>,
}

/// A caption with soft targets.
#[derive(Debug, Clone, PartialEq)]
pub struct TaughtCaption {
    /// The caption.
    pub caption: Caption,
    /// Whether the teachers found it; else a person wrote it.
    pub found: bool,
}

/// What lessons depend on: they are used again only for the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LessonKey {
    /// The SHA-256 of the teachers' checkpoints.
    pub teachers: Vec<String>,
    /// The SHA-256 of the photos of each data set, and of the captions.
    pub data: Vec<String>,
    /// The settings, without the folders and the checkpoints of the teachers.
    pub settings: Distillation,
    /// How the teachers searched captions, as JSON.
    pub search: String,
}

impl Lessons {
    /// Gives the captions of training images their soft targets, and adds the captions that the teachers found, with that
    /// weight.
    pub fn apply(&self, images: &mut [TrainingImage], found_weight: f64) {
        let lessons = self.lessons.iter().map(|lesson| ((lesson.set, lesson.row), lesson));
        let lessons = lessons.collect::<HashMap<_, _>>();
        for image in images {
            let Some(lesson) = lessons.get(&(image.set, image.row)) else { continue };
            let (found, written) =
                lesson.captions.iter().partition::<Vec<_>, _>(|taught| taught.found);
            for (caption, taught) in image.captions.iter_mut().zip(written) {
                caption.soft.clone_from(&taught.caption.soft);
            }
            let weight = Some(found_weight as f32);
            let found =
                found.into_iter().map(|taught| Caption { weight, ..taught.caption.clone() });
            image.captions.extend(found);
        }
    }

    /// Writes the file at `path`, replacing it as a whole.
    ///
    /// # Errors
    /// [`Error::Content`] and [`Error::File`].
    pub fn save(&self, path: &Path, key: &LessonKey) -> Result<()> {
        let mut columns = Columns::default();
        for lesson in &self.lessons {
            for taught in &lesson.captions {
                columns.push(lesson, taught);
            }
        }
        let json = serde_json::to_string(key).map_err(Error::content(path))?;
        let metadata = HashMap::from([(KEY.to_owned(), json)]);
        let views = columns.views().map_err(Error::content(path))?;
        let bytes = safetensors::serialize(views, Some(metadata)).map_err(Error::content(path))?;
        files::replace(path, &bytes).map_err(Error::io(path))
    }

    /// Reads the file at `path`, which must be of the same key; its words are in a vocabulary of so many.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::OtherLessons`] if it is of another key, [`Error::NotLessons`] if it is damaged.
    pub fn load(path: &Path, key: &LessonKey, vocabulary: usize) -> Result<Self> {
        let bytes = files::read(path, LIMIT).map_err(Error::io(path))?;
        let damaged = || Error::NotLessons { path: path.to_path_buf() };
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|_| damaged())?;
        let found = header.metadata().as_ref().and_then(|metadata| metadata.get(KEY));
        let found = found.and_then(|json| serde_json::from_str::<LessonKey>(json).ok());
        if found.ok_or_else(damaged)? != *key {
            return Err(Error::OtherLessons { path: path.to_path_buf() });
        }
        let tensors = SafeTensors::deserialize(&bytes).map_err(|_| damaged())?;
        let columns = Columns::read(&tensors).filter(|columns| columns.are_words_of(vocabulary));
        columns.and_then(Columns::into_lessons).ok_or_else(damaged)
    }
}

/// The columns of the file.
#[derive(Debug, Default)]
struct Columns {
    numbers: [Vec<u32>; 5],
    width: usize,
    soft_words: Vec<u32>,
    soft_values: Vec<f32>,
}

impl Columns {
    fn push(&mut self, lesson: &Lesson, taught: &TaughtCaption) {
        let Caption { words, soft: Some(soft), .. } = &taught.caption else { return };
        let [set, row, length, found, word] = &mut self.numbers;
        set.push(lesson.set as u32);
        row.push(lesson.row as u32);
        length.push(words.len() as u32);
        found.push(taught.found.into());
        word.extend_from_slice(words);
        self.width = soft.width();
        self.soft_words.extend_from_slice(soft.words());
        self.soft_values.extend_from_slice(soft.probabilities());
    }

    fn views(&self) -> Result<Vec<(&'static str, TensorView<'_>)>, safetensors::SafeTensorError> {
        let rows = self.numbers[4].len();
        let mut views = Vec::new();
        for (name, values) in NAMES.iter().zip(&self.numbers) {
            let bytes = bytemuck::cast_slice(values);
            views.push((*name, TensorView::new(Dtype::U32, vec![values.len()], bytes)?));
        }
        let shape = vec![rows, self.width];
        let words = bytemuck::cast_slice(&self.soft_words);
        views.push((NAMES[5], TensorView::new(Dtype::U32, shape.clone(), words)?));
        let values = bytemuck::cast_slice(&self.soft_values);
        views.push((NAMES[6], TensorView::new(Dtype::F32, shape, values)?));
        Ok(views)
    }

    fn read(tensors: &SafeTensors) -> Option<Self> {
        let numbers = |name: &str| {
            let view = tensors.tensor(name).ok().filter(|view| view.dtype() == Dtype::U32)?;
            Some(bytemuck::pod_collect_to_vec::<u8, u32>(view.data()))
        };
        let mut columns = Self::default();
        for (column, name) in columns.numbers.iter_mut().zip(NAMES) {
            *column = numbers(name)?;
        }
        let values = tensors.tensor(NAMES[6]).ok().filter(|view| view.dtype() == Dtype::F32)?;
        columns.width = *values.shape().get(1)?;
        columns.soft_words = numbers(NAMES[5])?;
        columns.soft_values = bytemuck::pod_collect_to_vec(values.data());
        Some(columns)
    }

    fn are_words_of(&self, vocabulary: usize) -> bool {
        let words = self.numbers[4].iter().chain(&self.soft_words);
        words.into_iter().all(|&word| (word as usize) < vocabulary)
    }

    /// The lessons; none if the columns do not match.
    fn into_lessons(self) -> Option<Lessons> {
        let [set, row, length, found, word] = &self.numbers;
        let mut lessons = Vec::<Lesson>::new();
        let mut begin = 0;
        for (caption, &length) in length.iter().enumerate() {
            let end = begin + length as usize;
            let words = word.get(begin..end)?.to_vec().into();
            let range = begin * self.width..end * self.width;
            let soft_words = self.soft_words.get(range.clone())?.to_vec();
            let values = self.soft_values.get(range)?.to_vec();
            let soft = SoftTargets::new(self.width, soft_words, values)?;
            let caption_of = Caption { words, weight: None, soft: Some(Arc::new(soft)) };
            let (set, row) = (*set.get(caption)? as usize, *row.get(caption)? as usize);
            let taught = TaughtCaption { caption: caption_of, found: *found.get(caption)? != 0 };
            match lessons.last_mut().filter(|lesson| (lesson.set, lesson.row) == (set, row)) {
                Some(lesson) => lesson.captions.push(taught),
                None => lessons.push(Lesson { set, row, captions: vec![taught] }),
            }
            begin = end;
        }
        Some(Lessons { lessons })
    }
}

#[cfg(test)]
mod tests {
    use data::vocabulary::WordId;

    use super::*;

    fn taught(words: &[WordId], found: bool) -> TaughtCaption {
        let soft_words = words.iter().flat_map(|&word| [word, word + 1]).collect();
        let soft = SoftTargets::new(2, soft_words, [0.75, 0.25].repeat(words.len()));
        let caption =
            Caption { words: words.to_vec().into(), weight: None, soft: soft.map(Arc::new) };
        TaughtCaption { caption, found }
    }

    fn key(seed: &str) -> LessonKey {
        LessonKey {
            teachers: vec![seed.to_owned()],
            data: vec!["photos".to_owned()],
            settings: Distillation::default(),
            search: "{}".to_owned(),
        }
    }

    #[test]
    fn lessons_are_read_back_and_those_of_other_teachers_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lessons.safetensors");
        let lesson =
            |set, row, captions: &[TaughtCaption]| Lesson { set, row, captions: captions.to_vec() };
        let lessons = Lessons {
            lessons: vec![
                lesson(0, 3, &[taught(&[5, 6, 2], false), taught(&[7, 2], true)]),
                lesson(1, 3, &[taught(&[8, 2], false)]),
            ],
        };
        lessons.save(&path, &key("a")).unwrap();
        assert_eq!(Lessons::load(&path, &key("a"), 10).unwrap(), lessons);
        assert!(Lessons::load(&path, &key("a"), 9).is_err());
        let error = Lessons::load(&path, &key("b"), 10).unwrap_err();
        assert!(matches!(error, Error::OtherLessons { .. }));

        let written = Caption::written(vec![5, 6]);
        let image =
            TrainingImage { set: 0, row: 3, view: common::View::Original, captions: vec![written] };
        let mut images = [image.clone(), TrainingImage { row: 4, ..image }];
        lessons.apply(&mut images, 0.5);
        assert_eq!(images[0].captions.len(), 2);
        assert_eq!(images[0].captions[0].soft.as_ref().unwrap().steps(), 3);
        assert_eq!(images[0].captions[1].weight, Some(0.5));
        assert!(images[1].captions[0].soft.is_none());
    }
}
