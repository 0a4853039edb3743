//! The captions of an image as a tree: captions with the same beginning share its words.

use data::vocabulary::WordId;
use ndarray::{Array2, Axis};

/// A word of a caption.
#[derive(Debug)]
struct Node {
    /// The word before it.
    parent: Option<usize>,
    word: WordId,
    log_probability: f32,
    /// The row of the step that chose it, which holds its attention.
    row: usize,
}

/// All words of all captions.
#[derive(Debug, Default)]
pub(super) struct Tree(Vec<Node>);

/// The words of a caption with what the decoder computed for them.
#[derive(Debug)]
pub(super) struct Path {
    pub(super) words: Vec<WordId>,
    pub(super) log_probabilities: Vec<f32>,
    /// `[words, cells]`.
    pub(super) attention: Array2<f32>,
}

impl Tree {
    /// Adds a word after `parent`, from `row` of the current step; returns its node.
    pub(super) fn add(
        &mut self,
        parent: Option<usize>,
        word: WordId,
        log_probability: f32,
        row: usize,
    ) -> usize {
        self.0.push(Node { parent, word, log_probability, row });
        self.0.len() - 1
    }

    /// The word of a node.
    pub(super) fn word(&self, node: usize) -> WordId {
        self.0[node].word
    }

    /// The words up to `last`, the first one first.
    pub(super) fn words(&self, last: Option<usize>) -> Vec<WordId> {
        self.nodes(last).iter().map(|node| node.word).collect()
    }

    /// Collects the caption that ends in `last`. `attention` holds that of each step, `[rows, cells]`.
    pub(super) fn path(&self, last: Option<usize>, attention: &[Array2<f32>]) -> Path {
        let nodes = self.nodes(last);
        let cells = attention.first().map_or(0, |step| step.len_of(Axis(1)));
        let mut rows = Array2::zeros([nodes.len(), cells]);
        for ((node, step), mut row) in nodes.iter().zip(attention).zip(rows.outer_iter_mut()) {
            row.assign(&step.row(node.row));
        }
        Path {
            words: nodes.iter().map(|node| node.word).collect(),
            log_probabilities: nodes.iter().map(|node| node.log_probability).collect(),
            attention: rows,
        }
    }

    /// The nodes from the first word to `last`.
    fn nodes(&self, last: Option<usize>) -> Vec<&Node> {
        let parent = |node: &&Node| node.parent.map(|parent| &self.0[parent]);
        let last = last.map(|last| &self.0[last]);
        let mut nodes = std::iter::successors(last, parent).collect::<Vec<_>>();
        nodes.reverse();
        nodes
    }
}
