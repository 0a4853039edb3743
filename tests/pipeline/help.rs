//! Snapshots of the help of every program and subcommand: what users read changes only on purpose.

use crate::programs::program;

const PROGRAMS: [&str; 6] = ["caption", "captions", "encoder", "extract", "serve", "train"];

/// The help of a program or of a subcommand, without the version's revision.
fn help(words: &[&str]) -> String {
    let mut command = program(words[0]);
    let command = command.args(&words[1..]).arg("--help").env_clear().env("COLUMNS", "100");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{words:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The subcommands that a help lists.
fn subcommands(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let lines = lines.take_while(|line| !line.is_empty());
    let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = names.filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

#[test]
fn the_help_of_every_command_is_as_reviewed() {
    for name in PROGRAMS {
        let of_program = help(&[name]);
        for subcommand in subcommands(&of_program) {
            insta::assert_snapshot!(format!("{name}-{subcommand}"), help(&[name, &subcommand]));
        }
        insta::assert_snapshot!(name, of_program);
    }
}
