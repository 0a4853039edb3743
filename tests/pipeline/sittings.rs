//! The table, the file and the comparison of `make bench`.

use tests::figures::{Figure, Goal, Line, RATIO, Skipped};
use tests::machine::Machine;
use tests::sitting::Sitting;

const PROCESSOR: &str = "processor\t: 0\ncpu family\t: 25\nmodel\t\t: 1\nmodel name\t: AMD EPYC\n\
    flags\t\t: fpu avx512f avx512_bf16\n";

/// A sitting of the bench of scores, in which the peer took these seconds.
fn sitting(processor: &str, peer: [f64; 3]) -> Sitting {
    let machine = Machine::parse(processor, "MemTotal:       16384000 kB", "6.1.0", 2);
    let mut sitting = Sitting::new("1a2b3c", "2026-01-02 03:04 UTC", machine);
    let figures = [
        Figure::from_seconds("tokens", &[0.05, 0.04, 0.06]),
        Figure::from_quotients("peer ÷ Showtell", &peer, &[0.1; 3]).with_goal(Goal::AtLeast(40.0)),
        Figure::new("file ÷ content", RATIO, 1.02).with_goal(Goal::AtMost(1.01)),
    ];
    for figure in figures {
        sitting.add(Line::Figure(Figure { bench: "data/score".to_owned(), ..figure }));
    }
    let skipped = Skipped { bench: "train/peers".to_owned(), reason: "no peers".to_owned() };
    sitting.add(Line::Skipped(skipped.clone()));
    sitting.add(Line::Skipped(skipped));
    sitting
}

/// The lines of a table with single spaces.
fn lines(table: &str) -> Vec<String> {
    let line = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    table.lines().map(line).collect()
}

#[test]
fn a_sitting_has_goals_and_what_was_skipped() {
    let mut sitting = sitting(PROCESSOR, [4.0, 5.0, 6.0]);
    sitting.add(Line::Failed("cargo bench ended with status 101".to_owned()));
    let expected = "\
        Revision 1a2b3c, 2026-01-02 03:04 UTC\n\
        AMD EPYC (family 25, model 1), AVX-512, bfloat16 products of AVX-512; 2 cores, 15.6 GiB, Linux 6.1.0\n\
        \n\
        bench figure value rounds goal\n\
        data/score tokens 50.0 ms 40.0–60.0 – no goal\n\
        data/score peer ÷ Showtell 50.0 40.0–60.0 ≥ 40 met\n\
        data/score file ÷ content 1.020 ≤ 1.01 missed\n\
        \n\
        1 of 2 goals are met.\n\
        skipped: train/peers: no peers\n\
        failed: cargo bench ended with status 101";
    assert_eq!(lines(&sitting.to_string()).join("\n"), expected);
    let json = serde_json::to_string(&sitting).unwrap();
    assert_eq!(serde_json::from_str::<Sitting>(&json).unwrap(), sitting);
}

#[test]
fn two_sittings_are_compared() {
    let [before, mut after] =
        [[4.0, 5.0, 6.0], [9.0, 10.0, 11.0]].map(|peer| sitting(PROCESSOR, peer));
    after.figures.pop();
    let compared = lines(&before.compare(&after));
    assert_eq!(
        compared[4..],
        [
            "bench figure A B B ÷ A",
            "data/score tokens 50.0 ms 50.0 ms 1.000",
            "data/score peer ÷ Showtell 50.0 100 2.000",
            "data/score file ÷ content 1.020 – –",
        ]
    );
    let elsewhere = sitting(&PROCESSOR.replace("model\t\t: 1", "model\t\t: 17"), [4.0, 5.0, 6.0]);
    let compared = lines(&before.compare(&elsewhere)).join("\n");
    assert!(compared.contains("machines differ") && !compared.contains("tokens"), "{compared}");
}

#[test]
fn lines_of_benches_are_json() {
    let figure = Figure::new("file ÷ content", RATIO, 1.02).with_goal(Goal::AtMost(1.01));
    let line = Line::Figure(figure);
    let json = serde_json::to_string(&line).unwrap();
    assert!(json.contains(r#""goal":{"at_most":1.01},"is_met":false"#), "{json}");
    assert_eq!(serde_json::from_str::<Line>(&json).unwrap(), line);
    let failed = serde_json::from_str::<Line>(r#"{ "failed": "status 101" }"#).unwrap();
    assert_eq!(failed, Line::Failed("status 101".to_owned()));
}
