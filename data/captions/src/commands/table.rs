//! The table of scores: times 100, with intervals.

use std::fmt::{self, Display, Formatter};

use data::metrics::NAMES;
use data::metrics::bootstrap::{Bootstrap, Interval};
use data::metrics::meteor;
use data::metrics::statistics::CaptionStatistics;

use super::score::{Against, ObjectScores, Report};

impl Display for Report {
    fn fmt(&self, out: &mut Formatter) -> fmt::Result {
        writeln!(out, "{} images\n", self.images)?;
        writeln!(out, "{:<11}{:>7}   95 % interval", "", "score")?;
        let names = NAMES.into_iter().chain([meteor::NAME]);
        for (name, score) in names.filter_map(|name| Some((name, self.scores.get(name)?))) {
            let range = self.intervals.get(name).map(range).unwrap_or_default();
            writeln!(out, "{}", format!("{name:<11}{:>7.2}   {range}", 100.0 * score).trim_end())?;
        }
        if let Some(against) = &self.against {
            write_against(out, against)?;
        }
        writeln!(out)?;
        write_statistics(out, &self.health)?;
        write_objects(out, &self.objects)?;
        writeln!(out, "\nprotocol: {}", self.protocol)?;
        writeln!(out, "document frequencies of CIDEr: {}", self.document_frequencies)?;
        let Bootstrap { resamples, seed } = self.bootstrap;
        writeln!(out, "intervals: {resamples} resamples of the images, seed {seed}")
    }
}

fn write_against(out: &mut Formatter, against: &Against) -> fmt::Result {
    writeln!(out)?;
    writeln!(out, "against {}", against.hypotheses)?;
    writeln!(out, "{:<11}{:>7}{:>12}   95 % interval       p", "", "score", "difference")?;
    for (name, score) in against.scores.iter() {
        let Some(compared) = against.differences.get(name) else { continue };
        let verdict = if compared.beyond_noise { "beyond noise" } else { "within noise" };
        let (score, difference) = (100.0 * score, 100.0 * compared.difference);
        let range = range(&compared.interval);
        writeln!(
            out,
            "{name:<11}{score:>7.2}{difference:>+12.2}   {range:<17}  {:.3}   {verdict}",
            compared.p_value
        )?;
    }
    Ok(())
}

fn write_statistics(out: &mut Formatter, statistics: &CaptionStatistics) -> fmt::Result {
    let distinct = statistics.distinct_captions as f64 / statistics.captions.max(1) as f64;
    writeln!(out, "vocabulary used     {} words", statistics.vocabulary)?;
    let (count, all) = (statistics.distinct_captions, statistics.captions);
    writeln!(out, "distinct captions   {count} of {all}, {:.1} %", 100.0 * distinct)?;
    writeln!(out, "mean length         {:.2} words", statistics.mean_length)?;
    writeln!(out, "open last word      {:.1} %", 100.0 * statistics.unfinished)?;
    if let Some(seen) = statistics.seen_in_training {
        writeln!(out, "seen in training    {:.1} %", 100.0 * seen)?;
    }
    Ok(())
}

fn write_objects(out: &mut Formatter, objects: &ObjectScores) -> fmt::Result {
    let (recall, invented) = (100.0 * objects.recall, objects.invented_per_caption);
    writeln!(out, "object recall       {recall:.1} % ({})", range(&objects.recall_interval))?;
    let [from, to] = objects.invented_interval;
    writeln!(out, "invented objects    {invented:.2} per caption ({from:.2} to {to:.2})")
}

fn range([from, to]: &Interval) -> String {
    format!("{:.2} to {:.2}", 100.0 * from, 100.0 * to)
}
