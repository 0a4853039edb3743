//! Curves over epochs, as the numbers of an SVG drawing.

use serde::Serialize;

/// Size of the drawing and of the margin for its numbers, in pixels.
const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 220.0;
const MARGIN: f64 = 40.0;
/// Maximum number of spaces between horizontal lines.
const SPACES: f64 = 4.0;
/// Minimum range of the vertical axis.
const LEAST_RANGE: f64 = 0.1;

/// A drawing with a line for each run.
#[derive(Debug, Serialize)]
pub(super) struct Chart {
    title: String,
    width: f64,
    height: f64,
    left: f64,
    lines: Vec<Line>,
    ticks: Vec<Tick>,
    epochs: usize,
}

#[derive(Debug, Serialize)]
struct Line {
    run: usize,
    /// `x,y` for each epoch.
    points: String,
    /// `x` and `y` of the last epoch.
    end: Option<[f64; 2]>,
}

#[derive(Debug, Serialize)]
struct Tick {
    y: f64,
    text: String,
}

impl Chart {
    /// A chart of the values of each run, if any run has values.
    pub(super) fn new(title: &str, runs: &[Vec<f64>]) -> Option<Self> {
        let values = || runs.iter().flatten().copied();
        let (low, high) = (values().fold(f64::MAX, f64::min), values().fold(f64::MIN, f64::max));
        let epochs = runs.iter().map(Vec::len).max().filter(|epochs| *epochs > 0)?;
        let step = round_step((high - low).max(LEAST_RANGE));
        let first = (low / step).floor();
        let last = (high / step).ceil().max(first + 1.0);
        let spaces = (epochs.max(2) - 1) as f64;
        let x = |epoch: usize| MARGIN + (WIDTH - MARGIN) * epoch as f64 / spaces;
        let (bottom, height) = (HEIGHT - MARGIN / 2.0, HEIGHT - MARGIN);
        let y = |value: f64| bottom - height * (value / step - first) / (last - first);
        let line = |(run, values): (usize, &Vec<f64>)| {
            let points = values.iter().enumerate().map(|(epoch, &value)| [x(epoch), y(value)]);
            let points = points.collect::<Vec<_>>();
            let written = points.iter().map(|[x, y]| format!("{x:.1},{y:.1}"));
            Line { run, points: written.collect::<Vec<_>>().join(" "), end: points.last().copied() }
        };
        let decimals = (-step.log10().floor()).max(0.0) as usize;
        let tick = |at: usize| {
            let value = (first + at as f64) * step;
            Tick { y: y(value), text: format!("{value:.decimals$}") }
        };
        Some(Self {
            title: title.to_owned(),
            width: WIDTH,
            height: HEIGHT,
            left: MARGIN,
            lines: runs.iter().enumerate().map(line).collect(),
            ticks: (0..=(last - first) as usize).map(tick).collect(),
            epochs,
        })
    }
}

/// The smallest of 1, 2, 5, 10, … that divides a range into few steps.
fn round_step(range: f64) -> f64 {
    let least = range / SPACES;
    let power = 10.0_f64.powf(least.log10().floor());
    let round = [1.0, 2.0, 5.0].map(|digit| digit * power);
    round.into_iter().find(|&step| step >= least).unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_lie_between_round_numbers() {
        let chart = Chart::new("x", &[vec![1.1, 2.0, 4.9], vec![2.0]]).unwrap();
        assert_eq!(chart.lines[0].points, "40.0,195.5 250.0,155.0 460.0,24.5");
        assert_eq!(chart.lines[1].points, "40.0,155.0");
        assert_eq!((chart.epochs, chart.lines[1].end), (3, Some([40.0, 155.0])));
        let texts = |chart: &Chart| {
            chart.ticks.iter().map(|tick| tick.text.clone()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(texts(&chart), "1 2 3 4 5");
        assert_eq!(texts(&Chart::new("x", &[vec![49.12]]).unwrap()), "49.10 49.15");
        assert_eq!(texts(&Chart::new("x", &[vec![37.0, 55.2]]).unwrap()), "35 40 45 50 55 60");
        assert!(Chart::new("x", &[vec![], vec![]]).is_none());
    }
}
