//! The views of an image, each encoded on its own.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A view of an image: the whole, or a variant that training adds to reduce overfitting.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum View {
    /// The whole image.
    Original,
    /// The whole image, mirrored left to right.
    Flip,
    /// The upper left, four fifths of width and height.
    TopLeft,
    /// The upper right.
    TopRight,
    /// The lower left.
    BottomLeft,
    /// The lower right.
    BottomRight,
}

impl View {
    /// The name in commands, settings and feature stores.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Original => "original",
            Self::Flip => "flip",
            Self::TopLeft => "top-left",
            Self::TopRight => "top-right",
            Self::BottomLeft => "bottom-left",
            Self::BottomRight => "bottom-right",
        }
    }

    /// The names of `views`, joined by `separator`.
    #[must_use]
    pub fn join(views: &[Self], separator: &str) -> String {
        views.iter().map(|view| view.name()).collect::<Vec<_>>().join(separator)
    }
}

impl fmt::Display for View {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn commands_settings_and_stores_use_the_same_names() {
        for &view in View::value_variants() {
            assert_eq!(View::from_str(view.name(), false), Ok(view));
            assert_eq!(serde_json::to_value(view).unwrap(), view.name());
        }
        assert!(View::from_str("upside-down", false).is_err());
    }
}
