//! The command line.

pub(crate) mod score;
mod table;

use std::path::PathBuf;

use clap::builder::RangedU64ValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use data::Split;

/// Captions without images: tokens, vocabulary and scores.
#[derive(Parser)]
#[command(name = "captions", version = data::version!())]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Count the words of the training captions and keep the frequent ones.
    Vocabulary {
        #[command(flatten)]
        source: Source,
        /// The vocabulary to write, as JSON.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// How often a word must occur in the training captions.
        #[arg(long, default_value_t = 5, value_name = "N")]
        min_count: usize,
    },
    /// Show the tokens of captions: a caption a line on stdin, its tokens on stdout.
    Tokenize,
    /// Score captions against references: BLEU, ROUGE-L, CIDEr, with 95 % intervals.
    Score(Score),
    /// Write the captions of a split as references to score against.
    References {
        #[command(flatten)]
        source: Source,
        /// The images whose captions are written.
        #[arg(long, value_enum, default_value_t = SplitName::Dev)]
        split: SplitName,
        /// The references to write, as JSON: `{"<id>": ["caption", …], …}`.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Fetch Flickr8k: photos, captions and splits (1.1 GB; for research and teaching).
    Flickr8k {
        /// The folder for Images and captions.txt.
        #[arg(long, value_name = "DIR", default_value = "data")]
        out: PathBuf,
    },
    /// Bring a data set in JSON to captions.txt and lists of its splits: Karpathy's `dataset_*.json`, or
    /// COCO's annotations. Captions and lists that are there already are replaced.
    Import {
        /// The data set.
        #[arg(value_name = "FILE")]
        data_set: PathBuf,
        /// The folder for captions.txt, beside Images.
        #[arg(long, value_name = "DIR", default_value = "data")]
        out: PathBuf,
    },
    /// Draw a data set of scenes: pictures with captions, splits, and where every object lies.
    Scenes(Scenes),
    /// How much of the attention of words for objects lies on these, in captions of scenes.
    Looked {
        /// Where the objects lie, as `captions scenes` wrote it.
        #[arg(long, value_name = "FILE")]
        objects: PathBuf,
        /// Captions of the pictures, as `caption --json` writes them.
        #[arg(long, value_name = "FILE")]
        captions: PathBuf,
    },
    /// Count document frequencies over references, for CIDEr on sets too small to count their own.
    Frequencies {
        /// References as JSON: `{"<id>": ["caption", …], …}`.
        #[arg(long, value_name = "FILE")]
        references: PathBuf,
        /// The frequencies to write, as JSON.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// Where scenes are drawn, and how many.
#[derive(Args)]
pub(crate) struct Scenes {
    /// The folder of the data set.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Scenes to train on.
    #[arg(long, default_value_t = 1500, value_name = "N", value_parser = scenes())]
    pub(crate) train: u64,
    /// Scenes that choose the checkpoint.
    #[arg(long, default_value_t = 200, value_name = "N", value_parser = scenes())]
    pub(crate) dev: u64,
    /// Scenes that are kept for the end.
    #[arg(long, default_value_t = 200, value_name = "N", value_parser = scenes())]
    pub(crate) test: u64,
    /// What the scenes are drawn from: the same seed, the same data set.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) seed: u64,
}

/// Numbers of scenes: their files have numbers of five digits.
fn scenes() -> RangedU64ValueParser {
    RangedU64ValueParser::new().range(..=30_000)
}

/// A data set's captions and how its images are split.
#[derive(Args)]
pub(crate) struct Source {
    /// Captions: CSV (`image,caption`) or `name.jpg#0<TAB>caption`.
    #[arg(long, value_name = "FILE")]
    pub(crate) captions: PathBuf,
    /// Folder of the official split lists [default: the folder of the captions].
    #[arg(long, value_name = "DIR")]
    pub(crate) splits: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum SplitName {
    Train,
    Dev,
    Test,
}

impl From<SplitName> for Split {
    fn from(name: SplitName) -> Self {
        match name {
            SplitName::Train => Self::Train,
            SplitName::Dev => Self::Dev,
            SplitName::Test => Self::Test,
        }
    }
}

#[derive(Args)]
pub(crate) struct Score {
    /// References as JSON: `{"<id>": ["caption", …], …}`.
    #[arg(long, value_name = "FILE")]
    pub(crate) references: PathBuf,
    /// The captions to score as JSON: `{"<id>": "caption", …}`.
    #[arg(long, value_name = "FILE")]
    pub(crate) hypotheses: PathBuf,
    /// Other captions of the same images, to compare with: is the difference beyond noise?
    #[arg(long, value_name = "FILE")]
    pub(crate) against: Option<PathBuf>,
    /// Write the scores as JSON (`-` is stdout, instead of the table).
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write tokens and scores of each image as JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) per_image: Option<PathBuf>,
    /// Document frequencies for CIDEr from `captions frequencies` [default: of the references].
    #[arg(long, value_name = "FILE")]
    pub(crate) document_frequencies: Option<PathBuf>,
    /// A captions file: how many captions are training captions, word for word?
    #[arg(long, value_name = "FILE")]
    pub(crate) captions: Option<PathBuf>,
    /// Folder of the official split lists [default: the folder of the captions].
    #[arg(long, value_name = "DIR", requires = "captions")]
    pub(crate) splits: Option<PathBuf>,
    /// Run the official METEOR 1.5, a program in Java, as well.
    #[arg(long)]
    pub(crate) meteor: bool,
    /// The jar of METEOR 1.5.
    #[arg(
        long,
        value_name = "FILE",
        default_value = ".native/pycocoevalcap/pycocoevalcap/meteor/meteor-1.5.jar"
    )]
    pub(crate) meteor_jar: PathBuf,
    /// Sets of images drawn for the intervals.
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) resamples: u32,
    /// The seed of the draws.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) seed: u64,
}
