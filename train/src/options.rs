//! The command line.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::ensure;
use clap::builder::{OsStringValueParser, TypedValueParser as _};
use clap::{Arg, Args, Parser, Subcommand, ValueEnum};
use common::View;
use data::Split;
use models::DeviceChoice;
use models::neighbours::NeighbourSettings;
use train::export::Weights;
use train::provenance::OnChange;
use train::settings::{Changes, Distillation, Recipe, Refinement, SearchFlags, Training};

/// Stage two: the attention LSTM, trained on the feature store.
#[derive(Parser)]
#[command(name = "train", version = common::version!())]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Train a network and export it.
    #[command(mut_arg("text_batch", with_text), mut_arg("text_weight", with_text))]
    Fit(FitArgs),
    /// Refine a trained network by self-critical training on CIDEr-D.
    #[command(
        mut_arg("text_batch", without_text::<usize>),
        mut_arg("text_weight", without_text::<f64>)
    )]
    Refine(RefineArgs),
    /// Train one network on the word probabilities and the captions of several others, the teachers.
    #[command(
        mut_arg("text_batch", without_text::<usize>),
        mut_arg("text_weight", without_text::<f64>)
    )]
    Distil(DistilArgs),
    /// Caption a split with the best checkpoint and score the captions.
    Evaluate(EvaluateArgs),
    /// Write a report on runs as a page: curves, scores, captions with their photos.
    Report(ReportArgs),
    /// Export the best checkpoint as ONNX, for `serve`.
    Export(ExportArgs),
    /// Make the neighbour index of a model: captions of similar training images choose among those of the search.
    Neighbours(NeighbourArgs),
    /// Calibrate the confidence in captions of an exported run with a neighbour index, on its dev split.
    Calibrate(CalibrateArgs),
}

/// A flag that counts only with captions without photos.
fn with_text(flag: Arg) -> Arg {
    flag.requires("text")
}

/// The same flag of a command that has no such captions.
fn without_text<T: Clone + Send + Sync + 'static>(flag: Arg) -> Arg {
    let refuse =
        |_: &str| Err::<T, _>("captions without photos belong to `train fit`; leave it out");
    flag.hide(true).value_parser(refuse)
}

/// Options of the commands that train.
#[derive(Args)]
pub(crate) struct TrainArgs {
    #[command(flatten)]
    pub(crate) data: WeightedDataArgs,
    #[command(flatten)]
    pub(crate) run: RunArgs,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
    /// Resume the run in the folder with its own settings; others are refused, except --epochs.
    #[arg(long)]
    pub(crate) resume: bool,
    #[command(flatten)]
    pub(crate) training: Changes<Training>,
}

#[derive(Args)]
pub(crate) struct FitArgs {
    /// Network and its default hyperparameters [default: adaptive].
    #[arg(long, value_enum)]
    pub(crate) recipe: Option<Recipe>,
    /// File of settings that differ from the recipe's, in the tables of a run's config.toml; flags take precedence.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Minimum number of occurrences of a word in the training captions [default: 5].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) min_count: Option<u32>,
    /// File of captions without photos, from which the network learns language (adaptive): a caption a line, after the last
    /// tab; may be compressed with gzip.
    #[arg(long, value_name = "FILE")]
    pub(crate) text: Option<PathBuf>,
    /// Licence of photos and captions, recorded with the model.
    #[arg(long, value_name = "TEXT")]
    pub(crate) data_licence: Option<String>,
    #[command(flatten)]
    pub(crate) train: TrainArgs,
}

#[derive(Args)]
pub(crate) struct RefineArgs {
    #[command(flatten)]
    pub(crate) refinement: Changes<Refinement>,
    #[command(flatten)]
    pub(crate) train: TrainArgs,
}

#[derive(Args)]
pub(crate) struct DistilArgs {
    #[command(flatten)]
    pub(crate) distillation: Changes<Distillation>,
    /// File of what the teachers teach; it is made if it is missing, and used again by runs with the same teachers and
    /// settings [default: lessons.safetensors in the run folder].
    #[arg(long, value_name = "FILE")]
    pub(crate) lessons: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) train: TrainArgs,
}

#[derive(Args)]
pub(crate) struct EvaluateArgs {
    /// Run folder; repeat it or separate folders by commas to average several runs.
    #[arg(long = "run", default_value = "models/flickr8k", value_name = "DIR",
          value_parser = OsStringValueParser::new().map(Folders::parse))]
    runs: Vec<Folders>,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
    /// Split to caption.
    #[arg(long, value_enum, default_value = "dev")]
    pub(crate) split: SplitChoice,
    #[command(flatten)]
    pub(crate) search: SearchFlags,
    /// Views whose word probabilities are averaged, separated by commas; the original is always one of them [default: those
    /// that the run was trained on, if the store has them].
    #[arg(long, value_enum, value_name = "LIST", value_delimiter = ',')]
    pub(crate) views: Vec<View>,
    /// Neighbour index that chooses among the captions of the search [default: that of the run, if it has one].
    #[arg(long, value_name = "FILE", conflicts_with = "no_neighbours")]
    pub(crate) neighbours: Option<PathBuf>,
    /// Rank captions by the network alone.
    #[arg(long)]
    pub(crate) no_neighbours: bool,
    /// File for the scores as JSON; - is stdout.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// File for the captions as JSON [default: captions-SPLIT.json in the run folder; none for several runs or another
    /// data set than the run's].
    #[arg(long, value_name = "FILE")]
    pub(crate) hypotheses: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) data: DataArgs,
}

impl EvaluateArgs {
    /// The run folders.
    pub(crate) fn runs(&self) -> impl Iterator<Item = &Path> {
        self.runs.iter().flat_map(|Folders(folders)| folders).map(PathBuf::as_path)
    }
}

/// Folders separated by commas, or one whose name has a comma.
#[derive(Clone)]
struct Folders(Vec<PathBuf>);

impl Folders {
    fn parse(named: OsString) -> Self {
        match named.to_str() {
            Some(list) if !Path::new(list).exists() => {
                Self(list.split(',').map(PathBuf::from).collect())
            }
            _ => Self(vec![named.into()]),
        }
    }
}

/// The data sets. The first of each repeated flag is for the first set, and so on.
#[derive(Args)]
pub(crate) struct DataArgs {
    /// Captions: CSV (`image,caption`) or `name.jpg#0<TAB>caption` [default: of the run, or data/captions.txt for a new
    /// run]. Repeat it and --store for several data sets.
    #[arg(long, value_name = "FILE")]
    pub(crate) captions: Vec<PathBuf>,
    /// Feature store, as written by `extract` [default: of the run, or features/flickr8k.h5 for a new run]. Repeat it for
    /// several data sets.
    #[arg(long, value_name = "FILE")]
    pub(crate) store: Vec<PathBuf>,
    /// Folder of the official split lists [default: the folder of the captions]. Repeat it for several data sets.
    #[arg(long, value_name = "DIR")]
    pub(crate) splits: Vec<PathBuf>,
    /// Accept captions, splits and photos of the train or dev split that changed since the run was trained.
    #[arg(long)]
    accept_changed_data: bool,
}

impl DataArgs {
    /// Treatment of changed data.
    pub(crate) fn on_change(&self) -> OnChange {
        if self.accept_changed_data { OnChange::Warn } else { OnChange::Refuse }
    }
}

/// The data sets to train on.
#[derive(Args)]
pub(crate) struct WeightedDataArgs {
    #[command(flatten)]
    pub(crate) sets: DataArgs,
    /// Weight of a data set: how often an epoch shows each of its training images, and how much its dev scores count
    /// [default: of the run, or 1 for a new run]. Repeat it for several data sets.
    #[arg(long, value_name = "X")]
    pub(crate) data_weight: Vec<f64>,
}

#[derive(Args)]
pub(crate) struct ReportArgs {
    /// Run folders; the captions of the first one are shown, the others are compared with it.
    #[arg(required = true, value_name = "DIR")]
    pub(crate) runs: Vec<PathBuf>,
    /// Folder of the photos; repeat it for each of several data sets.
    #[arg(long, default_value = "data/Images", value_name = "DIR")]
    pub(crate) images: Vec<PathBuf>,
    /// File for the page [default: report.html in the first run folder].
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
    #[command(flatten)]
    pub(crate) data: DataArgs,
}

#[derive(Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// Number format of matrices.
    #[arg(long, value_enum, default_value = "f32")]
    pub(crate) weights: Weights,
    /// Licence of photos and captions, recorded with the model [default: of the run].
    #[arg(long, value_name = "TEXT")]
    pub(crate) data_licence: Option<String>,
    /// Caption the dev split with the trained and the exported network, and compare the captions.
    #[arg(long)]
    pub(crate) check: bool,
    #[command(flatten)]
    pub(crate) search: SearchFlags,
    #[command(flatten)]
    pub(crate) data: DataArgs,
}

#[derive(Args)]
pub(crate) struct CalibrateArgs {
    #[command(flatten)]
    pub(crate) run: RunArgs,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
    #[command(flatten)]
    pub(crate) search: SearchFlags,
    #[command(flatten)]
    pub(crate) data: DataArgs,
}

#[derive(Args)]
pub(crate) struct NeighbourArgs {
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// Number of values of a vector, each a byte [default: one for each channel].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) dimensions: Option<u16>,
    /// Number of neighbours.
    #[arg(long, default_value_t = 40, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    neighbours: u16,
    /// Weight of the neighbours against the score of the search.
    #[arg(long, default_value_t = 8.0, value_name = "X", value_parser = parse_weight)]
    weight: f32,
    /// Weight of the agreement with the words that the photo makes probable.
    #[arg(long, default_value_t = 4.0, value_name = "X", value_parser = parse_weight)]
    word_weight: f32,
    /// Numbers of the data sets whose photos are neighbours, counted from 1 and separated by commas; the captions of the
    /// others are not in the index, which learns probable words from all [default: all].
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = clap::value_parser!(u16).range(1..))]
    sets: Vec<u16>,
    /// Licence of the captions, recorded in the index [default: of the run].
    #[arg(long, value_name = "TEXT")]
    pub(crate) data_licence: Option<String>,
    /// File for the index [default: neighbours.cbor in the run folder].
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) data: DataArgs,
}

fn parse_weight(text: &str) -> anyhow::Result<f32> {
    let weight = text.parse::<f32>()?;
    ensure!(weight.is_finite() && weight >= 0.0, "it must be a number of at least 0");
    Ok(weight)
}

impl NeighbourArgs {
    /// The data sets whose photos are neighbours, counted from 0; `None` for all.
    pub(crate) fn neighbour_sets(&self) -> Option<Vec<usize>> {
        let sets = self.sets.iter().map(|&set| usize::from(set) - 1).collect::<Vec<_>>();
        (!sets.is_empty()).then_some(sets)
    }

    /// How much neighbours count.
    pub(crate) fn settings(&self) -> NeighbourSettings {
        let (neighbours, weight) = (self.neighbours.into(), self.weight);
        let word_weight = self.word_weight;
        NeighbourSettings { neighbours, weight, word_weight, ..NeighbourSettings::default() }
    }
}

#[derive(Args)]
pub(crate) struct RunArgs {
    /// Run folder.
    #[arg(long = "run", default_value = "models/flickr8k", value_name = "DIR")]
    pub(crate) path: PathBuf,
}

#[derive(Args)]
pub(crate) struct DeviceArgs {
    /// Device of libtorch.
    #[arg(long, default_value_t, value_name = "DEVICE")]
    pub(crate) device: DeviceChoice,
    /// Threads that train and generate [default: all cores]. The same seed gives the same curve for the same
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
