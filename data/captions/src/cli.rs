//! The command line.

use std::path::PathBuf;

use clap::builder::RangedU64ValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use data::Split;

/// Data sets, tokens, vocabulary and scores of captions.
#[derive(Parser)]
#[command(name = "captions", version = common::version!())]
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
        /// Occurrences that a word needs in the training captions.
        #[arg(long, default_value_t = 5, value_name = "N")]
        min_count: usize,
    },
    /// Tokenize captions: one caption per line on stdin, its tokens on stdout.
    Tokenize,
    /// Score captions against references: BLEU, ROUGE-L, CIDEr, with 95 % intervals.
    Score(Score),
    /// Write the captions of a split as references for `captions score`.
    References {
        #[command(flatten)]
        source: Source,
        /// The split.
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
    /// Fetch COCO 2017: photos, captions and splits (20 GB to fetch, 41 GB on the disk).
    Coco2017(Coco2017),
    /// Convert a data set in JSON to captions.txt and split lists: Karpathy's `dataset_*.json`, or COCO's
    /// annotations. Existing captions and lists are replaced.
    Import {
        /// The data set.
        #[arg(value_name = "FILE")]
        data_set: PathBuf,
        /// The folder of Images, for captions.txt.
        #[arg(long, value_name = "DIR", default_value = "data")]
        out: PathBuf,
    },
    /// Draw a data set of scenes: pictures with captions, splits and the position of every object.
    Scenes(Scenes),
    /// Pointing score: the share of the attention of words for objects that falls on these objects, in captions of
    /// scenes.
    Looked {
        /// The objects, as written by `captions scenes`.
        #[arg(long, value_name = "FILE")]
        objects: PathBuf,
        /// Captions of the pictures, as printed by `caption --json --words`.
        #[arg(long, value_name = "FILE")]
        captions: PathBuf,
    },
    /// Count document frequencies of references, for CIDEr on sets that are too small for their own.
    Frequencies {
        /// References as JSON: `{"<id>": ["caption", …], …}`.
        #[arg(long, value_name = "FILE")]
        references: PathBuf,
        /// The frequencies to write, as JSON.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// The folder of COCO 2017, its splits, and photos to leave out.
#[derive(Args)]
pub(crate) struct Coco2017 {
    /// The folder for Images and captions.txt.
    #[arg(long, value_name = "DIR", default_value = "data/coco2017")]
    pub(crate) out: PathBuf,
    /// Karpathy's `dataset_coco.json`, for the splits of most publications [default: COCO's own: train and dev].
    #[arg(long, value_name = "FILE")]
    pub(crate) karpathy: Option<PathBuf>,
    /// A list of photos to leave out, such as those that other networks are scored on: names or ids, one a line.
    #[arg(long, value_name = "LIST")]
    pub(crate) exclude: Option<PathBuf>,
}

/// The folder, the number and the seed of scenes.
#[derive(Args)]
pub(crate) struct Scenes {
    /// The folder of the data set.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Scenes for training.
    #[arg(long, default_value_t = 1500, value_name = "N", value_parser = scene_count())]
    pub(crate) train: u64,
    /// Scenes that select the checkpoint.
    #[arg(long, default_value_t = 200, value_name = "N", value_parser = scene_count())]
    pub(crate) dev: u64,
    /// Scenes for the final evaluation.
    #[arg(long, default_value_t = 200, value_name = "N", value_parser = scene_count())]
    pub(crate) test: u64,
    /// The random seed: the same seed gives the same data set.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) seed: u64,
}

/// A number of scenes: the names of their files have five digits.
fn scene_count() -> RangedU64ValueParser {
    RangedU64ValueParser::new().range(..=30_000)
}

/// The captions and splits of a data set.
#[derive(Args)]
pub(crate) struct Source {
    /// Captions: CSV (`image,caption`) or `name.jpg#0<TAB>caption`.
    #[arg(long, value_name = "FILE")]
    pub(crate) captions: PathBuf,
    /// The folder of the split lists [default: the folder of the captions].
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
    /// Other captions of the same images, for a comparison with a significance test.
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
    /// A captions file, to count generated captions that are training captions.
    #[arg(long, value_name = "FILE")]
    pub(crate) captions: Option<PathBuf>,
    /// The folder of the split lists [default: the folder of the captions].
    #[arg(long, value_name = "DIR", requires = "captions")]
    pub(crate) splits: Option<PathBuf>,
    /// Also run the official METEOR 1.5, a Java program.
    #[arg(long)]
    pub(crate) meteor: bool,
    /// The jar of METEOR 1.5.
    #[arg(
        long,
        value_name = "FILE",
        default_value = ".native/pycocoevalcap/pycocoevalcap/meteor/meteor-1.5.jar"
    )]
    pub(crate) meteor_jar: PathBuf,
    /// Objects to count: one a line, the words that name it separated by spaces [default: Showtell's own list].
    #[arg(long, value_name = "FILE")]
    pub(crate) objects: Option<PathBuf>,
    /// Bootstrap resamples for the intervals.
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) resamples: u32,
    /// The random seed of the resamples.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) seed: u64,
}
