//! Rectangles in images.

use serde::{Serialize, Serializer};

/// A rectangle in an image, in shares of its width and height, from the upper left. Serialized as
/// `[left, top, width, height]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rect {
    /// The left edge.
    pub left: f64,
    /// The upper edge.
    pub top: f64,
    /// The distance between the left and the right edge.
    pub width: f64,
    /// The distance between the upper and the lower edge.
    pub height: f64,
}

impl Rect {
    /// The whole image.
    pub const WHOLE: Self = Self { left: 0.0, top: 0.0, width: 1.0, height: 1.0 };

    /// The right edge.
    #[must_use]
    pub fn right(self) -> f64 {
        self.left + self.width
    }

    /// The lower edge.
    #[must_use]
    pub fn bottom(self) -> f64 {
        self.top + self.height
    }
}

impl From<[f64; 4]> for Rect {
    fn from([left, top, width, height]: [f64; 4]) -> Self {
        Self { left, top, width, height }
    }
}

impl Serialize for Rect {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        [self.left, self.top, self.width, self.height].serialize(serializer)
    }
}
