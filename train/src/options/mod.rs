//! The command line.

mod changes;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::builder::{OsStringValueParser, TypedValueParser as _};
use clap::{Args, Parser, Subcommand, ValueEnum};
use data::Split;
use models::DeviceChoice;
use train::export::Weights;
use train::recipes::Recipe;

pub(crate) use self::changes::{Changes, SearchChanges};

/// The largest seed: TOML has no larger number.
const SEEDS: u64 = i64::MAX as u64;

/// Stage two: the attention LSTM, trained on the feature store.
#[derive(Parser)]
#[command(name = "train", version = data::version!())]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Train a network and export it.
    Fit(Fit),
    /// Train a network further, on the CIDEr-D of captions it says.
    Refine(Refine),
    /// Caption a split with the best checkpoint and score the captions.
    Evaluate(Evaluate),
    /// Write a page about runs: curves, scores, captions with their photos.
    Report(Report),
    /// Write the best checkpoint as ONNX, for `serve`.
    Export(Export),
}

#[derive(Args)]
pub(crate) struct Fit {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    #[command(flatten)]
    pub(crate) run: RunArgs,
    #[command(flatten)]
    pub(crate) machine: Machine,
    /// Go on with the run in the folder, with its own settings: others are refused, but for --epochs.
    #[arg(long)]
    pub(crate) resume: bool,
    /// Everything random follows from it [default: 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=SEEDS))]
    pub(crate) seed: Option<u64>,
    /// The network and how it is trained [default: adaptive].
    #[arg(long, value_enum)]
    pub(crate) recipe: Option<Recipe>,
    /// A file of settings that differ from the recipe's, in the tables of a run's config.toml; flags
    /// change them further.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) changes: Changes,
    /// How often a word must occur in the training captions [default: 5].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) min_count: Option<u32>,
    /// Licence of photos and captions, told with the model.
    #[arg(long, value_name = "TEXT")]
    pub(crate) data_licence: Option<String>,
}

#[derive(Args)]
pub(crate) struct Refine {
    /// The run whose best network is refined; a run that goes on knows it.
    #[arg(long, value_name = "DIR", required_unless_present = "resume")]
    pub(crate) from: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    #[command(flatten)]
    pub(crate) run: RunArgs,
    #[command(flatten)]
    pub(crate) machine: Machine,
    /// Go on with the run in the folder, with its own settings: others are refused, but for --epochs.
    #[arg(long)]
    pub(crate) resume: bool,
    /// Everything random follows from it [default: 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=SEEDS))]
    pub(crate) seed: Option<u64>,
    /// Captions that are drawn for an image; each is compared with the others [default: 5].
    #[arg(long, value_name = "N",
          value_parser = clap::value_parser!(u16).range(2..=100))]
    pub(crate) samples: Option<u16>,
    #[command(flatten)]
    pub(crate) changes: Changes,
}

#[derive(Args)]
pub(crate) struct Evaluate {
    /// The run folder. Several are averaged: repeat it, or put commas between them.
    #[arg(long = "run", default_value = "models/flickr8k", value_name = "DIR",
          value_parser = OsStringValueParser::new().map(Folders::of))]
    runs: Vec<Folders>,
    #[command(flatten)]
    pub(crate) machine: Machine,
    /// Which split.
    #[arg(long, value_enum, default_value = "dev")]
    pub(crate) split: SplitChoice,
    #[command(flatten)]
    pub(crate) search: SearchChanges,
    /// Where to write the scores as JSON; - is stdout.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Where to write the captions as JSON [default: captions-SPLIT.json in the run folder; none for several runs,
    /// and for another data set than the run's].
    #[arg(long, value_name = "FILE")]
    pub(crate) hypotheses: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) data: DataArgs,
}

impl Evaluate {
    /// The run folders.
    pub(crate) fn runs(&self) -> impl Iterator<Item = &Path> {
        self.runs.iter().flat_map(|Folders(folders)| folders).map(PathBuf::as_path)
    }
}

/// Folders with commas between them, or one whose name holds a comma.
#[derive(Clone)]
struct Folders(Vec<PathBuf>);

impl Folders {
    fn of(named: OsString) -> Self {
        match named.to_str() {
            Some(list) if !Path::new(list).exists() => {
                Self(list.split(',').map(PathBuf::from).collect())
            }
            _ => Self(vec![named.into()]),
        }
    }
}

/// Where data lies.
#[derive(Args)]
pub(crate) struct DataArgs {
    /// Captions: CSV (`image,caption`) or `name.jpg#0<TAB>caption` [default: of the run; of a new one
    /// data/captions.txt].
    #[arg(long, value_name = "FILE")]
    pub(crate) captions: Option<PathBuf>,
    /// The feature store that `extract` filled [default: of the run; of a new one features/flickr8k.h5].
    #[arg(long, value_name = "FILE")]
    pub(crate) store: Option<PathBuf>,
    /// Folder of the official split lists [default: the folder of the captions].
    #[arg(long, value_name = "DIR")]
    pub(crate) splits: Option<PathBuf>,
    /// Take captions, splits and photos although those of the train or dev split changed since the run was trained.
    #[arg(long)]
    pub(crate) accept_changed_data: bool,
}

#[derive(Args)]
pub(crate) struct Report {
    /// The run folders; the captions of the first one are shown, the others are compared with it.
    #[arg(required = true, value_name = "DIR")]
    pub(crate) runs: Vec<PathBuf>,
    /// The folder of the photos.
    #[arg(long, default_value = "data/Images", value_name = "DIR")]
    pub(crate) images: Option<PathBuf>,
    /// Where to write the page [default: report.html in the first run folder].
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) machine: Machine,
    #[command(flatten)]
    pub(crate) data: DataArgs,
}

#[derive(Args)]
pub(crate) struct Export {
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// What matrices are kept in; the network runs in 32-bit floats with both.
    #[arg(long, value_enum, default_value = "f32")]
    pub(crate) weights: Weights,
    /// Licence of photos and captions, told with the model [default: of the run].
    #[arg(long, value_name = "TEXT")]
    pub(crate) data_licence: Option<String>,
    /// Caption the dev split with the trained and with the exported network, and say how far they agree.
    #[arg(long)]
    pub(crate) check: bool,
    #[command(flatten)]
    pub(crate) search: SearchChanges,
    #[command(flatten)]
    pub(crate) data: DataArgs,
}

#[derive(Args)]
pub(crate) struct RunArgs {
    /// The run folder.
    #[arg(long = "run", default_value = "models/flickr8k", value_name = "DIR")]
    pub(crate) path: PathBuf,
}

#[derive(Args)]
pub(crate) struct Machine {
    /// Where libtorch runs: auto, cpu or cuda.
    #[arg(long, default_value_t, value_name = "DEVICE")]
    pub(crate) device: DeviceChoice,
    /// Threads of libtorch [default: all cores]. The same seed gives the same curve for the same
    /// number of threads.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum SplitChoice {
    /// The split that is trained on.
    Train,
    /// The split that chooses checkpoints.
    Dev,
    /// The held-out split.
    Test,
}

impl From<SplitChoice> for Split {
    fn from(choice: SplitChoice) -> Self {
        match choice {
            SplitChoice::Train => Self::Train,
            SplitChoice::Dev => Self::Dev,
            SplitChoice::Test => Self::Test,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_may_have_a_comma_in_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let [one, with_comma] = ["one", "a,b"].map(|name| folder.path().join(name));
        std::fs::create_dir(&with_comma).unwrap();
        let list = OsString::from(format!("{},two", one.display()));
        let parsed = |arguments: &[OsString]| {
            let mut all = vec!["train".into(), "evaluate".into()];
            all.extend(arguments.iter().flat_map(|run| ["--run".into(), run.clone()]));
            let Command::Evaluate(options) = Cli::parse_from(all).command else { panic!() };
            options.runs().map(Path::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(parsed(&[with_comma.clone().into(), list]), [with_comma, one, "two".into()]);
    }
}
