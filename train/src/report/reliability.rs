//! Reliability diagrams of the confidence in captions, as the numbers of SVG drawings.

use serde::Serialize;

use crate::calibration::{Bin, Reliability, SetReliability};

/// Side of the square of both axes, and the margins for its numbers, in pixels.
const SIDE: f64 = 240.0;
const LEFT: f64 = 52.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = 36.0;
/// Number of parts of an axis.
const PARTS: usize = 4;

/// The reliability of the confidence of a run.
#[derive(Debug, Serialize)]
pub(super) struct RunReliability<'a> {
    /// Its name on the page.
    pub(super) name: &'a str,
    /// Its folder.
    pub(super) folder: &'a str,
    /// A diagram of each data set; none if the confidence is not calibrated.
    pub(super) diagrams: Vec<Diagram<'a>>,
}

/// The share of right captions against the confidence.
#[derive(Debug, Serialize)]
pub(super) struct Diagram<'a> {
    set: &'a str,
    captions: usize,
    /// The share of right captions.
    share: f64,
    reliability: &'a Reliability,
    width: f64,
    height: f64,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    ticks: Vec<Tick>,
    points: Vec<Point>,
    /// `x,y` for each bin.
    line: String,
}

#[derive(Debug, Serialize)]
struct Tick {
    x: f64,
    y: f64,
    text: String,
}

/// A bin in the drawing.
#[derive(Debug, Serialize)]
struct Point {
    x: f64,
    y: f64,
    /// The ends of the interval of its share.
    low: f64,
    high: f64,
    share: f64,
    interval: [f64; 2],
    #[serde(flatten)]
    bin: Bin,
}

impl<'a> Diagram<'a> {
    pub(super) fn new(of: &'a SetReliability) -> Self {
        let SetReliability { name, reliability } = of;
        let points = reliability.bins.iter().map(Point::new).collect::<Vec<_>>();
        let line = points.iter().map(|point| format!("{:.1},{:.1}", point.x, point.y));
        let tick = |at: usize| {
            let value = at as f64 / PARTS as f64;
            Tick { x: x(value), y: y(value), text: format!("{value:.2}") }
        };
        Self {
            set: name,
            captions: reliability.captions(),
            share: reliability.share(),
            reliability,
            // Half of the last number stands beyond the square.
            width: x(1.0) + LEFT / 2.0,
            height: TOP + SIDE + BOTTOM,
            left: x(0.0),
            right: x(1.0),
            top: y(1.0),
            bottom: y(0.0),
            ticks: (0..=PARTS).map(tick).collect(),
            line: line.collect::<Vec<_>>().join(" "),
            points,
        }
    }
}

impl Point {
    fn new(bin: &Bin) -> Self {
        let interval = bin.interval();
        let [low, high] = interval.map(y);
        let (share, bin) = (bin.share(), *bin);
        Self { x: x(bin.confidence), y: y(share), low, high, share, interval, bin }
    }
}

fn x(confidence: f64) -> f64 {
    LEFT + SIDE * confidence
}

fn y(share: f64) -> f64 {
    TOP + SIDE * (1.0 - share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_lie_at_their_confidence_and_share() {
        let reliability = Reliability::new(&[0.5, 0.5, 1.0], &[true, false, true]);
        let of = SetReliability { name: "small".to_owned(), reliability };
        let diagram = Diagram::new(&of);
        assert_eq!(diagram.captions, 3);
        assert_eq!(diagram.line, "172.0,8.0 172.0,248.0 292.0,8.0");
        assert_eq!(
            (diagram.left, diagram.bottom, diagram.right, diagram.top),
            (52.0, 248.0, 292.0, 8.0)
        );
        let texts = diagram.ticks.iter().map(|tick| tick.text.as_str()).collect::<Vec<_>>();
        assert_eq!(texts, ["0.00", "0.25", "0.50", "0.75", "1.00"]);
        for point in &diagram.points {
            assert!(point.high < point.y + 1e-9 && point.y < point.low + 1e-9, "{point:?}");
        }
    }
}
