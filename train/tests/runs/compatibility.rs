//! Runs of earlier versions, folders that are not runs, and settings from the environment.

use std::fs;

use crate::program::{Place, assert_says};

/// The keys of a table of `config.toml`, in their order.
fn keys<'a>(config: &'a str, table: &str) -> Vec<&'a str> {
    let (_, lines) = config.split_once(&format!("[{table}]\n")).unwrap();
    lines.lines().map_while(|line| Some(line.split_once(" = ")?.0)).collect()
}

#[test]
fn the_keys_of_a_configuration_stay() {
    let place = Place::new();
    place.fit("run");
    place.done("refine --from run --run refined --epochs 1");
    let config = place.read("refined/config.toml");
    let of_training = "seed epochs batch window learning_rate warm_up decay weight_decay clip averaging consensus text_batch text_weight views \
                       side_words patience precision";
    assert_eq!(keys(&config, "training").join(" "), of_training);
    let regularization = ["dropout", "channel_dropout", "label_smoothing", "doubly_stochastic"];
    assert_eq!(keys(&config, "training.regularization"), regularization);
    assert_eq!(keys(&config, "refinement"), ["from", "samples"]);
    assert_eq!(keys(&config, "encoder"), ["name", "sha256", "grid"]);
    assert_says(&config, &["grid = [2, 3, 8]", "\"hash of the file name\"]"]);
}

/// An earlier version wrote settings that are removed, and lacked others.
#[test]
fn a_removed_setting_is_refused_unless_it_was_off() {
    let place = Place::new();
    place.fit("run");
    let config = place.read("run/config.toml");
    let table = "[training.regularization]\n";
    let lacks = |line: &str| {
        let newer = ["window =", "consensus =", "side_words ="];
        newer.iter().any(|key| line.starts_with(key))
    };
    let kept = config.lines().filter(|line| !lacks(line)).collect::<Vec<_>>().join("\n");
    let earlier = |cells: &str, words: &str| {
        kept.replace(table, &format!("{table}cell_dropout = {cells}\nword_dropout = {words}\n"))
    };
    for (cells, words, named) in [
        ("0.3", "0.0", "training.regularization.cell_dropout is 0.3"),
        ("0.0", "0.1", "training.regularization.word_dropout is 0.1"),
    ] {
        place.write("run/config.toml", &earlier(cells, words));
        place.write("other.toml", &earlier(cells, words));
        for (command, file) in [
            ("evaluate --run run", "run/config.toml"),
            ("export --run run", "run/config.toml"),
            ("fit --run run --resume --epochs 2", "run/config.toml"),
            ("refine --from run --run refined", "run/config.toml"),
            (
                "fit --run new --captions captions.txt --store small.h5 --config other.toml",
                "other.toml",
            ),
        ] {
            assert_says(&place.refused(command), &[file, named, "Set it to 0 or remove the line"]);
        }
        assert!(!place.path("new").exists() && !place.path("refined").exists());
    }
    place.write("run/config.toml", &earlier("0.0", "0"));
    place.done("evaluate --run run");
    place.done(&Place::of("fit", "--run new --config run/config.toml --epochs 1").replacen(
        " --config settings.toml",
        "",
        1,
    ));
    // The run lacks `consensus`, whose default is 0.
    place.done("fit --run run --resume --epochs 2");
    assert_says(&place.read("run/config.toml"), &["consensus = 0.0\n", "window = 8192\n"]);
}

/// An exported captioner, as the project ships one, has neither configuration nor checkpoint.
#[test]
fn a_captioner_without_a_checkpoint_is_not_a_run() {
    let place = Place::new();
    place.fit("run");
    fs::create_dir(place.path("captioner")).unwrap();
    for file in ["manifest.json", "vocabulary.json", "decoder-init.onnx", "decoder-step.onnx"] {
        fs::copy(place.path("run").join(file), place.path("captioner").join(file)).unwrap();
    }
    for command in [
        "evaluate --run captioner",
        "export --run captioner",
        "report captioner",
        "refine --from captioner --run refined",
    ] {
        let said = place.refused(command);
        assert_says(&said, &["captioner: a captioner without a checkpoint", "train fit --run DIR"]);
        assert_says(&place.refused(&command.replace("captioner", "gone")), &["gone: no run here"]);
    }
}

#[test]
fn settings_may_be_variables() {
    let place = Place::new();
    let variables = [("CLIP", "2.5"), ("VIEWS", "original"), ("PRECISION", "f32"), ("SEED", "7")];
    let variables = variables.map(|(name, value)| (format!("SHOWTELL_TRAIN_{name}"), value));
    let fit = Place::of("fit", "--run run --seed 3");
    let (done, said) = place.train_with(&fit, &variables);
    assert!(done, "{said}");
    let config = place.read("run/config.toml");
    // A flag comes before a variable.
    assert_says(&config, &["clip = 2.5\n", "precision = \"f32\"\n", "seed = 3\n"]);
    let (done, said) = place.train_with(&fit, &[("SHOWTELL_TRAIN_DROPOUT".to_owned(), "much")]);
    assert!(!done && said.contains("--dropout"), "{said}");
}
