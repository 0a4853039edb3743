//! Tokens beside the reference tokenizer itself, on generated text. It comes with METEOR
//! (`make setup PART=meteor`) and runs on Java; without it this is skipped.
#![expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")]

use std::fs;
use std::process::Command;

use data::tokens::tokenize;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use regex_automata::hybrid::regex::Regex;
use unicode_normalization::UnicodeNormalization as _;

const LINES: usize = 20_000;
/// Punctuation that the reference scorer removes.
const PUNCTUATION: [&str; 13] =
    ["''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";"];

/// Pieces of text for the rules, which are combined at random.
const PIECES: &str = "a I The dog DOG men's x P U.S. e.g. etc. p.m. A.M. No. fig. Mr. Dr. St. Inc. Co. \
    Jan. Mon. Calif. ill. Ore. Ph.D. Blvd. Mt. ft. vs. Bldg. Pty. ltd cannot Gonna lemme 'tis 'twas \
    's 'll n't don't can't ISN'T it's I'm o'clock O'Neil d'or y'all ma'am 'n' 'em ol' cap'n li'l '90s \
    '05 1st 10 5 2010 1,000 .5 10:30 1/2 1-1/2 \u{bd} 1\u{bd} 50% $ US$ \u{a3}5 # #tag @me & AT&T at&t \
    a&b &amp; &lt; &quot; &AMP; &nbsp; &mdash; + - -- --- = / \\ * ~ ^ | _ ( ) [ ] { } < > << <b> </b> \
    <a href='x'> :) :-( ^_^ -LRB- . ... .... ? ?! , ; : \" '' `` ` ' \u{201c} \u{201d} \u{2018} \
    \u{2019} \u{ab} \u{bb} \u{2013} \u{2026} \u{b0} \u{b2} \u{d7} \u{bf} \u{3002} caf\u{e9} stra\u{df}e \
    \u{72d7} \u{43c}\u{438}\u{440} so\u{ad}ft \u{a0} \u{200b} \u{1f600} http://x.com/a?b=c www.foo.com \
    bar.net me@x.com f.txt a.b.c 10/11/12 555-1234 (212)555-1234 T-shirt 3-year-old he/she/it C++ c# \
    S&P-500 non-U.S. mother-in-law's";

fn lines() -> impl Strategy<Value = String> {
    let pieces = PIECES.split_whitespace().collect::<Vec<_>>();
    let after = vec!["", " ", " ", ".", " .", ",", "'", "-", "/"];
    let piece = (select(pieces), select(after)).prop_map(|(piece, after)| [piece, after].concat());
    let joined = vec(piece, 1..7).prop_map(|pieces| pieces.concat());
    let soup = "[aAnNsStT 019.,'`\"_/&;:!?(){}<>@#$%*+=~^|\\\\-]{1,14}";
    prop_oneof![3 => joined, 1 => soup, 1 => "\\PC{1,10}"]
}

#[test]
fn generated_text_has_the_reference_tokens() {
    let Some(jar) = tests::meteor() else { return };
    let jar = jar.with_file_name("../tokenizer/stanford-corenlp-3.4.1.jar");
    let mut runner = TestRunner::default();
    // Tokens are in Unicode normal form C; those of the reference are not.
    let lines =
        (0..LINES).map(|_| lines().new_tree(&mut runner).unwrap().current().nfc().collect());
    // Letters are lower-cased as this Java knows them: those beyond the first plane not at all, and of the others those of
    // its version of Unicode. Line ends in a line would be two lines to the reference.
    let known = Regex::new(r"^\p{age=13.0}*$").unwrap();
    let mut cache = known.create_cache();
    let incomparable =
        |of: char| of > '\u{FFFF}' && of.is_alphabetic() || "\u{85}\u{2028}\u{2029}".contains(of);
    let lines = lines.filter(|line: &String| {
        known.is_match(&mut cache, line.as_str()) && !line.contains(incomparable)
    });
    let lines = lines.collect::<Vec<_>>();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lines.txt");
    // A line in between separates the end of one line from the next.
    fs::write(&file, lines.iter().flat_map(|line| [line, "\nx\n"]).collect::<String>()).unwrap();
    let output = Command::new("java")
        .args(["-Dfile.encoding=UTF-8", "-cp"])
        .arg(jar)
        .args(["edu.stanford.nlp.process.PTBTokenizer", "-preserveLines", "-lowerCase"])
        .arg(&file)
        .output()
        .unwrap();
    let reference = String::from_utf8(output.stdout).unwrap();
    let reference = reference.lines().step_by(2).collect::<Vec<_>>();
    assert_eq!(reference.len(), lines.len());
    for (line, reference) in lines.iter().zip(reference) {
        let kept = |token: &&str| !token.is_empty() && !PUNCTUATION.contains(token);
        let expected = reference.split(' ').filter(kept).collect::<Vec<_>>().join(" ");
        assert_eq!(tokenize(line).join(" "), expected, "{line:?}");
    }
}
