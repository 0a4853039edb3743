//! The command line.

use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use caption_options::{ModelArgs, SearchArgs};
use clap::{Args, Parser, ValueEnum};
use common::Size;
use metadata::Existing;
use models::Style;

/// Caption photos with a trained model.
#[derive(Parser)]
#[command(name = "caption", version = common::version!())]
pub(crate) struct Cli {
    /// Photos, folders of photos (with their subfolders), or - for one photo on standard input.
    #[arg(required_unless_present = "fill_alt", value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) documents: DocumentArgs,
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    #[command(flatten)]
    pub(crate) search: SearchArgs,
    /// Captions of each photo, the best first; at most --beam.
    #[arg(long, default_value_t = 1, value_name = "N",
          value_parser = clap::value_parser!(u16).range(1..=100))]
    pub(crate) n_best: u16,
    /// Print the probable classes of each photo as well, by the classifier that the encoder was made of.
    #[arg(long)]
    pub(crate) tags: bool,
    /// The style of sentences: on a terminal, in CSV, JSON and HTML, and in --write xmp and embed.
    #[arg(long, value_enum, default_value_t, value_name = "STYLE")]
    pub(crate) style: Style,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) write: WriteArgs,
    #[command(flatten)]
    pub(crate) ledger: LedgerArgs,
    /// Print no line for a photo whose caption has a lower confidence, a number from 0 to 1, and write it nowhere; CSV, JSON
    /// and HTML have all of them.
    #[arg(long, value_name = "X", value_parser = parse_confidence)]
    pub(crate) min_confidence: Option<f32>,
    /// Maximum memory of photos while they are read and decoded, such as 512MiB or 4GiB: a quarter for the files, the rest for
    /// decoding. A photo that needs more is not captioned. HEIC and AVIF count by their headers, which are right in sound files.
    #[arg(long, default_value_t = Size::mib(2048), value_name = "SIZE")]
    pub(crate) memory: Size,
    /// A folder for pictures of the attention: one for each word of the best caption.
    #[arg(long, value_name = "DIR")]
    pub(crate) attention: Option<PathBuf>,
}

/// The form and place of the output.
#[derive(Args)]
pub(crate) struct OutputArgs {
    /// The form of the output [default: by the ending of --out, .csv, .json, .jsonl or .html; otherwise text].
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
    /// The same as --format json.
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// Add the words of each caption to JSON, with the probability and the attention of each.
    #[arg(long)]
    pub(crate) words: bool,
    /// A file for the output, which is replaced once it is complete [default: standard output].
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

impl OutputArgs {
    /// The form of the output.
    pub(crate) fn format(&self) -> Format {
        if self.json {
            return Format::Json;
        }
        let ending = self.out.as_ref().and_then(|path| path.extension()?.to_str());
        let of_file = ending.map(|ending| match ending.to_ascii_lowercase().as_str() {
            "csv" => Format::Csv,
            "json" | "jsonl" => Format::Json,
            "html" => Format::Html,
            _ => Format::Text,
        });
        self.format.or(of_file).unwrap_or_default()
    }
}

/// The form of the output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A file name, a tab and a caption per line, and after another tab the tags, if there are any. On a terminal captions
    /// are sentences. Control characters of names are escaped.
    #[default]
    Text,
    /// A table with a head: file, rank, caption, sentence, confidence, tags, error.
    Csv,
    /// One JSON document per line.
    Json,
    /// One page with small pictures, for a browser.
    Html,
}

/// Where captions are written to beside the output.
#[derive(Args)]
pub(crate) struct WriteArgs {
    /// Write captions to where other programs look for them, separated by commas.
    #[arg(long, value_enum, value_name = "PLACES", value_delimiter = ',')]
    pub(crate) write: Vec<Place>,
    /// What to do with photos that have a text already.
    #[arg(long, value_enum, default_value_t, value_name = "POLICY", requires = "write")]
    pub(crate) existing: Existing,
    /// Take back what an earlier run wrote to these places, instead of captioning.
    #[arg(long, requires = "write", conflicts_with_all = [
        "existing", "prefix", "style", "n_best", "tags", "OutputArgs", "LedgerArgs", "min_confidence", "attention",
    ])]
    pub(crate) remove: bool,
    /// Text before each caption of --write txt, such as a trigger word with its own space: --prefix 'sks dog, '.
    #[arg(long, value_name = "TEXT", requires = "write", value_parser = parse_prefix)]
    pub(crate) prefix: Option<String>,
    /// Keep the times of photos that --write embed changes.
    #[arg(long, requires = "write")]
    pub(crate) keep_times: bool,
    /// Let --write embed change photos with signed provenance (C2PA), which breaks their signature.
    #[arg(long, requires = "write")]
    pub(crate) break_signature: bool,
}

/// Documents whose images get alternative texts.
#[derive(Args)]
pub(crate) struct DocumentArgs {
    /// Fill missing alt attributes of HTML documents, and empty ![]() of Markdown documents, with captions of the local images
    /// that they name. Print what would change, as a diff.
    #[arg(long, num_args = 1.., value_name = "FILES", conflicts_with_all = [
        "paths", "format", "json", "words", "out", "write", "ledger", "all", "watch", "style", "n_best", "tags", "attention",
    ])]
    pub(crate) fill_alt: Vec<PathBuf>,
    /// Write the changes into the documents.
    #[arg(long, requires = "fill_alt")]
    pub(crate) apply: bool,
    /// Fill images with alt="" as well, which declares them decoration.
    #[arg(long, requires = "fill_alt")]
    pub(crate) empty_too: bool,
    /// The folder of a site, for images whose path begins with a slash.
    #[arg(long, value_name = "DIR", requires = "fill_alt")]
    pub(crate) root: Option<PathBuf>,
}

/// Which photos are skipped.
#[derive(Args)]
pub(crate) struct LedgerArgs {
    /// A file that remembers which photos are done: they are skipped until they, the model or the flags change [default: with
    /// --write ~/.local/state/showtell/captions.jsonl; else none].
    #[arg(long, value_name = "FILE")]
    pub(crate) ledger: Option<PathBuf>,
    /// Caption all photos again, also those that are done.
    #[arg(long)]
    pub(crate) all: bool,
    /// Then wait for further photos in the folders, until Ctrl-C. A photo is captioned once it has not changed for two seconds.
    #[arg(long, conflicts_with_all = ["out", "attention", "remove"])]
    pub(crate) watch: bool,
}

/// A place that captions are written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Place {
    /// A sidecar beside the photo, photo.jpg.xmp: description and alt text in XMP. What else is in it stays.
    Xmp,
    /// The photo itself (JPEG, PNG, WebP, TIFF): description and alt text in XMP, description in EXIF, and the caption in
    /// IPTC where it has IPTC records. The image data stay as they are.
    Embed,
    /// A text beside the photo, photo.txt, as programs for training expect it.
    Txt,
    /// A line of metadata.jsonl in the named folder, as in image folders of Hugging Face.
    Metadata,
}

fn parse_prefix(text: &str) -> anyhow::Result<String> {
    ensure!(
        !text.contains(char::is_control),
        "it must not have line ends or other control characters"
    );
    Ok(text.to_owned())
}

fn parse_confidence(text: &str) -> anyhow::Result<f32> {
    let confidence = text.parse::<f32>().ok().filter(|of| (0.0..=1.0).contains(of));
    confidence.context("it must be a number from 0 to 1, such as 0.3")
}
