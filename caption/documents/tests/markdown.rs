//! Images in Markdown.

use documents::{Alt, Document, Format, Obstacle};

/// The document with `text` in each image that can have it.
fn fill_with(markdown: &str, text: &str) -> String {
    let filled = Document::parse(markdown, Format::Markdown).fill(|_| Some(text));
    let again = Document::parse(&filled, Format::Markdown);
    assert!(again.images().iter().all(|image| !image.is_fillable()), "{filled}");
    let count = Document::parse(markdown, Format::Markdown).images().len();
    assert_eq!(again.images().len(), count, "{filled}");
    filled
}

fn fill(markdown: &str) -> String {
    fill_with(markdown, "A dog.")
}

/// The source, the text and the obstacle of each image.
fn images(markdown: &str) -> Vec<(String, Alt, Option<Obstacle>)> {
    let document = Document::parse(markdown, Format::Markdown);
    let images = document.images().iter();
    images.map(|image| (image.source.clone(), image.alt.clone(), image.obstacle)).collect()
}

fn missing(source: &str) -> (String, Alt, Option<Obstacle>) {
    (source.to_owned(), Alt::Missing, None)
}

fn present(source: &str, alt: &str) -> (String, Alt, Option<Obstacle>) {
    (source.to_owned(), Alt::Present(alt.to_owned()), None)
}

#[test]
fn empty_brackets_are_filled() {
    for (before, source, after) in [
        ("![](a.png)", "a.png", "![A dog.](a.png)"),
        ("x ![](a.png \"title\") y", "a.png", "x ![A dog.](a.png \"title\") y"),
        ("![](<a b.png>)", "a b.png", "![A dog.](<a b.png>)"),
        ("![](a\\_b&amp;c.png)", "a_b&c.png", "![A dog.](a\\_b&amp;c.png)"),
        ("![][r]\n\n[r]: a.png", "a.png", "![A dog.][r]\n\n[r]: a.png"),
        ("![ ](a.png)", "a.png", "![A dog.](a.png)"),
        ("# ![](a.png)\r\n", "a.png", "# ![A dog.](a.png)\r\n"),
        ("> - ![](a.png)", "a.png", "> - ![A dog.](a.png)"),
        ("| x |\n|---|\n| ![](a.png) |", "a.png", "| x |\n|---|\n| ![A dog.](a.png) |"),
        ("**![](a.png)**{width=50%}", "a.png", "**![A dog.](a.png)**{width=50%}"),
        ("![](../x/é.png#f)", "../x/é.png#f", "![A dog.](../x/é.png#f)"),
    ] {
        assert_eq!(images(before), [missing(source)], "{before}");
        assert_eq!(fill(before), after);
    }
}

#[test]
fn a_text_stays() {
    for (markdown, alt) in [
        ("![A cat](a)", "A cat"),
        ("![A\n`cat` *sits*\\*](a)", "A cat sits*"),
        ("![r][]\n\n[r]: a", "r"),
        ("![r]\n\n[r]: a", "r"),
        ("![R &amp; D][r]\n\n[r]: a", "R & D"),
        ("![![cat](b)](a)", "cat"),
    ] {
        assert_eq!(images(markdown), [present("a", alt)], "{markdown}");
        assert_eq!(fill(markdown), markdown);
    }
}

#[test]
fn texts_are_escaped() {
    for text in [
        "A \"dog\" & a cat's *toy* [1] <b> `c` \\",
        "R&amp;D &#65; $1 ~x~ ^2 a_b_ |c| {{d}} {% e %} !",
        "![x](y)",
        "^1",
        "\u{a0}12\u{a0}m",
    ] {
        for markdown in [
            "![](a)",
            "| x | y |\n|---|---|\n| ![](a) | z |",
            "`q` <img src=\"a\"> `r`",
            "| x | y |\n|---|---|\n| <img src=\"a\"> | z |",
        ] {
            let filled = fill_with(markdown, text);
            assert_eq!(images(&filled), [present("a", text.trim())], "{filled}");
        }
    }
    assert_eq!(fill_with("![](a)", "A\r\n dog [x]. "), "![A dog \\[x\\].](a)");
}

#[test]
fn what_is_not_an_image_stays() {
    for markdown in [
        "`![](a)` and `<img src=a>`",
        "```html\n![](a)\n<img src=a>\n```\n",
        "    ![](a)\n    <img src=a>\n",
        "~~~\n![](a)",
        "\\![](a) !\\[](a) [](a)",
        "![][missing] ![] ![[a.png]]",
        "<!-- ![](a) <img src=a> -->",
        "x <!-- <img src=a> --> y",
        "<!--\n\n![](a)\n\n<img src=a>\n-->\n",
        "<script>\n\n'<img src=a>'\n\n</script>\n",
        "---\nimage: <img src=a>\ncover: ![](a)\n---\n",
        "\u{feff}---\ncover: ![](a)\n---\n",
        "+++\ncover = '![](a)'\n+++\n",
        "<div>\n![](a)\n</div>\n",
        "\\<img src=a>",
    ] {
        assert_eq!(images(markdown), [], "{markdown}");
        assert_eq!(fill(markdown), markdown);
    }
}

#[test]
fn front_matter_is_at_the_begin_alone() {
    let markdown = "---\na: ![](x)\n---\n\n![](a)\n\n---\n![](b)\n---\n<img src=c>\n";
    assert_eq!(
        images(markdown),
        ["a", "b"].map(missing).into_iter().chain([missing("c")]).collect::<Vec<_>>()
    );
    let filled = fill(markdown);
    assert_eq!(filled.matches("A dog.").count(), 3);
    assert!(filled.starts_with("---\na: ![](x)\n---\n\n![A dog.](a)"), "{filled}");
    assert_eq!(images("---\n\n![](a)\n"), [missing("a")]);
}

#[test]
fn html_is_filled_as_html() {
    for (before, after) in [
        ("<img src=\"a\">", "<img src=\"a\" alt=\"A dog.\">"),
        ("text <img src=a /> text", "text <img src=a alt=\"A dog.\" /> text"),
        (
            "<p align=center>\n\t<img\r\n\tsrc='a'>\n</p>",
            "<p align=center>\n\t<img\r\n\tsrc='a' alt=\"A dog.\">\n</p>",
        ),
        (
            "> <div>\n> <img\n> src='a'>\n> </div>",
            "> <div>\n> <img\n> src='a' alt=\"A dog.\">\n> </div>",
        ),
        (
            "> x <img\n> width=1\n>   src='a'> y",
            "> x <img\n> width=1\n>   src='a' alt=\"A dog.\"> y",
        ),
        ("- <div>\n  <img src='a'>\n  </div>", "- <div>\n  <img src='a' alt=\"A dog.\">\n  </div>"),
        (
            "<details>\n\n<img src=a>\n\n</details>",
            "<details>\n\n<img src=a alt=\"A dog.\">\n\n</details>",
        ),
        ("| <img src=a> |\n|---|\n", "| <img src=a alt=\"A dog.\"> |\n|---|\n"),
    ] {
        assert_eq!(images(before), [missing("a")], "{before}");
        assert_eq!(fill(before), after);
    }
    assert_eq!(images("<img src=a alt=''>"), [("a".to_owned(), Alt::Empty, None)]);
    assert_eq!(images("<img src=a alt='x'>"), [present("a", "x")]);
}

#[test]
fn an_image_in_a_link_is_not_filled() {
    for markdown in [
        "[![](a)](url)",
        "[x ![](a)][r]\n\n[r]: url",
        "[<img src=a>](url)",
        "<a href=url>![](a)</a>",
        "<a href=url>\n\n![](a)\n\n</a>",
        "<a href=url>\n  <img src=a>\n</a>",
    ] {
        let expected = ("a".to_owned(), Alt::Missing, Some(Obstacle::Link));
        assert_eq!(images(markdown), [expected], "{markdown}");
        let document = Document::parse(markdown, Format::Markdown);
        assert_eq!(document.fill(|_| Some("A dog.")), markdown);
    }
    assert_eq!(images("[x](url) ![](a)"), [missing("a")]);
    assert_eq!(images("<a href=url>x</a> ![](a)"), [missing("a")]);
}

#[test]
fn some_images_have_no_place_for_a_text() {
    for (markdown, source, obstacle) in [
        ("![]()", "", Obstacle::NoSource),
        ("![![](b)](a)", "a", Obstacle::Unclear),
        ("![<b></b>](a)", "a", Obstacle::Unclear),
        ("> ![\n> ](a)", "a", Obstacle::Unclear),
    ] {
        assert_eq!(
            images(markdown),
            [(source.to_owned(), Alt::Missing, Some(obstacle))],
            "{markdown}"
        );
        let document = Document::parse(markdown, Format::Markdown);
        assert_eq!(document.fill(|_| Some("A dog.")), markdown);
    }
}

#[test]
fn images_are_in_the_order_of_the_document() {
    let markdown =
        "---\nt: x\n---\r\n![](a)\r\n\r\né <img src=b> ![](c \"t\")\r\n\r\n<img src=d>\r\n![](e)";
    let document = Document::parse(markdown, Format::Markdown);
    let found = document.images().iter();
    let found = found.map(|image| (image.line, image.column, image.written)).collect::<Vec<_>>();
    let expected =
        [(4, 1, "![](a)"), (6, 3, "<img src=b>"), (6, 15, "![](c \"t\")"), (8, 1, "<img src=d>")];
    assert_eq!(found, expected);
    let filled = fill(markdown);
    assert_eq!(filled.replace(" alt=\"A dog.\"", "").replace("A dog.", ""), markdown);
}
