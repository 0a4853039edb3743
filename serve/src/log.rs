//! The log: its filter and its format.

use std::io::{self, IsTerminal as _};

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{Directive, LevelFilter};

/// The level of targets without a directive.
const DEFAULT: LevelFilter = LevelFilter::INFO;
/// The targets that `showtell` stands for.
const SHOWTELL: [&str; 2] = ["serve", "models"];

/// The format of log lines.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Format {
    /// Plain text.
    Text,
    /// One JSON document per line.
    Json,
}

/// Starts the log. If standard error is closed or full, lines are lost.
pub(crate) fn start(filter: EnvFilter, format: Format) {
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal() && !is_color_disabled())
        // Otherwise it panics if standard error cannot be written.
        .log_internal_errors(false);
    match format {
        Format::Text => log.init(),
        Format::Json => log.json().flatten_event(true).with_span_list(false).init(),
    }
}

/// See <https://no-color.org>.
fn is_color_disabled() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// A log filter that cannot be parsed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FilterError {
    #[error("a level is missing")]
    Empty,
    #[error("`{0}` has no level")]
    NoLevel(String),
    #[error("`{0}` has no target")]
    NoTarget(String),
    #[error(
        "`{0}` is not a level (error, warn, info, debug, trace, off): for a target write {0}=debug"
    )]
    UnknownLevel(String),
    #[error("`{0}` is not TARGET=LEVEL")]
    Malformed(String),
}

/// Parses a level, or levels of targets: `warn`, `showtell=debug`, `warn,hyper=trace`. A target without a level is refused,
/// because it would silence all others.
///
/// # Errors
/// A [`FilterError`] for the first directive that cannot be parsed.
pub(crate) fn filter(text: &str) -> Result<EnvFilter, FilterError> {
    let mut filter = EnvFilter::default().add_directive(DEFAULT.into());
    for directive in text.split(',').map(str::trim) {
        for directive in parse(directive)? {
            filter = filter.add_directive(directive);
        }
    }
    Ok(filter)
}

fn parse(directive: &str) -> Result<Vec<Directive>, FilterError> {
    let owned = || directive.to_owned();
    let parse = |text: &str| text.parse().map_err(|_| FilterError::Malformed(owned()));
    match directive.split_once('=') {
        None if directive.is_empty() => Err(FilterError::Empty),
        None => match directive.parse::<LevelFilter>() {
            Ok(level) => Ok(vec![level.into()]),
            Err(_) => Err(FilterError::UnknownLevel(owned())),
        },
        Some(("", _)) => Err(FilterError::NoTarget(owned())),
        Some((_, "")) => Err(FilterError::NoLevel(owned())),
        Some(("showtell", level)) => {
            SHOWTELL.iter().map(|target| parse(&format!("{target}={level}"))).collect()
        }
        Some(_) => Ok(vec![parse(directive)?]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_targets_are_parsed() {
        let displayed = |text: &str| {
            let text = filter(text).unwrap().to_string();
            let mut parts = text.split(',').map(str::to_owned).collect::<Vec<_>>();
            parts.sort();
            parts.join(" ")
        };
        assert_eq!(displayed("info"), "info");
        assert_eq!(displayed("WARN"), "warn");
        assert_eq!(displayed("off"), "off");
        assert_eq!(displayed("showtell=debug"), "info models=debug serve=debug");
        assert_eq!(displayed("error, hyper=trace"), "error hyper=trace");
        assert_eq!(displayed("serve::listen=debug"), "info serve::listen=debug");
    }

    #[test]
    fn filters_that_would_silence_all_targets_are_refused() {
        for wrong in [
            "",
            "nonsense",
            "inf",
            "showtell",
            "serve=",
            "=debug",
            "serve=loud",
            "info,,",
            "serve[x",
        ] {
            assert!(filter(wrong).is_err(), "{wrong}");
        }
    }
}
