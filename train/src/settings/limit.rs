//! Limits of settings.

use std::fmt::{self, Display};
use std::str::FromStr;

use crate::{Error, Result};

/// The values that a setting may have. Neither NaN nor infinity is ever one of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Limit<T> {
    /// This value, or a larger one.
    AtLeast(T),
    /// A larger value.
    Above(T),
    /// One of these two values, or one between them.
    Between(T, T),
}

impl<T: Number> Limit<T> {
    fn allows(self, value: T) -> bool {
        value.is_finite()
            && match self {
                Self::AtLeast(least) => value >= least,
                Self::Above(bound) => value > bound,
                Self::Between(least, most) => (least..=most).contains(&value),
            }
    }

    /// Refuses a value outside the limit.
    pub(crate) fn check(self, name: &str, value: T) -> Result<()> {
        if self.allows(value) {
            return Ok(());
        }
        let (name, value) = (name.to_owned(), value.to_string());
        Err(Error::Setting { name, value, limit: self.to_string() })
    }

    /// [`check`](Self::check) of a field that is a flag.
    pub(crate) fn check_flag(self, field: &str, value: T) -> Result<()> {
        self.check(&format!("--{}", field.replace('_', "-")), value)
    }
}

impl<T> Limit<T>
where
    T: Number + FromStr<Err: std::error::Error + Send + Sync + 'static> + Send + Sync + 'static,
{
    /// A parser of flags.
    pub(crate) fn parser(self) -> impl Fn(&str) -> Result<T, BoxedError> + Clone + use<T> {
        move |text| {
            let value = text.parse::<T>()?;
            if self.allows(value) { Ok(value) } else { Err(format!("it must be {self}").into()) }
        }
    }
}

type BoxedError = Box<dyn std::error::Error + Send + Sync>;

impl<T: Display> Display for Limit<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::AtLeast(least) => write!(formatter, "{least} or more"),
            Self::Above(bound) => write!(formatter, "a number above {bound}"),
            Self::Between(least, most) => write!(formatter, "between {least} and {most}"),
        }
    }
}

/// A number of a setting.
pub(crate) trait Number: Copy + PartialOrd + Display {
    fn is_finite(self) -> bool;
}

macro_rules! integers {
    ($($type:ty)*) => {$(
        impl Number for $type {
            fn is_finite(self) -> bool {
                true
            }
        }
    )*};
}

integers!(i64 u64 usize);

impl Number for f32 {
    fn is_finite(self) -> bool {
        f32::is_finite(self)
    }
}

impl Number for f64 {
    fn is_finite(self) -> bool {
        f64::is_finite(self)
    }
}
