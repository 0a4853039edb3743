//! METEOR 1.5 (Denkowski and Lavie, WMT 2014), counted by the official program in Java; there is no
//! other implementation here.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::Item;
use crate::{Error, Result};

/// The name under which the score is printed.
pub const NAME: &str = "METEOR-1.5";

const INSTALLATION: &str = "  \
  METEOR is a program in Java. Install Java (Debian: apt-get install default-jre-headless), then the
  jar, 100 MB with its tables:
    make setup PART=meteor
  or
    python3 -m pip install --no-deps --target .native/pycocoevalcap pycocoevalcap==1.2
    captions score --meteor-jar .native/pycocoevalcap/pycocoevalcap/meteor/meteor-1.5.jar --meteor …";

/// The score of a set, and of each image, as fractions.
#[derive(Debug, Clone, PartialEq)]
pub struct Meteor {
    /// The score of the set, from summed statistics, not a mean.
    pub score: f64,
    /// The score of each image.
    pub per_image: Vec<f64>,
}

impl Meteor {
    /// Runs `meteor-1.5.jar` on the tokens of the items. Its paraphrases, `data/paraphrase-en.gz`, have to be beside it,
    /// as in the Python package `pycocoevalcap`.
    ///
    /// # Errors
    /// [`Error::Meteor`] if the jar or Java is missing, or the program fails.
    pub fn run(items: &[Item], jar: &Path) -> Result<Self> {
        if !jar.is_file() {
            return Err(missing(&format!("{} is missing", jar.display())));
        }
        Program::start(jar)?.score(items)
    }
}

/// The running program, which answers each line with a line.
struct Program {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    jar: PathBuf,
}

impl Program {
    fn start(jar: &Path) -> Result<Self> {
        let mut child = Command::new("java")
            .args(["-Xmx2G", "-Dfile.encoding=UTF-8", "-jar"])
            .arg(jar)
            .args(["-", "-", "-stdio", "-l", "en", "-norm"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| missing(&format!("the program `java` cannot be run: {error}")))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(missing("no pipe to the program `java`"));
        };
        Ok(Self { child, input, output: BufReader::new(output), jar: jar.to_path_buf() })
    }

    fn score(mut self, items: &[Item]) -> Result<Meteor> {
        let mut request = "EVAL".to_owned();
        for item in items {
            let references = item.references.iter().map(|tokens| plain(tokens));
            let captions = references.chain([plain(&item.hypothesis)]).collect::<Vec<_>>();
            self.send(&format!("SCORE ||| {}", captions.join(" ||| ")))?;
            request.push_str(" ||| ");
            request.push_str(self.receive()?.trim());
        }
        self.send(&request)?;
        let per_image = items.iter().map(|_| self.receive_number()).collect::<Result<_>>()?;
        Ok(Meteor { per_image, score: self.receive_number()? })
    }

    fn send(&mut self, line: &str) -> Result<()> {
        writeln!(self.input, "{line}")
            .and_then(|()| self.input.flush())
            .map_err(|_| self.ended_early())
    }

    fn receive(&mut self) -> Result<String> {
        let mut line = String::new();
        match self.output.read_line(&mut line) {
            Ok(length) if length > 0 => Ok(line),
            _ => Err(self.ended_early()),
        }
    }

    fn receive_number(&mut self) -> Result<f64> {
        let line = self.receive()?;
        line.trim().parse().map_err(|_| Error::Meteor {
            problem: format!("{} answered `{}`, not a number", self.jar.display(), line.trim()),
        })
    }

    fn ended_early(&self) -> Error {
        Error::Meteor {
            problem: format!(
                "the program ended early: run `java -jar {}` to see why (it needs `data/paraphrase-en.gz` \
                 beside it)",
                self.jar.display()
            ),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Tokens without the separator of the program.
fn plain(tokens: &[String]) -> String {
    tokens.iter().filter(|token| *token != "|||").cloned().collect::<Vec<_>>().join(" ")
}

fn missing(part: &str) -> Error {
    Error::Meteor { problem: format!("{part}\n{INSTALLATION}") }
}
