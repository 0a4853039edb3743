//! Scripts that complete commands and flags in a shell: those of all programs, and one that passes on to them.

use clap::ValueEnum;

use crate::programs::{Program, installed};

/// A shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Fish,
    Zsh,
}

impl Shell {
    fn name(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Fish => "fish",
            Self::Zsh => "zsh",
        }
    }
}

/// Prints the script of a shell.
///
/// # Errors
/// If a program fails, or the script cannot be printed.
pub(crate) fn print(shell: Shell) -> anyhow::Result<()> {
    let programs = installed()?;
    for program in &programs {
        common::program::print(program.generate(&[shell.name()])?)?;
    }
    common::program::print(front(shell, &programs))
}

/// The script of this command itself.
fn front(shell: Shell, programs: &[Program]) -> String {
    let names = programs.iter().map(|program| program.name).collect::<Vec<_>>().join(" ");
    match shell {
        Shell::Bash => format!(
            r#"_showtell() {{
    if [ "$COMP_CWORD" -le 1 ]; then
        COMPREPLY=($(compgen -W "{names} completions man --help --version" -- "${{COMP_WORDS[1]}}"))
        return
    fi
    [ "${{COMP_WORDS[1]}}" != completions ] || COMPREPLY=($(compgen -W "bash fish zsh" -- "${{COMP_WORDS[COMP_CWORD]}}"))
    local complete="_showtell__${{COMP_WORDS[1]}}"
    COMP_WORDS=("showtell-${{COMP_WORDS[1]}}" "${{COMP_WORDS[@]:2}}")
    COMP_CWORD=$((COMP_CWORD - 1))
    if declare -F "$complete" >/dev/null; then
        "$complete" "${{COMP_WORDS[0]}}" "${{COMP_WORDS[COMP_CWORD]}}" "${{COMP_WORDS[COMP_CWORD - 1]}}"
    fi
}}
complete -F _showtell -o bashdefault -o default showtell"#
        ),
        Shell::Zsh => format!(
            r#"_showtell() {{
    if (( CURRENT == 2 )); then
        compadd {names} completions man --help --version
        return
    fi
    [[ ${{words[2]}} != completions ]] || compadd bash fish zsh
    local complete="_showtell-${{words[2]}}"
    words=("showtell-${{words[2]}}" "${{(@)words[3,-1]}}")
    (( CURRENT -= 1 ))
    (( $+functions[$complete] )) && "$complete"
}}
compdef _showtell showtell"#
        ),
        Shell::Fish => fish(&names, programs),
    }
}

fn fish(names: &str, programs: &[Program]) -> String {
    let first = format!(
        "complete -c showtell -n __fish_use_subcommand -f -a '{names} completions man'\n\
         complete -c showtell -n '__fish_seen_subcommand_from completions' -f -a 'bash fish zsh'\n"
    );
    // The program is asked with the words of the line, of which the last one is not complete.
    let passed = programs.iter().map(|Program { name, .. }| {
        format!(
            "complete -c showtell -f -n 'contains -- {name} (commandline -opc)[2]' -a '(complete -C (string join -- \" \" \
             showtell-{name} (string escape -- (commandline -opc)[3..-1]) (commandline -ct)))'\n"
        )
    });
    std::iter::once(first).chain(passed).collect()
}
