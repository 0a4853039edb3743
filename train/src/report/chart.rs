//! Curves over epochs, as the numbers of an SVG drawing.

use serde::Serialize;

/// Sides of the drawing, and of the margin for its numbers.
const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 220.0;
const MARGIN: f64 = 40.0;
/// Lines across the drawing.
const TICKS: usize = 4;

/// A drawing with a line for each run.
#[derive(Debug, Serialize)]
pub(super) struct Chart {
    title: &'static str,
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
}

#[derive(Debug, Serialize)]
struct Tick {
    y: f64,
    text: String,
}

impl Chart {
    /// Nothing, if no run has values.
    pub(super) fn new(title: &'static str, runs: &[Vec<f64>]) -> Option<Self> {
        let values = || runs.iter().flatten().copied();
        let (low, high) =
            values().fold((f64::MAX, f64::MIN), |(low, high), of| (low.min(of), high.max(of)));
        let epochs = runs.iter().map(Vec::len).max().filter(|epochs| *epochs > 0)?;
        let range = (high - low).max(1e-9);
        let x =
            |epoch: usize| MARGIN + (WIDTH - MARGIN) * epoch as f64 / (epochs.max(2) - 1) as f64;
        let y = |value: f64| HEIGHT - MARGIN / 2.0 - (HEIGHT - MARGIN) * (value - low) / range;
        let line = |(run, values): (usize, &Vec<f64>)| {
            let points = values.iter().enumerate();
            let points = points.map(|(epoch, &value)| format!("{:.1},{:.1}", x(epoch), y(value)));
            Line { run, points: points.collect::<Vec<_>>().join(" ") }
        };
        let tick = |at: usize| {
            let value = low + range * at as f64 / TICKS as f64;
            Tick { y: y(value), text: format!("{value:.*}", if range < 10.0 { 2 } else { 0 }) }
        };
        Some(Self {
            title,
            width: WIDTH,
            height: HEIGHT,
            left: MARGIN,
            lines: runs.iter().enumerate().map(line).collect(),
            ticks: (0..=TICKS).map(tick).collect(),
            epochs,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_fill_the_drawing() {
        let chart = Chart::new("x", &[vec![1.0, 2.0, 3.0], vec![2.0]]).unwrap();
        assert_eq!(chart.lines[0].points, "40.0,200.0 250.0,110.0 460.0,20.0");
        assert_eq!(chart.lines[1].points, "40.0,110.0");
        assert_eq!((chart.epochs, chart.ticks[0].text.as_str()), (3, "1.00"));
        assert!(Chart::new("x", &[vec![], vec![]]).is_none());
    }
}
