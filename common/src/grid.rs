//! The shape of a feature grid.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Shape of a feature grid: `[h, w, C]`, that is `h × w` cells of `C` channels. As an array it is `[cells, C]`, cells in
/// row-major order from the top left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct GridShape {
    /// Cells from top to bottom.
    pub height: usize,
    /// Cells from left to right.
    pub width: usize,
    /// Values in each cell.
    pub channels: usize,
}

impl GridShape {
    /// Number of cells, `h · w`.
    #[must_use]
    pub fn cells(self) -> usize {
        self.height * self.width
    }

    /// Number of values, `h · w · C`.
    #[must_use]
    pub fn values(self) -> usize {
        self.cells() * self.channels
    }
}

impl fmt::Display for GridShape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}×{}×{}", self.height, self.width, self.channels)
    }
}

impl From<GridShape> for [usize; 3] {
    fn from(shape: GridShape) -> Self {
        [shape.height, shape.width, shape.channels]
    }
}

impl From<[usize; 3]> for GridShape {
    fn from([height, width, channels]: [usize; 3]) -> Self {
        Self { height, width, channels }
    }
}

/// A [`GridShape`] as `[height, width, channels]` in a file: `#[serde(with = "common::sides")]`.
pub mod sides {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use super::GridShape;

    /// Writes the three sides.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(shape: &GridShape, serializer: S) -> Result<S::Ok, S::Error> {
        <[usize; 3]>::from(*shape).serialize(serializer)
    }

    /// Reads the three sides.
    ///
    /// # Errors
    /// Those of the deserializer.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<GridShape, D::Error> {
        <[usize; 3]>::deserialize(deserializer).map(GridShape::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_cells_and_values() {
        let shape = GridShape::from([7, 5, 3]);
        assert_eq!((shape.cells(), shape.values()), (35, 105));
        assert_eq!(shape.to_string(), "7×5×3");
        assert_eq!(<[usize; 3]>::from(shape), [7, 5, 3]);
    }
}
