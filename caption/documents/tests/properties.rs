//! What holds for each text.

use documents::{Alt, Document, Format, Image};
use proptest::prelude::*;

/// Fragments that make up documents.
const FRAGMENTS: &[&str] = &[
    "<img",
    " src=a.png",
    " src=\"b c.png\"",
    " SRC='d&amp;e'",
    " src=x/",
    " alt",
    " alt=",
    "\"\"",
    "''",
    " alt=''",
    " alt=\"\"",
    " alt = \" \"",
    " alt=cat",
    " alt=\"&eacute;&foo;&#1;\"",
    "=",
    "/",
    ">",
    "/>",
    "\"",
    "'",
    "`",
    "``",
    "```\n",
    "    ",
    "\t",
    " ",
    "\n",
    "\n\n",
    "\r\n",
    "\r",
    "<a href=x>",
    "</a>",
    "<a id=y>",
    "<button>",
    "<!--",
    "-->",
    "<script>",
    "</script>",
    "<style>",
    "<title/>",
    "<svg>",
    "</svg>",
    "<p>",
    "<div>\n",
    "</div>\n\n",
    "![",
    "](",
    ")",
    "![](a.png)",
    "![](<a b>)",
    "![ ](a \"t\")",
    "![][r]",
    "[r]: a.png\n",
    "![x](",
    "](u)",
    "[",
    "]",
    "[x",
    "> ",
    "- ",
    "1. ",
    "# ",
    "| ",
    "|---|\n",
    "---\n",
    "+++\n",
    "~~",
    "*",
    "_",
    "\\",
    "&",
    "&amp;",
    "&#",
    "&nbsp;",
    "é",
    "😀",
    "\u{feff}",
    "\0",
    "\u{a0}",
    "{{ x }}",
    "<?xml version=\"1.0\"?>",
    "<![CDATA[",
    "]]>",
    "text",
    "a b",
];

fn document() -> impl Strategy<Value = String> {
    let fragment = prop_oneof![9 => proptest::sample::select(FRAGMENTS).prop_map(str::to_owned), 1 => any::<String>()];
    proptest::collection::vec(fragment, 0..24).prop_map(|fragments| fragments.concat())
}

/// Documents with images among other fragments, so that many are fillable.
fn with_images() -> impl Strategy<Value = String> {
    let images = &[
        "<img src=a>",
        "<img\nalt='' src=\"b\"/>",
        "<img alt=\"\" src=c>",
        "![](d)",
        "\n\n<img src='e'>\n\n",
    ];
    let part = prop_oneof![document(), proptest::sample::select(images).prop_map(str::to_owned)];
    proptest::collection::vec(part, 0..6).prop_map(|parts| parts.concat())
}

fn text() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        any::<String>(),
        "[a-z .,'\"!&<>`|*_{}\\\\\\[\\]()$~^#;:=-]{0,20}",
        proptest::sample::select(FRAGMENTS).prop_map(str::to_owned),
    ];
    text.prop_filter("a blank text is none", |text| !one_line(text).is_empty())
}

fn format() -> impl Strategy<Value = Format> {
    prop_oneof![Just(Format::Html), Just(Format::Markdown)]
}

/// A text as `fill` takes it.
fn one_line(text: &str) -> String {
    let is_break =
        |c: char| c.is_ascii_whitespace() || c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let words = text.split(is_break).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ").trim().to_owned()
}

fn key(image: &Image<'_>) -> (String, Option<documents::Obstacle>) {
    (image.source.clone(), image.obstacle)
}

/// A text that documents do not have.
const MARK: &str = "\u{e000}";

/// Whether a document is the original when each mark is taken away, with what was written around it; a blank text was in the
/// place of some.
fn is_original(original: &str, filled: &str) -> bool {
    let Some((before, after)) = filled.split_once(MARK) else { return original == filled };
    let around = [(" alt=\"", "\""), ("=\"", "\""), ("\"", "\""), ("", "")];
    around.iter().any(|(start, end)| {
        let before = before.strip_suffix(start);
        let rest = before.and_then(|before| original.strip_prefix(before));
        let (Some(rest), Some(after)) = (rest, after.strip_prefix(end)) else { return false };
        let behind_blank = rest.trim_start().trim_start_matches("&nbsp;");
        is_original(rest, after) || is_original(behind_blank, after)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn without_texts_a_document_stays(text in with_images(), format in format()) {
        let document = Document::parse(&text, format);
        prop_assert_eq!(&document.fill(|_| None), &text);
        prop_assert_eq!(&document.fill(|_| Some(" \r\n\t")), &text);
        let places = document.images().iter().map(|image| (image.line, image.column)).collect::<Vec<_>>();
        prop_assert!(places.is_sorted(), "{places:?}");
    }

    #[test]
    fn a_filled_image_has_the_text(original in with_images(), alt in text(), format in format()) {
        let document = Document::parse(&original, format);
        let filled = document.fill(|_| Some(&alt));
        let line = one_line(&alt);
        let again = Document::parse(&filled, format);
        prop_assert_eq!(document.images().len(), again.images().len(), "{}", filled);
        for (before, after) in document.images().iter().zip(again.images()) {
            prop_assert_eq!(key(before), key(after), "{}", filled);
            let expected = if before.is_fillable() { Alt::Present(line.clone()) } else { before.alt.clone() };
            prop_assert_eq!(&after.alt, &expected, "{}", filled);
        }
        prop_assert_eq!(again.fill(|_| Some("another")), filled);
    }

    #[test]
    fn the_other_bytes_stay(original in with_images(), format in format()) {
        prop_assume!(!original.contains(MARK));
        let document = Document::parse(&original, format);
        let filled = document.fill(|_| Some(MARK));
        let count = document.images().iter().filter(|image| image.is_fillable()).count();
        prop_assert_eq!(filled.matches(MARK).count(), count);
        prop_assert!(is_original(&original, &filled), "{}", filled);
    }
}
