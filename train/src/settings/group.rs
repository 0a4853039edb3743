//! The definition of a group of settings.

/// Defines a group of settings as a struct. Each field is a flag (`--learning-rate`), a key of a table in `config.toml`
/// (`learning_rate`), and has a default and, where it needs one, a limit: `name: Type = default, limit;`.
macro_rules! settings {
    (
        $(#[$attribute:meta])*
        pub struct $group:ident {
            $($(#[$field_attribute:meta])* $name:ident: $type:ty = $default:expr $(, $limit:expr)?;)*
        }
    ) => {
        #[derive(Debug, Clone, PartialEq, clap::Args, serde::Serialize, serde::Deserialize)]
        $(#[$attribute])*
        #[serde(default)]
        pub struct $group {
            $(
                $(#[$field_attribute])*
                $(#[arg(value_parser = $crate::settings::Limit::<$type>::parser($limit))])?
                pub $name: $type,
            )*
        }

        impl Default for $group {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        impl $group {
            /// Refuses a value outside its limit.
            pub(crate) fn check_limits(&self) -> $crate::Result<()> {
                $($($crate::settings::Limit::check_flag($limit, stringify!($name), self.$name)?;)?)*
                Ok(())
            }
        }
    };
}
