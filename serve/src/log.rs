//! The log: what is said, and in which form.

use std::io::{self, IsTerminal as _};

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{Directive, LevelFilter};

/// What is logged of whatever no directive names.
const REST: LevelFilter = LevelFilter::INFO;
/// The parts of the program that `showtell` stands for.
const PARTS: [&str; 3] = ["serve", "models", "data"];

/// How lines of the log look.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// A JSON document a line.
    Json,
}

/// Starts the log. A standard error that is closed or full loses lines, and nothing else.
pub(crate) fn start(filter: EnvFilter, format: Format) {
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal() && !colours_are_unwanted())
        // It would panic where standard error cannot be written.
        .log_internal_errors(false);
    match format {
        Format::Text => log.init(),
        Format::Json => log.json().flatten_event(true).with_span_list(false).init(),
    }
}

/// As <https://no-color.org> has it.
fn colours_are_unwanted() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// A level, or levels for parts of the program: `warn`, `showtell=debug`, `warn,hyper=trace`. A name without a level is
/// refused: it would silence all others.
pub(crate) fn filter(text: &str) -> Result<EnvFilter, String> {
    let mut filter = EnvFilter::default().add_directive(REST.into());
    for directive in text.split(',').map(str::trim) {
        for directive in parse(directive)? {
            filter = filter.add_directive(directive);
        }
    }
    Ok(filter)
}

fn parse(directive: &str) -> Result<Vec<Directive>, String> {
    let of = |text: &str| {
        text.parse::<Directive>().map_err(|_| format!("`{directive}` is not PART=LEVEL"))
    };
    match directive.split_once('=') {
        None if directive.is_empty() => Err("a level is missing".into()),
        None => match directive.parse::<LevelFilter>() {
            Ok(level) => Ok(vec![level.into()]),
            Err(_) => Err(format!(
                "`{directive}` is not a level (error, warn, info, debug, trace, off); for a part of the program \
                 write {directive}=debug"
            )),
        },
        Some(("", _)) => Err(format!("`{directive}` names no part of the program")),
        Some((_, "")) => Err(format!("`{directive}` has no level")),
        Some(("showtell", level)) => {
            PARTS.iter().map(|part| of(&format!("{part}={level}"))).collect()
        }
        Some(_) => Ok(vec![of(directive)?]),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_parts_are_understood() {
        let shown = |text: &str| {
            let text = filter(text).unwrap().to_string();
            let mut parts = text.split(',').map(str::to_owned).collect::<Vec<_>>();
            parts.sort();
            parts.join(" ")
        };
        assert_eq!(shown("info"), "info");
        assert_eq!(shown("WARN"), "warn");
        assert_eq!(shown("off"), "off");
        assert_eq!(shown("showtell=debug"), "data=debug info models=debug serve=debug");
        assert_eq!(shown("error, hyper=trace"), "error hyper=trace");
        assert_eq!(shown("serve::listen=debug"), "info serve::listen=debug");
    }

    #[test]
    fn what_would_silence_everything_is_refused() {
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
