//! Progress on stderr: a bar on a terminal, else one JSON document per line.

use std::io::{IsTerminal as _, stderr};
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use common::SkippedEntries;
use common::program::warn;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use serde_json::json;

/// Time between two lines of progress.
const INTERVAL: Duration = Duration::from_secs(5);

/// Progress reports on stderr.
pub(crate) struct Progress {
    /// Set on a terminal.
    bar: Option<ProgressBar>,
    start: Instant,
    last: Instant,
    /// Time of the last line about comparing.
    compared: Mutex<Instant>,
    images: usize,
    done: usize,
    skipped: usize,
}

impl Progress {
    /// Reports nothing yet.
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        let bar = stderr().is_terminal().then(ProgressBar::hidden);
        Self {
            bar,
            start: now,
            last: now,
            compared: Mutex::new(now),
            images: 0,
            done: 0,
            skipped: 0,
        }
    }

    /// Reports a message.
    pub(crate) fn note(&self, message: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| warn(format_args!("{message}"))),
            None => warn(format_args!("{}", json!({"event": "note", "message": message}))),
        }
    }

    /// Reports the skipped entries of a file or folder, one reason per line.
    pub(crate) fn skipped_entries(&self, of: &Path, skipped_entries: &SkippedEntries) {
        for line in skipped_entries.to_string().lines() {
            self.note(&format!("{}: {line}", of.display()));
        }
    }

    /// Reports a structured record, where stderr is not a terminal.
    pub(crate) fn record(&self, event: &str, what: &impl Serialize) {
        if self.bar.is_none() {
            warn(format_args!("{}", json!({"event": event, event: what})));
        }
    }

    /// Reports the number of images that were compared with the store, at intervals.
    pub(crate) fn compared(&self, done: usize, images: usize) {
        let Ok(mut last) = self.compared.try_lock() else { return };
        if last.elapsed() < INTERVAL {
            return;
        }
        *last = Instant::now();
        match &self.bar {
            Some(_) => self.note(&format!("{done} of {images} images compared with the store")),
            None => warn(format_args!(
                "{}",
                json!({"event": "comparing", "images": images, "done": done})
            )),
        }
    }

    /// Begins to count towards `images`.
    pub(crate) fn begin(&mut self, images: usize) {
        self.start = Instant::now();
        self.last = self.start;
        self.images = images;
        if self.bar.is_some() {
            let template = "{bar:30} {pos}/{len} images  {per_sec}  {eta} left  {msg}";
            let bar = ProgressBar::new(images as u64);
            self.bar = Some(match ProgressStyle::with_template(template) {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            });
        }
    }

    /// Counts one image.
    pub(crate) fn advance(&mut self, skipped: bool) {
        self.done += 1;
        self.skipped += usize::from(skipped);
        match &self.bar {
            Some(bar) => {
                bar.inc(1);
                if skipped {
                    bar.set_message(format!("{} skipped", self.skipped));
                }
            }
            None if self.last.elapsed() >= INTERVAL => {
                self.last = Instant::now();
                self.line();
            }
            None => {}
        }
    }

    /// Whether all images were counted.
    pub(crate) fn is_complete(&self) -> bool {
        self.done == self.images
    }

    fn line(&self) {
        let speed = self.done as f64 / self.start.elapsed().as_secs_f64();
        let line = json!({
            "event": "progress",
            "images": self.images,
            "done": self.done,
            "skipped": self.skipped,
            "images_per_second": round(speed),
            "seconds_left": ((self.images - self.done) as f64 / speed).round(),
        });
        warn(format_args!("{line}"));
    }

    /// Removes the bar.
    pub(crate) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Rounds a speed or a share to two decimals.
pub(crate) fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
